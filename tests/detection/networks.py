"""Small untrained networks of every kind that Ultralytics defines, the same on each call.

What they find means nothing, but is plenty: Ultralytics' own results are what our regions must
be equal to.
"""

import json
from pathlib import Path
from typing import Any

WIDTH = 0.125
"""Part of the channels; the smallest published networks have 0.25."""
SIZE = 160
CLASSES = ("circle", "Square", "car")


def network(name: str, folder: Path) -> Path:
    """Weights of an Ultralytics description such as `yolo11n-seg`, as a file in `folder`."""
    import torch
    from ultralytics import RTDETR, YOLO
    from ultralytics.nn.tasks import yaml_model_load

    description = yaml_model_load(f"{name}.yaml")
    for key in ("yaml_file", "scale"):
        description.pop(key, None)
    if not name.startswith("rtdetr"):
        description["scales"] = {"n": [0.33, WIDTH, 512]}
    description["nc"] = len(CLASSES)
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(description))
    torch.manual_seed(0)
    made = (RTDETR if name.startswith("rtdetr") else YOLO)(path)
    made.model.names = dict(enumerate(CLASSES))
    _spread(made.model)
    made.ckpt = {"train_args": {"imgsz": SIZE}}
    made.save(folder / f"{name}.pt")
    return folder / f"{name}.pt"


def _spread(model: Any) -> None:
    """Scores from 0 to 1, where an untrained network has one score for everything."""
    import torch

    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # else the signal fades from layer to layer
            module.weight.data.fill_(2.0)
            noise = torch.randn(module.bias.shape, generator=generator)
            module.bias.data.copy_(noise * 0.5)
    for name, module in model.named_modules():
        last = name.split(".")[-3:-1] if "cv3" in name else []
        if isinstance(module, torch.nn.Conv2d) and last and module.out_channels == len(CLASSES):
            module.weight.data *= 3
            module.bias.data.fill_(-1.0)
