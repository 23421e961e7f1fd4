"""Brings the starter's boxes to the pixel: `python -m backends.detection.starter.sharpen`.

IoU, for which a detector is trained, says little of three pixels at the edge of a large shape.
Here the distance of each edge in pixels is what is learned, on pictures of the size that the
network sees, prepared as they are when it is used.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from backends.detection.model.letterbox import Letterbox
from backends.detection.starter.shapes import (
    CLASSES,
    MAX_OVERLAP,
    MAX_SHAPES,
    Picture,
    Style,
    draw_picture,
)
from backends.detection.starter.train import WEIGHTS
from shared.results import ImageSize

SIDE, STRIDE, BATCH = 320, 32, 12
# The learning rate, and which part of it is left at the end.
RATE, LAST = 1e-3, 0.02
# Pixels within which an edge counts by its square.
NEAR = 0.5
# What a pixel at an edge weighs, beside the losses of Ultralytics.
PIXELS = 1.0
# Of the mean of all weights so far, which is what is written in the end.
KEPT = 0.995
# Part of the batches drawn in the clean style.
CLEAN = 0.6


def batches(seed: int, count: int, overlap: float) -> Iterator[dict[str, Any]]:
    """What the network learns from: pictures of one size at a time, each batch by its own seed."""
    for number in range(count):
        rng = np.random.default_rng([seed, 3, number])
        long = int(rng.integers(240, 481))
        short = round(long / rng.choice([1.0, 4 / 3, 1.5, 16 / 9]))
        size = (long, short) if rng.random() < 0.6 else (short, long)
        style: Style = "clean" if rng.random() < CLEAN else "rough"
        drawn = [
            draw_picture(rng, size, style, int(rng.integers(3, MAX_SHAPES + 1)), overlap)
            for _ in range(BATCH)
        ]
        yield _batch(drawn, ImageSize(*size))


def _batch(drawn: Sequence[Picture], size: ImageSize) -> dict[str, Any]:
    """As Ultralytics' loss takes it: boxes as centre and size, in parts of the network's input."""
    import torch

    frame = Letterbox.fit_longer_side(size, SIDE, STRIDE)
    gains = np.array([frame.scaled_width / size.width, frame.scaled_height / size.height] * 2)
    corner = np.array([frame.left, frame.top] * 2)
    whole = np.array([frame.width, frame.height] * 2)
    xyxy = np.concatenate([picture.boxes * gains + corner for picture in drawn]) / whole
    boxes = np.hstack([(xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2]])
    images = np.stack([frame.apply(picture.image) for picture in drawn])
    names = [name for picture in drawn for name in picture.names]
    owners = [number for number, picture in enumerate(drawn) for _ in picture.names]
    return {
        "img": torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255,
        "cls": torch.tensor([[float(CLASSES.index(name))] for name in names]),
        "bboxes": torch.from_numpy(boxes).float(),
        "batch_idx": torch.tensor(owners).float(),
    }


def _pixel_loss(reg_max: int) -> Any:
    """Ultralytics' loss of boxes, and the distance of their edges in pixels."""
    import torch
    from ultralytics.utils.loss import BboxLoss

    class PixelLoss(BboxLoss):
        def forward(self, dist: Any, found: Any, points: Any, truth: Any, *rest: Any) -> Any:
            scores, total, inside, _, stride = rest
            iou, dfl = super().forward(dist, found, points, truth, *rest)
            steps = stride.expand(len(found), -1, -1)[inside]
            apart = ((found[inside] - truth[inside]) * steps).abs()
            near = torch.where(apart < NEAR, apart.square() / (2 * NEAR), apart - NEAR / 2)
            weight = scores[inside].sum(-1, keepdim=True)
            return iou + PIXELS * (near.mean(-1, keepdim=True) * weight).sum() / total, dfl

    return PixelLoss(reg_max)


def sharpen(weights: Path, count: int, seed: int, overlap: float) -> Any:
    """The checkpoint to be written, after `count` batches."""
    import torch

    checkpoint = torch.load(weights, map_location="cpu", weights_only=False)
    model = checkpoint["model"].float()
    model.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)
    model.requires_grad_(True).train().to(memory_format=torch.channels_last)
    loss = model.init_criterion()
    loss.bbox_loss = _pixel_loss(model.model[-1].reg_max)
    mean = deepcopy(model).eval()
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-4)
    started, lately = time.monotonic(), 0.0
    for number, batch in enumerate(batches(seed, count, overlap), 1):
        way = (1 + math.cos(math.pi * number / count)) / 2
        for group in optimizer.param_groups:
            group["lr"] = RATE * (LAST + (1 - LAST) * way) * min(1.0, number / 50)
        with torch.autocast("cpu", torch.bfloat16):
            found = model(batch["img"].contiguous(memory_format=torch.channels_last))
        total, _ = loss({name: _floats(value) for name, value in found.items()}, batch)
        optimizer.zero_grad()
        total.sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        _follow(mean, model, min(KEPT, number / (number + 10)))
        lately = 0.98 * lately + 0.02 * float(total.detach().sum()) / BATCH
        if number % 50 == 0:
            seconds = time.monotonic() - started
            print(f"{number} of {count}: loss {lately:.3f}, {seconds:.0f} s", flush=True)
    mean.args = dict(checkpoint["train_args"])
    checkpoint["model"] = mean.half().requires_grad_(False)
    return checkpoint


def _floats(value: Any) -> Any:
    """A tensor or a list of them, in the precision that the loss needs."""
    return value.float() if hasattr(value, "float") else [part.float() for part in value]


def _follow(mean: Any, model: Any, kept: float) -> None:
    """A step of the mean towards the weights, buffers included."""
    others = model.state_dict()
    for name, value in mean.state_dict().items():
        if value.is_floating_point():
            value.mul_(kept).add_(others[name].detach(), alpha=1 - kept)
        else:
            value.copy_(others[name])


def main(argv: Sequence[str] | None = None) -> None:
    """Reads the weights, sharpens and writes them."""
    import torch

    parser = argparse.ArgumentParser(description="Bring the starter's boxes to the pixel.")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--batches", type=int, default=600)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--overlap", type=float, default=MAX_OVERLAP)
    args = parser.parse_args(argv)
    torch.save(sharpen(args.weights, args.batches, args.seed, args.overlap), args.out)


if __name__ == "__main__":
    main()
