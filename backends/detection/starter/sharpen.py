"""Trains the starter for pixel-exact boxes: `python -m backends.detection.starter.sharpen`.

Detectors are trained for IoU, which hardly changes by three pixels at the edge of a large shape.
Here the loss is the distance of each edge in pixels, on pictures of the size that the network
sees, prepared as they are at inference.
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
# The learning rate, and the fraction of it that is left at the end.
LEARNING_RATE, FINAL_RATE_FRACTION = 1e-3, 0.02
# Distance of an edge, in pixels, up to which its loss is quadratic; linear beyond (Huber loss).
HUBER_DELTA_PIXELS = 0.5
# Weight of a pixel of distance, beside the losses of Ultralytics.
PIXEL_WEIGHT = 1.0
# Decay of the moving average of the weights, which is what is written in the end.
EMA_DECAY = 0.995
# Fraction of the batches that are drawn in the clean style.
CLEAN_FRACTION = 0.6


def batches(seed: int, count: int, overlap: float) -> Iterator[dict[str, Any]]:
    """Yield batches of pictures of one size, each from its own seed."""
    for number in range(count):
        rng = np.random.default_rng([seed, 3, number])
        long = int(rng.integers(240, 481))
        short = round(long / rng.choice([1.0, 4 / 3, 1.5, 16 / 9]))
        size = (long, short) if rng.random() < 0.6 else (short, long)
        style: Style = "clean" if rng.random() < CLEAN_FRACTION else "rough"
        drawn = [
            draw_picture(rng, size, style, int(rng.integers(3, MAX_SHAPES + 1)), overlap)
            for _ in range(BATCH)
        ]
        yield _batch(drawn, ImageSize(*size))


def _batch(drawn: Sequence[Picture], size: ImageSize) -> dict[str, Any]:
    """Build a batch for Ultralytics' loss: boxes as centre and size, fractions of the input."""
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
    """Return Ultralytics' loss of boxes plus the distance of their edges in pixels."""
    import torch
    from ultralytics.utils.loss import BboxLoss

    class PixelLoss(BboxLoss):
        def forward(self, dist: Any, found: Any, points: Any, truth: Any, *rest: Any) -> Any:
            scores, total, inside, _, stride = rest
            iou, dfl = super().forward(dist, found, points, truth, *rest)
            steps = stride.expand(len(found), -1, -1)[inside]
            distance = ((found[inside] - truth[inside]) * steps).abs()
            delta = HUBER_DELTA_PIXELS
            quadratic, linear = distance.square() / (2 * delta), distance - delta / 2
            pixels = torch.where(distance < delta, quadratic, linear)
            weight = scores[inside].sum(-1, keepdim=True)
            pixel_loss = (pixels.mean(-1, keepdim=True) * weight).sum() / total
            return iou + PIXEL_WEIGHT * pixel_loss, dfl

    return PixelLoss(reg_max)


def sharpen(weights: Path, count: int, seed: int, overlap: float) -> Any:
    """Train on `count` batches and return the checkpoint to be written."""
    import torch

    checkpoint = torch.load(weights, map_location="cpu", weights_only=False)
    model = checkpoint["model"].float()
    model.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)
    model.requires_grad_(True).train().to(memory_format=torch.channels_last)
    loss = model.init_criterion()
    loss.bbox_loss = _pixel_loss(model.model[-1].reg_max)
    average = deepcopy(model).eval()
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    started, recent_loss = time.monotonic(), 0.0
    for number, batch in enumerate(batches(seed, count, overlap), 1):
        cosine = (1 + math.cos(math.pi * number / count)) / 2
        rate = LEARNING_RATE * (FINAL_RATE_FRACTION + (1 - FINAL_RATE_FRACTION) * cosine)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, number / 50)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = model(batch["img"].contiguous(memory_format=torch.channels_last))
        total, _ = loss({name: _to_float(value) for name, value in outputs.items()}, batch)
        optimizer.zero_grad()
        total.sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        _update_average(average, model, min(EMA_DECAY, number / (number + 10)))
        recent_loss = 0.98 * recent_loss + 0.02 * float(total.detach().sum()) / BATCH
        if number % 50 == 0:
            seconds = time.monotonic() - started
            print(f"{number} of {count}: loss {recent_loss:.3f}, {seconds:.0f} s", flush=True)
    checkpoint["model"] = average.half().requires_grad_(False)
    return without_traces(checkpoint)


def without_traces(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint without the folders and the commit of the machine that trained it."""
    settings = {
        name: value
        for name, value in checkpoint["train_args"].items()
        if not (isinstance(value, str) and "/" in value)
    }
    model = checkpoint["model"]
    model.args = dict(settings)
    model.yaml["yaml_file"] = Path(model.yaml["yaml_file"]).name
    rest = {name: value for name, value in checkpoint.items() if name not in {"git", "train_args"}}
    return {**rest, "train_args": settings}


def _to_float(value: Any) -> Any:
    """Return a tensor or a list of tensors in the precision that the loss needs."""
    return value.float() if hasattr(value, "float") else [part.float() for part in value]


def _update_average(average: Any, model: Any, decay: float) -> None:
    """Move the average towards the weights, buffers included."""
    weights = model.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.mul_(decay).add_(weights[name].detach(), alpha=1 - decay)
        else:
            value.copy_(weights[name])


def main(argv: Sequence[str] | None = None) -> None:
    """Read the weights, train them, and write them."""
    import torch

    parser = argparse.ArgumentParser(description="Train the starter for pixel-exact boxes.")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--batches", type=int, default=600)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--overlap", type=float, default=MAX_OVERLAP)
    args = parser.parse_args(argv)
    torch.save(sharpen(args.weights, args.batches, args.seed, args.overlap), args.out)


if __name__ == "__main__":
    main()
