"""Damages a file as disks and copies do."""

from pathlib import Path


def change_byte(path: Path) -> None:
    """Change one byte of a file, which keeps its size and may be mapped meanwhile."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)
