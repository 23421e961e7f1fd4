"""What the editor sends for clicks, boxes and strokes, in the form of Label Studio 1.23."""

from typing import Any

import numpy as np

from shared.results import rle

# The size of the pictures of these tests.
WIDTH, HEIGHT = 100, 80

CONFIG = """<View><Image name="i" value="$image"/>
<KeyPointLabels name="k" toName="i" smart="true"><Label value="Cat"/><Label value="Dog"/>
</KeyPointLabels>
<RectangleLabels name="r" toName="i" smart="true"><Label value="Cat"/><Label value="Dog"/>
</RectangleLabels>
<BrushLabels name="b" toName="i" smart="true"><Label value="Cat"/><Label value="Dog"/></BrushLabels>
</View>"""


def click(
    x: float, y: float, label: str | None = "Cat", positive: bool = True, **keys: Any
) -> dict[str, Any]:
    """A smart key point at a place in pixels."""
    value = {"x": x / WIDTH * 100, "y": y / HEIGHT * 100, "width": 0.5}
    return _result("keypointlabels", "k", value, label, {"is_positive": positive, **keys})


def box(
    left: float, top: float, right: float, bottom: float, label: str = "Cat", **keys: Any
) -> dict[str, Any]:
    """A smart rectangle by its edges in pixels."""
    value = {
        "x": left / WIDTH * 100,
        "y": top / HEIGHT * 100,
        "width": (right - left) / WIDTH * 100,
        "height": (bottom - top) / HEIGHT * 100,
        "rotation": keys.pop("rotation", 0),
    }
    return _result("rectanglelabels", "r", value, label, keys)


def stroke(left: int, top: int, right: int, bottom: int, label: str = "Cat") -> dict[str, Any]:
    """A smart brush stroke: painted from one corner to the other."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top:bottom, left:right] = 1
    return _result("brushlabels", "b", {"format": "rle", "rle": rle.encode(mask)}, label, {})


def context(*results: dict[str, Any]) -> dict[str, Any]:
    """The context of a request, with ids in the order of drawing."""
    return {"result": [{"id": f"drawn{n}", **one} for n, one in enumerate(results)]}


def _result(
    kind: str, name: str, value: dict[str, Any], label: str | None, keys: dict[str, Any]
) -> dict[str, Any]:
    labels = {} if label is None else {kind: [label], "labels": [label]}
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    head = {"from_name": name, "to_name": "i", "type": kind, "origin": "manual"}
    return {**head, **size, "value": {**value, **labels}, **keys}
