"""Reads the packets and frames of a media container by PyAV, as far as the file is intact."""

import logging
from collections.abc import Iterator
from typing import Any

logger = logging.getLogger(__name__)


# Offset and bytes that identify a container of videos, and FFmpeg's name of it. FFmpeg must not
# guess: it knows play lists, too, which would make it open further files and addresses.
VIDEO_CONTAINERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (0, b"OggS", "ogg"),
    (8, b"AVI ", "avi"),
)


def decode_frames(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the frames of a stream; damaged ones are skipped."""
    import av

    for packet in read_packets(container, stream):
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            logger.debug("A part of a file is damaged: %s", error_reason(error))


def read_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets of a stream as far as they can be read."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            logger.debug("The end of a file is missing: %s", error_reason(error))
            return
        if packet is None:
            return
        yield packet


def error_reason(error: Exception) -> str:
    """Return what FFmpeg says of an error, without the file's name."""
    return getattr(error, "strerror", None) or type(error).__name__
