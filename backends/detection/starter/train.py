"""Trains the starter model from scratch: `python -m backends.detection.starter.train`.

Needs neither network access nor a GPU. Ultralytics keeps its settings in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from backends.detection.starter.shapes import CLASSES, MAX_SHAPES, Picture, draw_picture

WEIGHTS = Path(__file__).with_name("shapes.pt")
# Fraction of YOLO11's full channel numbers; YOLO11n has 0.25. Drawn shapes need no more.
WIDTH = 0.125
# Bins of the distance of a box edge; YOLO11 has 16. 8 cover 224 pixels at the coarsest stride.
REG_MAX = 8
# Fraction of the pictures that are drawn in the clean style.
CLEAN = 0.3
# The second part of a picture's seed, after the run's own: no two splits share a picture.
SPLITS = {"train": 0, "val": 1}


def picture_of(seed: int, split: str, index: int) -> Picture:
    """Draw picture number `index` of a split, the same on each call."""
    rng = np.random.default_rng([seed, SPLITS[split], index])
    count = int(rng.integers(4, MAX_SHAPES + 1)) if split == "train" else None  # more to learn from
    return draw_picture(rng, style="clean" if rng.random() < CLEAN else "rough", count=count)


def write_split(folder: Path, split: str, count: int, seed: int, suffix: str = ".jpg") -> None:
    """Write `count` pictures and their labels for YOLO: class x y w h, as fractions."""
    images, labels = folder / "images" / split, folder / "labels" / split
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    sharp = [cv2.IMWRITE_JPEG_QUALITY, 95]
    sharp += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    for index in range(count):
        picture = picture_of(seed, split, index)
        target = images / f"{index:05}{suffix}"
        bgr = cv2.cvtColor(picture.image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(target), bgr, sharp if suffix == ".jpg" else [])
        (labels / f"{index:05}.txt").write_text(_label_lines(picture), encoding="utf-8")


def write_data_yaml(folder: Path) -> Path:
    """Write Ultralytics' description of the data set in `folder`."""
    path = folder / "data.yaml"
    splits = {split: f"images/{split}" for split in ("train", "val")}
    description = {"path": str(folder), **splits, "names": CLASSES}
    path.write_text(json.dumps(description))  # JSON is YAML
    return path


def _label_lines(picture: Picture) -> str:
    height, width = picture.image.shape[:2]
    lines = []
    for name, (x1, y1, x2, y2) in zip(picture.names, picture.boxes, strict=True):
        parts = (
            (x1 + x2) / 2 / width,
            (y1 + y2) / 2 / height,
            (x2 - x1) / width,
            (y2 - y1) / height,
        )
        lines.append(f"{CLASSES.index(name)} " + " ".join(f"{part:.6f}" for part in parts))
    return "\n".join(lines)


def _set_up_ultralytics(folder: Path) -> None:
    """Keep its settings in `folder` and forbid downloads; call it before its first import."""
    os.environ["YOLO_CONFIG_DIR"] = str(folder)
    os.environ["YOLO_OFFLINE"] = "true"
    config = folder / "Ultralytics"
    config.mkdir(parents=True)
    (config / "Arial.ttf").touch()  # only plots read it, and none are made


def _write_model_yaml(folder: Path) -> Path:
    """Write YOLO11's own description, but narrower; the file's name selects the scale "n"."""
    from ultralytics.nn.tasks import yaml_model_load

    description = yaml_model_load("yolo11n.yaml")
    for key in ("scale", "yaml_file"):
        description.pop(key, None)
    description["scales"] = {"n": [0.5, WIDTH, 1024]}
    description["reg_max"] = REG_MAX
    path = folder / "yolo11n.yaml"
    path.write_text(json.dumps(description))
    return path


def train(folder: Path, epochs: int, imgsz: int, seed: int) -> Path:
    """Train on the data set in `folder` and return the path of the stripped weights."""
    from ultralytics import YOLO

    model = YOLO(str(_write_model_yaml(folder)), task="detect")
    model.train(
        data=str(write_data_yaml(folder)),
        epochs=epochs,
        imgsz=imgsz,
        seed=seed,
        device="cpu",
        batch=8,
        nbs=8,
        workers=1,
        val=False,
        amp=False,
        plots=False,
        pretrained=False,
        project=str(folder),
        name="run",
        optimizer="AdamW",
        lr0=0.002,
        lrf=0.01,
        cos_lr=True,
        warmup_epochs=0.2,
        warmup_bias_lr=0.0,
        # The drawings vary enough; mosaics and scaling would only blur the edges.
        mosaic=0.0,
        close_mosaic=0,
        scale=0.0,
        translate=0.0,
        flipud=0.5,
        hsv_h=0.5,
        hsv_s=0.2,
        hsv_v=0.2,
    )
    return folder / "run" / "weights" / "last.pt"


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the pictures, train, and write the weights."""
    parser = argparse.ArgumentParser(description="Train the starter model on drawn shapes.")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, default=4000, help="number of training pictures")
    parser.add_argument("--imgsz", type=int, default=320, help="longer side in pixels")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="shapes-") as name:
        folder = Path(name)
        _set_up_ultralytics(folder)
        write_split(folder, "train", args.images, args.seed)
        write_split(folder, "val", 200, args.seed)
        trained = train(folder, args.epochs, args.imgsz, args.seed)
        args.out.write_bytes(trained.read_bytes())
    minutes = (time.monotonic() - started) / 60
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {minutes:.1f} minutes")


if __name__ == "__main__":
    main()
