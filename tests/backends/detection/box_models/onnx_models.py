"""A small network with the outputs of MMDetection's, exported to ONNX, as MMDeploy lays it out."""

import json
from pathlib import Path
from typing import Any

CLASSES = ("circle", "square", "triangle")
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
# Longest and shortest side of the input, and what it is filled up to.
SIZE, DIVISOR = [160, 96], 32
TRANSFORMS = [
    {"type": "LoadImageFromFile"},
    {"type": "Resize", "keep_ratio": True, "size": SIZE},
    {"type": "Normalize", "mean": MEAN, "std": STD, "to_rgb": True},
    {"type": "Pad", "size_divisor": DIVISOR},
    {"type": "DefaultFormatBundle"},
    {"type": "Collect", "keys": ["img"]},
]


def save_onnx(folder: Path, outputs: tuple[str, ...] = ("dets", "labels")) -> Path:
    """Save a network whose boxes, scores and labels depend on what is in each cell of an image."""
    import torch

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)

    class Cells(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.seen = torch.nn.Conv2d(3, 16, 32, stride=32)
            self.head = torch.nn.Conv2d(16, 4 + len(CLASSES), 1)

        def forward(self, images: Any) -> Any:
            cells = self.head(torch.tanh(self.seen(images) * 8) * 3).flatten(2)[0].T
            center = torch.sigmoid(cells[:, :2]) * 90
            boxes = torch.cat([center - 12, center + 6 + cells[:, 2:4].abs() * 4], dim=1)
            scores, labels = torch.sigmoid(cells[:, 4:]).max(dim=1)
            if outputs[0] == "dets":
                return torch.cat([boxes, scores[:, None]], dim=1)[None], labels[None]
            return (boxes, scores, labels)[: len(outputs)]

    torch.onnx.export(
        Cells().eval(),
        (torch.zeros(1, 3, 96, 160),),
        folder / "end2end.onnx",
        input_names=["input"],
        output_names=list(outputs),
        dynamic_axes={"input": {2: "height", 3: "width"}},
        dynamo=False,  # the other exporter needs one more package
    )
    tasks = [{"type": "Task", "name": "Preprocess", "transforms": TRANSFORMS}, {"name": "net"}]
    (folder / "pipeline.json").write_text(json.dumps({"pipeline": {"tasks": tasks}}))
    (folder / "config.json").write_text(json.dumps({"classes": CLASSES}))
    return folder
