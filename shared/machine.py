"""The names of the machine that a process runs on."""

import socket
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def host_name() -> str:
    """Return this machine's or container's name, as users know it."""
    return socket.gethostname()


def machine_name() -> str:
    """Return a name of this boot of this machine, the same in all its containers."""
    try:
        return _BOOT_ID.read_text().strip().replace("-", "")[:12]
    except OSError:  # not Linux
        return host_name()
