"""The process in which NNCF makes a copy of a network in int8."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends._inference.openvino import openvino_core, save_network
from backends._inference.short_process import find_function

# Inputs on which outputs are compared while layers are left out, and to tell which layer comes
# next: each layer is left out once for that, again and again where that was no help.
MAX_COMPARED, MAX_RANKING = 40, 6
# With more layers left out a copy is hardly faster, and the search would take an hour.
MAX_LEFT_OUT = 12
WEIGHTED = frozenset({"Convolution", "GroupConvolution", "MatMul"})


class OutputComparison(Protocol):
    """Says how far apart the outputs of a network and of its copy are."""

    def read(self, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> Any:
        """Return what is compared of the outputs for an item."""

    def distance(self, expected: Sequence[Any], found: Sequence[Any]) -> float:
        """Return 0 where they agree on the items, and otherwise 1 and more the farther they are."""


def quantize(model: str, inputs: Sequence[str], layers: Mapping[str, Any], target: str) -> str:
    """Write the copy that `Quantization.make` asks for; return which layers of it are in int8.

    All are values of JSON, and each input is a file of arrays.
    """
    import nncf
    from nncf.quantization.advanced_parameters import (
        AdvancedAccuracyRestorerParameters,
        AdvancedQuantizationParameters,
        AdvancedSmoothQuantParameters,
        OverflowFix,
    )

    nncf.set_log_level(logging.WARNING)
    network = openvino_core().read_model(model)
    agreement, title = layers["agreement"], str(layers["title"])
    options = {
        "subset_size": len(inputs),
        # What flows is seldom as far below zero as above: its range is used whole.
        "preset": nncf.QuantizationPreset.MIXED,
        "model_type": nncf.ModelType.TRANSFORMER if layers["transformer"] else None,
        "ignored_scope": nncf.IgnoredScope(names=_other_layers(network, layers["names"])),
    }
    # A processor without VNNI adds two products in 16 bits. With half of the range of weights
    # they always fit: what agrees here does so on any processor.
    rounding = AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE)
    ranges = nncf.Dataset(list(inputs), read_arrays)
    if agreement is None:
        copy = nncf.quantize(network, ranges, advanced_parameters=rounding, **options)
    else:
        compared = list(inputs[:MAX_COMPARED])
        comparison = find_function(agreement["factory"])(**agreement["arguments"])
        # A layer that is left out gets its first weights back: those of the network without what
        # SmoothQuant moves into them from the numbers that flow.
        rounding.smooth_quant_alphas = AdvancedSmoothQuantParameters(matmul=-1)
        copy = nncf.quantize_with_accuracy_control(
            network,
            ranges,
            nncf.Dataset(compared),
            Validation(comparison, network, compared),
            max_drop=0.5,  # it is 0 where they agree, and 1 or more where not
            advanced_quantization_parameters=rounding,
            advanced_accuracy_restorer_parameters=AdvancedAccuracyRestorerParameters(
                ranking_subset_size=MAX_RANKING,
                num_ranking_workers=1,
                max_num_iterations=MAX_LEFT_OUT,
            ),
            **options,
        )
        title = f"{_count_int8(copy)} of {title}"
    save_network(copy, Path(target))
    return title


class Validation:
    """Tells NNCF how far a copy is from the network, on the items that it chooses."""

    def __init__(self, comparison: OutputComparison, network: Any, files: Sequence[str]) -> None:
        self._comparison = comparison
        precise = openvino_core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        self._expected = {name: self._read(precise, name) for name in files}

    def __call__(self, compiled: Any, names: Iterable[str]) -> tuple[float, None]:
        """Return a figure that is the higher the nearer the copy is."""
        chosen = list(names)
        found = [self._read(compiled, name) for name in chosen]
        distance = self._comparison.distance([self._expected[name] for name in chosen], found)
        return 1 - distance, None  # NNCF divides by what the network itself gets

    def _read(self, compiled: Any, name: str) -> Any:
        inputs = read_arrays(name)
        outputs = compiled(inputs)
        return self._comparison.read(inputs, [outputs[one] for one in compiled.outputs])


def read_arrays(name: str) -> list[NDArray[Any]]:
    """Return the arrays in a file, in their order."""
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


def _count_int8(network: Any) -> int:
    """Return how many layers have weights in int8."""
    return sum(
        node.get_type_name() in WEIGHTED and _has_int8_weights(node.input_value(1).get_node())
        for node in network.get_ordered_ops()
    )


def _has_int8_weights(node: Any) -> bool:
    while node.get_type_name() != "Constant" and node.get_input_size():
        node = node.input_value(0).get_node()
    is_constant = node.get_type_name() == "Constant"
    return is_constant and bool(node.get_element_type().get_type_name() == "i8")
