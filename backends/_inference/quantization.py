"""Post-training quantisation: OpenVINO's NNCF makes copies of a converted network in int8.

NNCF needs a gigabyte and PyTorch: it runs in a process of its own, and never in a server. What it
makes runs on OpenVINO alone.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._inference.openvino import import_openvino, openvino_core
from backends._inference.short_process import call_in_process
from shared.backend.installation import extra_command
from shared.errors import ModelError

# Of so many items one is held out: what the network makes of it in int8 is compared. The others
# tell the ranges of numbers.
HELD_OUT_SHARE = 3
# Fewer tell neither the ranges nor how well the copies agree.
MIN_ITEMS = 30
# How many times as fast as without it a copy has to be, to be worth its rounding.
MIN_GAIN = 1.05
MAX_TIMED_ITEMS = 30

# The arrays of one call of a network, in the order of its inputs.
Inputs = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Layers:
    """Which layers of a network are computed in int8: by their names; all others are left alone.

    `title` says it for people. Quantisation of a `transformer` moves what is hard to round from
    numbers that flow into weights.
    """

    title: str
    names: tuple[str, ...]
    transformer: bool = False


def split_items(items: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the items to calibrate with, and those that are held out to compare on.

    ModelError if there are too few.
    """
    if len(items) < MIN_ITEMS:
        raise ModelError(
            f"there are {len(items)} items to calibrate with; int8 takes at least {MIN_ITEMS},"
            " such as annotators label"
        )
    rest = [item for number, item in enumerate(items) if number % HELD_OUT_SHARE]
    return rest, list(items[::HELD_OUT_SHARE])


def choose_copy(
    copies: Iterable[tuple[Layers, Path]], judge: Callable[[Path], str]
) -> tuple[Path, str]:
    """Return the first copy that may serve, and what is to be said of it.

    `judge` says how well a copy agrees and how fast it is; ModelError if it may not serve. Raises
    ModelError with what each of them lacks if none may.
    """
    reasons = []
    for layers, path in copies:
        try:
            return path, f"{layers.title}: {judge(path)}"
        except ModelError as error:
            reasons.append(f"with {layers.title}, {error}")
    raise ModelError(f"it is not to run in int8: {'; '.join(reasons)}")


def measure_gain(
    before: Callable[[Any], Any], after: Callable[[Any], Any], items: Sequence[Any]
) -> float:
    """Return how many times as fast as before an item is done; ModelError if that is not faster.

    They take turns, so that what else the processor does costs both the same.
    """
    items = items[:MAX_TIMED_ITEMS]
    for item in items:  # each new shape is prepared once
        before(item)
        after(item)
    seconds = [(_time(before, item), _time(after, item)) for item in items]
    gain = float(np.divide(*np.median(seconds, axis=0)))
    if gain < MIN_GAIN:
        raise ModelError(f"it is {gain:.2f} times as fast as without on this processor")
    return gain


def _time(run: Callable[[Any], Any], item: Any) -> float:
    started = time.perf_counter()
    run(item)
    return time.perf_counter() - started


def quantize(
    model: Path, inputs: Iterable[Inputs], choices: Sequence[Layers], folder: Path
) -> list[Path]:
    """Write a copy of an OpenVINO model for each choice of layers; return their files.

    `folder` is one for the copies, and for the inputs until they are made.
    """
    if find_spec("nncf") is None:
        raise ModelError(
            f"nncf is not installed: install the extra, e.g. {extra_command('int8')}; servers do"
            " not need it"
        )
    files = []
    for number, arrays in enumerate(inputs):
        files.append(folder / f"{number}.npz")
        np.savez(files[-1], *arrays)
    arguments = {
        "model": str(model.resolve()),
        "inputs": [str(file.resolve()) for file in files],
        "choices": [asdict(choice) for choice in choices],
        "folder": str(folder.resolve()),
    }
    made = call_in_process(f"{__name__}:quantize_in_process", arguments)
    for file in files:
        file.unlink()
    return [Path(name) for name in made]


def quantize_in_process(
    model: str, inputs: Sequence[str], choices: Sequence[Mapping[str, Any]], folder: str
) -> list[str]:
    """Do what `quantize` says: all are values of JSON, and each input is a file of arrays."""
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    made = []
    for number, choice in enumerate(choices):
        network = openvino_core().read_model(model)
        quantized = nncf.quantize(
            network,
            nncf.Dataset(list(inputs), _read_arrays),
            subset_size=len(inputs),
            # What flows is seldom as far below zero as above: its range is used whole.
            preset=nncf.QuantizationPreset.MIXED,
            model_type=nncf.ModelType.TRANSFORMER if choice["transformer"] else None,
            ignored_scope=nncf.IgnoredScope(names=_other_layers(network, choice["names"])),
            # A processor without VNNI adds two products in 16 bits. With half of the range of
            # weights they always fit: what agrees here does so on any processor.
            advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
        )
        path = Path(folder) / f"int8-{number}.xml"
        import_openvino().save_model(quantized, path, compress_to_fp16=False)
        made.append(str(path))
    return made


def _read_arrays(name: str) -> list[NDArray[Any]]:
    with np.load(name) as arrays:
        return [arrays[key] for key in arrays.files]


def _other_layers(network: Any, names: Sequence[str]) -> list[str]:
    """Return the names of the layers that are not to be quantised."""
    chosen = set(names)
    return [
        node.get_friendly_name()
        for node in network.get_ordered_ops()
        if node.get_type_name() not in {"Constant", "Parameter", "Result"}
        and node.get_friendly_name() not in chosen
    ]
