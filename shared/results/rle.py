"""Label Studio's run-length encoding of masks: @thi.ng/rle-pack over RGBA values.

It is not COCO's. A header of 53 bits: the number of values (32), the bits of a value less one
(5), four run sizes less one (4 each). Then for each run: 1, which run size (2), the run's
length less one (that many bits), the value (8); or 0 and single values. Source:
label_studio_sdk/converter/brush.py, which is equal byte for byte.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RUN_BITS = np.array([3, 4, 8, 16])
CHANNELS = 4
LONGEST = 1 << 16


def encode(mask: NDArray[Any]) -> list[int]:
    """A mask of shape (height, width), inside where it is not 0, as bytes.

    Values become 255 inside; what is written 1 would be almost invisible.
    """
    inside = np.ascontiguousarray(mask).reshape(-1) != 0
    if not inside.size:
        return []
    ends = np.append(np.flatnonzero(inside[1:] != inside[:-1]), inside.size - 1)
    lengths = np.diff(ends, prepend=-1) * CHANNELS
    pieces = (lengths - 1) // LONGEST + 1
    sizes = np.full(int(pieces.sum()), LONGEST)
    sizes[np.cumsum(pieces) - 1] = (lengths - 1) % LONGEST + 1
    bits = _bits(sizes, np.repeat(inside[ends], pieces))
    header = _header(inside.size * CHANNELS)
    # The SDK pads a full last byte with another one; equal bytes are easier to test.
    padding = np.zeros(8 - (header.size + bits.size) % 8, np.uint8)
    packed: list[int] = np.packbits(np.concatenate([header, bits, padding])).tolist()
    return packed


def _header(values: int) -> NDArray[np.uint8]:
    sizes = "".join(f"{bits - 1:04b}" for bits in RUN_BITS.tolist())
    return np.frombuffer(f"{values:032b}00111{sizes}".encode(), np.uint8) - ord("0")


def _bits(sizes: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """One run after the other as single bits."""
    kind = np.searchsorted([8, 16, 256], sizes)
    run_bits = RUN_BITS[kind]
    code = (4 + kind << run_bits + 8) | (sizes - 1 << 8) | np.where(inside, 255, 0)
    used = run_bits + 11
    aligned = (code << 32 - used).astype(">u4")
    every = np.unpackbits(aligned.view(np.uint8).reshape(-1, 4), axis=1)
    kept: NDArray[np.uint8] = every[np.arange(32) < used[:, None]]
    return kept


def decode(rle: Sequence[int], height: int, width: int) -> NDArray[np.uint8]:
    """Bytes as a mask of shape (height, width), 0 or 255; ValueError if they are none of it."""
    try:
        data = bytes(rle)
    except (TypeError, ValueError):
        raise ValueError("An RLE should hold whole numbers from 0 to 255") from None
    bits = f"{int.from_bytes(data, 'big'):0{len(data) * 8}b}"
    count = int(bits[:32] or "0", 2)
    if count != height * width * CHANNELS:
        raise ValueError(
            f"The RLE is a mask of {count / CHANNELS:g} pixels, expected {width} × {height}"
        )
    values = _values(bits, count)
    alpha = values.reshape(height, width, CHANNELS)[:, :, CHANNELS - 1]
    mask: NDArray[np.uint8] = np.where(alpha > 0, 255, 0).astype(np.uint8)
    return mask


def _values(bits: str, count: int) -> NDArray[np.uint8]:
    word = int(bits[32:37], 2) + 1
    run_bits = [int(bits[place : place + 4], 2) + 1 for place in (37, 41, 45, 49)]
    values = np.zeros(count, np.uint8)
    at, done = 53, 0
    while done < count:
        head = bits[at : at + 3]
        if len(head) < 3:
            raise ValueError(f"The RLE ends after {done} of {count} values")
        size = run_bits[int(head[1:], 2)]
        at += 3 + size
        run = int(bits[at - size : at] or "0", 2) + 1
        if head[0] == "1":
            values[done : done + run] = int(bits[at : at + word] or "0", 2)
            at += word
        else:
            for place in range(done, min(done + run, count)):
                values[place] = int(bits[at : at + word] or "0", 2)
                at += word
        done += run
    return values
