"""The process in which NNCF makes a copy of a network in int8."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends._inference.openvino import openvino_core, save_network


def quantize(model: str, inputs: Sequence[str], layers: Mapping[str, Any], target: str) -> None:
    """Write the copy that `Quantization.make` asks for.

    All are values of JSON, and each input is a file of arrays.
    """
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    nncf.set_log_level(logging.WARNING)
    network = openvino_core().read_model(model)
    copy = nncf.quantize(
        network,
        nncf.Dataset(list(inputs), _read_arrays),
        subset_size=len(inputs),
        # What flows is seldom as far below zero as above: its range is used whole.
        preset=nncf.QuantizationPreset.MIXED,
        model_type=nncf.ModelType.TRANSFORMER if layers["transformer"] else None,
        ignored_scope=nncf.IgnoredScope(names=_other_layers(network, layers["names"])),
        # A processor without VNNI adds two products in 16 bits. With half of the range of weights
        # they always fit: what agrees here does so on any processor.
        advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
    )
    save_network(copy, Path(target))


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
