"""Post-training quantisation: OpenVINO's NNCF makes copies of a converted network in int8.

NNCF needs a gigabyte and PyTorch: it runs in a process of its own, and never in a server. What it
makes runs on OpenVINO alone.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends._inference.short_process import call_in_process
from shared.backend.installation import extra_command
from shared.errors import ModelError, RefusedPrecisionError

logger = logging.getLogger(__name__)

# Of so many items one is held out: what the network makes of it in int8 is compared. The others
# tell the ranges of numbers.
HELD_OUT_SHARE = 3
# Fewer tell neither the ranges nor how well the copies agree.
MIN_ITEMS = 30
# How many times as fast as without it a copy has to be, to be worth its rounding.
MIN_GAIN = 1.05
MAX_TIMED_ITEMS = 30
# While layers are left out, items may deviate by this part of what is allowed: of others some
# deviate more.
SEARCH_PART = 0.7
# What deviates by more times what is allowed counts as this: it is lost anyway.
LOST = 20.0

# The arrays of one call of a network, in the order of its inputs.
Inputs = Sequence[NDArray[Any]]


class NotFasterError(RefusedPrecisionError):
    """A copy may be exact or not: it is not worth it."""


@dataclass(frozen=True)
class Agreement:
    """How outputs of a network are compared in the process that makes copies.

    `factory`, as `module:function`, is called with `arguments`, values of JSON, and returns an
    `OutputComparison`.
    """

    factory: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Layers:
    """Which layers of a network are computed in int8: by their names; all others are left alone.

    `title` says it for people. With an `agreement` NNCF's accuracy control leaves out, one after
    the other, those layers that keep the copy from it. Without, quantisation of a `transformer`
    moves what is hard to round from numbers that flow into weights.
    """

    title: str
    names: tuple[str, ...]
    transformer: bool = False
    agreement: Agreement | None = None


class Copy(NamedTuple):
    """A copy of a network in int8: which layers are, for people, and its file."""

    title: str
    path: Path


def split_items(items: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the items to calibrate with, and those that are held out to compare on.

    ModelError if there are too few.
    """
    _require_enough(len(items))
    rest = [item for number, item in enumerate(items) if number % HELD_OUT_SHARE]
    return rest, list(items[::HELD_OUT_SHARE])


def check_calibration(items: Iterable[Any]) -> None:
    """Raise ModelError if NNCF is not installed, or the items are too few; no more are read."""
    _require_nncf()
    _require_enough(sum(1 for _ in islice(items, MIN_ITEMS)))


def _require_nncf() -> None:
    if find_spec("nncf") is None:
        raise ModelError(
            f"nncf is not installed: install the extra, e.g. {extra_command('int8')}; servers"
            " do not need it"
        )


def _require_enough(found: int) -> None:
    if found < MIN_ITEMS:
        raise ModelError(
            f"int8 takes at least {MIN_ITEMS} items to calibrate with, such as annotators label;"
            f" found: {found}"
        )


def choose_copy(copies: Iterable[Copy], judge: Callable[[Path], str]) -> tuple[Path, str]:
    """Return the first copy that may serve, and what is to be said of it.

    `judge` says how well a copy agrees and how fast it is; ModelError if it may not serve. The
    first copies have the most layers in int8: where one is not faster, no further one is made.
    Raises RefusedPrecisionError with what each of them lacks if none may.
    """
    reasons = []
    for copy in copies:
        try:
            return copy.path, f"{copy.title}: {judge(copy.path)}"
        except ModelError as error:
            reasons.append(f"with {copy.title}, {error}")
            if isinstance(error, NotFasterError):
                break
    raise RefusedPrecisionError("; ".join(reasons))


def search_distance(parts: NDArray[Any], median_margin: float = 1.0) -> float:
    """Return how far a copy is from agreeing: 0 where it does, and otherwise 1 and more.

    `parts` are deviations, of what is allowed; half of them have to be `median_margin` times as
    small.
    """
    if not parts.size:
        return 0.0
    if parts.max() <= SEARCH_PART and np.median(parts) <= SEARCH_PART / median_margin:
        return 0.0
    # The largest ones decide; a mean of fourth powers falls where any of them does.
    return 1 + float(np.mean(np.minimum(parts, LOST) ** 4) ** 0.25)


def measure_gain(
    before: Callable[[Any], Any], after: Callable[[Any], Any], items: Sequence[Any]
) -> float:
    """Return how many times as fast as before an item is done; NotFasterError if it is not.

    They take turns, so that what else the processor does costs both the same.
    """
    items = items[:MAX_TIMED_ITEMS]
    for item in items:  # each new shape is prepared once
        before(item)
        after(item)
    seconds = [(_time(before, item), _time(after, item)) for item in items]
    gain = float(np.divide(*np.median(seconds, axis=0)))
    if gain < MIN_GAIN:
        raise NotFasterError(f"it is {gain:.2f} times as fast as without on this processor")
    return gain


def _time(run: Callable[[Any], Any], item: Any) -> float:
    started = time.perf_counter()
    run(item)
    return time.perf_counter() - started


class Quantization:
    """Makes copies of an OpenVINO model in int8, each in a process of its own.

    `folder` is for the copies, and for the inputs that tell the ranges of numbers.
    """

    def __init__(self, model: Path, inputs: Iterable[Inputs], folder: Path) -> None:
        """ModelError if NNCF is not installed."""
        _require_nncf()
        self._model, self._folder, self._made = model, folder, 0
        self._inputs = []
        for number, arrays in enumerate(inputs):
            self._inputs.append(folder / f"{number}.npz")
            np.savez(self._inputs[-1], *arrays)

    def make(self, layers: Layers) -> Copy:
        """Write the copy with these layers in int8; ModelError if NNCF cannot."""
        path = self._folder / f"int8-{self._made}.xml"
        self._made += 1
        arguments = {
            "model": str(self._model.resolve()),
            "inputs": [str(file.resolve()) for file in self._inputs],
            "layers": asdict(layers),
            "target": str(path.resolve()),
        }
        try:
            title = call_in_process("backends._inference.nncf_process:quantize", arguments)
        except ModelError:
            raise
        except Exception as error:  # NNCF raises many kinds
            logger.error("NNCF cannot make a copy in int8", exc_info=error)
            raise ModelError(f"NNCF cannot make a copy in int8: {type(error).__name__}") from None
        return Copy(title, path)
