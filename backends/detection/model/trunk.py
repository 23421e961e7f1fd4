"""Where a converted network's trunk ends and its head begins."""

import re
from typing import Any

import numpy as np

from backends.detection.model.letterbox import Floats

# The number of the stage in a layer's name: Ultralytics' networks are lists of stages, of which the
# last is the head.
STAGE = re.compile(r"network\.model\.(\d+)\.")
CONVOLUTIONS = frozenset({"Convolution", "GroupConvolution"})
# Layers that compute each number by itself. Their names are of no use: all stages share one module
# of the activation, which has the name of the last one.
ELEMENTWISE = frozenset(
    {"Swish", "Relu", "Sigmoid", "HSwish", "Gelu", "Multiply", "Convert", "FakeQuantize"}
)


def head_inputs(model: Any) -> list[Any]:
    """Return the feature maps that the head of an OpenVINO model gets, in their order.

    They are what its first convolutions read; none if the layers' names tell no stages.
    """
    layers = [
        (node, stage) for node in model.get_ordered_ops() if (stage := _stage_of(node)) is not None
    ]
    head = max((stage for _, stage in layers), default=0)
    found: dict[tuple[str, int], Any] = {}
    for node, stage in layers:
        if stage == head and node.get_type_name() in CONVOLUTIONS:
            source = node.input_value(0)
            if _comes_from_trunk(source, head):
                found[source.get_node().get_name(), source.get_index()] = source
    return list(found.values())


def pool_cells(maps: Floats, grid: int) -> Floats:
    """Return the means of feature maps (n, channels, height, width) in grid × grid cells.

    Of shape (n, channels × grid²). Cells overlap where a map cannot be divided evenly.
    """
    count, _, height, width = maps.shape
    cells = [
        maps[:, :, top:bottom, left:right].mean(axis=(2, 3))
        for top, bottom in _cell_bounds(height, grid)
        for left, right in _cell_bounds(width, grid)
    ]
    return np.asarray(np.stack(cells, axis=2).reshape(count, -1), np.float32)


def _cell_bounds(length: int, grid: int) -> list[tuple[int, int]]:
    return [(i * length // grid, -(-(i + 1) * length // grid)) for i in range(grid)]


def _comes_from_trunk(output: Any, head: int) -> bool:
    node = output.get_node()
    while node.get_type_name() in ELEMENTWISE:
        node = node.input_value(0).get_node()
    stage = _stage_of(node)
    return stage is not None and stage < head


def _stage_of(node: Any) -> int | None:
    found = STAGE.search(node.get_friendly_name() + ".")
    return int(found[1]) if found else None
