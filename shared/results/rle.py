"""Label Studio's run-length encoding of masks: @thi.ng/rle-pack over RGBA values.

It is not COCO's. A header of 53 bits: the number of values (32), the bits of a value less one
(5), four run sizes less one (4 each). Then for each run: 1, which run size (2), the run's
length less one (that many bits), the value (8); or 0 and single values. Source:
label_studio_sdk/converter/brush.py, which is equal byte for byte.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RUN_SIZE_BITS = (3, 4, 8, 16)
CHANNELS = 4
HEADER_BITS = 53
MAX_RUN_VALUES = 1 << 16


def encode(mask: "NDArray[Any]") -> list[int]:
    """Encode a mask of shape (height, width), inside where it is not 0, as bytes.

    Values become 255 inside; what is written 1 would be almost invisible.
    """
    import numpy as np

    inside = np.ascontiguousarray(mask).reshape(-1) != 0
    if not inside.size:
        return []
    ends = np.append(np.flatnonzero(inside[1:] != inside[:-1]), inside.size - 1)
    lengths = np.diff(ends, prepend=-1) * CHANNELS
    pieces = (lengths - 1) // MAX_RUN_VALUES + 1
    sizes = np.full(int(pieces.sum()), MAX_RUN_VALUES)
    sizes[np.cumsum(pieces) - 1] = (lengths - 1) % MAX_RUN_VALUES + 1
    return _pack_runs(inside.size * CHANNELS, sizes, np.repeat(inside[ends], pieces))


def _pack_runs(values: int, sizes: "NDArray[Any]", inside: "NDArray[np.bool_]") -> list[int]:
    """Return the header and the runs one after the other.

    A run takes up to 27 bits, which begin anywhere in a word of 32: so it has a part in that and
    the next one, and a word is the sum of the parts that runs have in it.
    """
    import numpy as np

    kind = np.searchsorted([8, 16, 256], sizes)
    run_bits = np.array(RUN_SIZE_BITS)[kind]
    code = (4 + kind << run_bits + 8) | (sizes - 1 << 8) | np.where(inside, 255, 0)
    used = run_bits + 11
    ends = HEADER_BITS + np.cumsum(used)
    starts = ends - used
    aligned = code.astype(np.uint64) << (64 - used - (starts & 31)).astype(np.uint64)
    first, count = starts >> 5, int(ends[-1]) // 32 + 2
    words = np.bincount(first, aligned >> np.uint64(32), count)
    words += np.bincount(first + 1, aligned & np.uint64(0xFFFFFFFF), count)
    words[:2] += _header_words(values)
    # The SDK pads a full last byte with another one; equal bytes are easier to test.
    packed = words.astype(">u4").tobytes()[: int(ends[-1]) // 8 + 1]
    return list(packed)


def _header_words(values: int) -> tuple[int, int]:
    """Return the header as two words, of which the last bits are 0."""
    sizes = "".join(f"{bits - 1:04b}" for bits in RUN_SIZE_BITS)
    return values, int(f"00111{sizes}".ljust(32, "0"), 2)


def decode(rle: Sequence[int], height: int, width: int) -> "NDArray[np.uint8]":
    """Decode bytes to a mask of shape (height, width), 0 or 255; ValueError if they do not fit."""
    import numpy as np

    try:
        data = bytes(rle)
    except (TypeError, ValueError):
        raise ValueError("An RLE should hold whole numbers from 0 to 255") from None
    count = int.from_bytes(data[:4], "big")
    if count != height * width * CHANNELS:
        raise ValueError(
            f"The RLE is a mask of {count / CHANNELS:g} pixels, expected {width} × {height}"
        )
    values = _unpack_values(data, count)
    alpha = values.reshape(height, width, CHANNELS)[:, :, CHANNELS - 1]
    mask: NDArray[np.uint8] = np.where(alpha > 0, 255, 0).astype(np.uint8)
    return mask


def peak_value(data: bytes) -> int:
    """Return the opacity of a mask: its greatest value, up to 255; 0 if nothing is inside.

    It reads no further than to the first value that can be seen well (128 or more). ValueError
    if it cannot be read that far.
    """
    bits, found = _BitReader(data), 0
    for _, value in _read_runs(bits, bits.take(32)):
        found = max(found, value)
        if found >= 128:
            break
    return found


def _unpack_values(data: bytes, count: int) -> "NDArray[np.uint8]":
    import numpy as np

    bits = _BitReader(data)
    bits.take(32)
    runs = list(_read_runs(bits, count))
    lengths, values = zip(*runs, strict=True) if runs else ((), ())
    spread: NDArray[np.uint8] = np.repeat(np.array(values, np.uint8), np.array(lengths, int))
    return spread[:count]


def _read_runs(bits: "_BitReader", count: int) -> Iterator[tuple[int, int]]:
    """Yield the length and value of each run, after the header's first 32 bits."""
    word = bits.take(5) + 1
    run_bits = [bits.take(4) + 1 for _ in range(4)]
    done = 0
    while done < count:
        is_run = bits.take(1)
        length = bits.take(run_bits[bits.take(2)]) + 1
        done += length
        if is_run:
            yield length, bits.take(word)
        else:
            for _ in range(length):
                yield 1, bits.take(word)


class _BitReader:
    """Reads bytes bit by bit, a few at a time as an integer."""

    STEP = 32

    def __init__(self, data: bytes) -> None:
        self._data, self._read = data, 0
        self._value, self._left = 0, 0

    def take(self, count: int) -> int:
        """Return the next bits as a number; ValueError at the end."""
        while self._left < count:
            more = self._data[self._read : self._read + self.STEP]
            if not more:
                raise ValueError("The RLE ends before its mask does")
            self._read += len(more)
            self._value = (self._value << 8 * len(more)) | int.from_bytes(more, "big")
            self._left += 8 * len(more)
        self._left -= count
        found = self._value >> self._left
        self._value &= (1 << self._left) - 1
        return found
