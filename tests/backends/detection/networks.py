"""Small untrained networks of every kind that Ultralytics defines, the same on each call.

Their detections mean nothing, but there are plenty: our regions must equal Ultralytics' own
results.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.media.image import Image

# Fraction of the channels; the smallest published networks have 0.25.
WIDTH = 0.125
SIZE = 160
# Gives most anchors of an untrained network of full size scores as low as in a trained one.
SHARPENING_FACTOR = 300.0
CLASSES = ("circle", "Square", "car")


def save_network(name: str, folder: Path) -> Path:
    """Save the weights of an Ultralytics description such as `yolo11n-seg` in `folder`."""
    import torch
    from ultralytics import RTDETR, YOLO
    from ultralytics.nn.tasks import yaml_model_load

    description = yaml_model_load(f"{name}.yaml")
    for key in ("yaml_file", "scale"):
        description.pop(key, None)
    if name.startswith("rtdetr"):
        _narrow(description)
    else:
        description["scales"] = {"n": [0.33, WIDTH, 512]}
    description["nc"] = len(CLASSES)
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(description))
    torch.manual_seed(0)
    made = (RTDETR if name.startswith("rtdetr") else YOLO)(path)
    made.model.names = dict(enumerate(CLASSES))
    spread_scores(made.model)
    _scale_class_scores(made.model, 3.0, -1.0)
    made.ckpt = {"train_args": {"imgsz": SIZE}}
    made.save(folder / f"{name}.pt")
    return folder / f"{name}.pt"


def _narrow(description: dict[str, Any]) -> None:
    """Give the description of an RT-DETR, whose scale changes no width, fewer channels and blocks.

    Its backbone alone is of 20 million weights otherwise.
    """
    for _, _, module, arguments in (*description["backbone"], *description["head"]):
        if module in {"HGStem", "HGBlock"}:
            arguments[:2] = [max(8, int(width * WIDTH)) for width in arguments[:2]]
        elif module in {"Conv", "DWConv", "RepC3", "AIFI"}:
            arguments[0] = max(8, int(arguments[0] * WIDTH))
        elif module == "RTDETRDecoder":
            # its own width, queries, points and heads of attention, layers, and inner width
            arguments += [int(256 * WIDTH), 300, 4, 8, 2, int(1024 * WIDTH)]
    description["scales"] = {"l": [0.33, 1.0, 1024]}


def save_full_size_network(
    name: str, folder: Path, images: Sequence[Image], objects: int = 10
) -> Path:
    """Save weights of a published size (`yolo11n`) with all its classes.

    They detect about `objects` objects on each of these images.
    """
    import torch
    from ultralytics import YOLO

    torch.manual_seed(0)
    made = YOLO(f"{name}.yaml")
    spread_scores(made.model)
    _scale_class_scores(made.model, 1.0, 0.0)
    made.model.half().float().eval()  # as it is saved
    pixels = torch.from_numpy(np.stack([image.pixels for image in images])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        scores = made.model(pixels.float() / 255)[0][:, 4:].amax(dim=1)
    enough = scores.double().logit().sort(dim=1).values[:, -3 * objects].median()
    _scale_class_scores(
        made.model, SHARPENING_FACTOR, math.log(1 / 3) - SHARPENING_FACTOR * float(enough)
    )  # a score of 0.25
    made.ckpt = {"train_args": {"imgsz": 640}}
    made.save(folder / f"{name}.pt")
    return folder / f"{name}.pt"


def spread_scores(model: Any) -> None:
    """Let scores vary from 0 to 1: an untrained network has the same for everything."""
    import torch

    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(
            module, torch.nn.BatchNorm2d
        ):  # otherwise the signal fades from layer to layer
            module.weight.data.fill_(2.0)
            noise = torch.randn(module.bias.shape, generator=generator)
            module.bias.data.copy_(noise * 0.5)


def _scale_class_scores(model: Any, factor: float, bias: float) -> None:
    """Scale the last convolutions, which give the class scores."""
    for branch in getattr(model.model[-1], "cv3", ()):
        branch[-1].weight.data *= factor
        branch[-1].bias.data.fill_(bias)
