"""The Ray cluster of a run: one that is there, or one on this machine for as long as the run."""

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from shared.backend.extras import require
from shared.errors import SettingError

EXTRA = "ray"
# Of a cluster that is started here. Tasks hardly pass through it: parts are files.
OBJECT_STORE_BYTES = 1 << 29
CONNECT_SECONDS = 10.0
# Cores of an actor whose models use several threads.
CORES_PER_MODEL = 4


@dataclass(frozen=True)
class ActorPool:
    """How many actors predict, and what each of them takes of its machine."""

    actors: int
    cores: float
    gpus: float


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Connect to the cluster at the address, or start one; yield the module `ray`.

    A cluster that was started here is shut down at the end, and a connection closed. Without an
    address, a process that is connected already stays so. SettingError if Ray is not installed, or
    no cluster is at the address.
    """
    ray = require("ray", EXTRA)
    require("ray.data", EXTRA)
    quiet_loggers()
    if address is None and ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        options |= {"address": "local", "include_dashboard": False, "num_cpus": cores}
        options |= {"object_store_memory": OBJECT_STORE_BYTES}
    else:
        _refuse_silent(address)
    try:
        with _muted_stderr():
            ray.init(**{"address": address, **options})
    except Exception as error:  # a node that is too slow to start is a bare Exception of Ray
        where = (
            "Ray cannot be started" if address is None else f"No Ray cluster answers at {address}"
        )
        raise SettingError(f"{where}: {_first_line(error)}") from None
    try:
        yield ray
    finally:
        ray.shutdown()


def quiet_loggers() -> None:
    """Leave the terminal to the command: what ends a run is raised, and says so in a sentence."""
    for name in ("ray", "ray.data", "ray.serve"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _refuse_silent(address: str) -> None:
    """Raise SettingError if nothing listens at the address: Ray would try for five minutes."""
    found = urlsplit(address if "://" in address else f"//{address}")
    try:
        if found.hostname is None or found.port is None:
            return  # such as `auto`, of which Ray itself knows what it means
        socket.create_connection((found.hostname, found.port), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingError(f"No Ray cluster answers at {address}: {reason}") from None


@contextmanager
def _muted_stderr() -> Iterator[None]:
    """Drop what native code writes to standard error inside the block.

    Ray does so where it is told not to: it says which variable has told it.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def choose_pool(ray: Any, actors: int | None, gpus: float, inline: bool) -> ActorPool:
    """Return the actors that fill the cluster, or so many as are asked for.

    Without GPUs an actor gets one core if its models run `inline`, in one thread, and else up to
    `CORES_PER_MODEL`. SettingError if no machine of the cluster has what an actor needs.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    most_gpus = max((node.get("GPU", 0.0) for node in nodes), default=0.0)
    if gpus > most_gpus:
        raise SettingError(
            f"--gpus-per-actor is {gpus:g}: no machine of the cluster has more than {most_gpus:g}"
        )
    most_cores = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
    if most_cores < 1:
        raise SettingError(
            "No machine of the Ray cluster has a core that actors may use (num_cpus)"
        )
    cores = 1.0 if inline or gpus else min(float(CORES_PER_MODEL), most_cores)
    if actors is None:
        fitting = (_count_fitting(node, cores, gpus) for node in nodes)
        return ActorPool(max(1, sum(fitting)), cores, gpus)
    share = sum(node.get("CPU", 0.0) for node in nodes) // actors
    return ActorPool(actors, min(max(share, 1.0), most_cores, cores if gpus else most_cores), gpus)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _count_fitting(node: dict[str, float], cores: float, gpus: float) -> int:
    by_cores = node.get("CPU", 0.0) // cores
    return int(min(by_cores, node.get("GPU", 0.0) // gpus) if gpus else by_cores)
