"""A small network that has learned masks within seconds: the starter with a mask head."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from backends.detection.starter.shapes import CLASSES, outline
from backends.detection.starter.train import REG_MAX, WEIGHTS, WIDTH

# Width and height of the pictures.
SIZE = (256, 192)
KINDS = CLASSES[:3]
PICTURES, STEPS, RATE = 4, 40, 1e-2
COLOURS = ((200, 40, 40), (40, 70, 200), (30, 130, 60))


def draw_picture(number: int) -> tuple[Any, list[tuple[str, Any]]]:
    """Return RGB pixels, and the class and mask (0 and 1) of each of three shapes."""
    rng = np.random.default_rng([8, number])
    pixels = np.full((SIZE[1], SIZE[0], 3), rng.integers(215, 245), np.uint8)
    found = []
    for kind, column in enumerate(rng.permutation(3)):
        centre = [45 + 83 * int(column), int(rng.integers(55, SIZE[1] - 55))]
        turn = rng.uniform(0, np.pi)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        corners = outline(KINDS[kind]) @ rotation * rng.uniform(24, 38) + centre
        mask = np.zeros(pixels.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
        pixels[mask > 0] = COLOURS[kind]
        found.append((KINDS[kind], mask))
    return pixels, found


def _make_batch() -> dict[str, Any]:
    """Return a batch for Ultralytics' segmentation loss: masks at a quarter of the size."""
    import torch

    images, owners, classes, boxes, maps = [], [], [], [], []
    for place in range(PICTURES):
        pixels, shapes = draw_picture(place)
        images.append(pixels)
        small = np.zeros((SIZE[1] // 4, SIZE[0] // 4), np.float32)
        for index, (kind, mask) in enumerate(shapes, 1):
            x, y, width, height = cv2.boundingRect(mask)
            boxes.append([x + width / 2, y + height / 2, width, height])
            owners.append(place)
            classes.append([CLASSES.index(kind)])
            scaled = cv2.resize(mask * 255, small.shape[::-1], interpolation=cv2.INTER_AREA)
            small[scaled > 127] = index
        maps.append(small)
    return {
        "img": torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255,
        "batch_idx": torch.tensor(owners).float(),
        "cls": torch.tensor(classes).float(),
        "bboxes": torch.tensor(boxes) / torch.tensor([*SIZE, *SIZE]),
        "masks": torch.from_numpy(np.stack(maps)),
    }


def save_network(name: str, folder: Path) -> Path:
    """Save weights of `yolo11n-seg`: the starter's boxes, with masks that are learned here."""
    import torch
    from ultralytics import YOLO
    from ultralytics.nn.tasks import yaml_model_load

    description = yaml_model_load(f"{name}.yaml")
    for key in ("yaml_file", "scale"):
        description.pop(key, None)
    description |= {"scales": {"n": [0.5, WIDTH, 1024]}, "nc": len(CLASSES), "reg_max": REG_MAX}
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(description))
    torch.manual_seed(0)
    made = YOLO(path)
    known = YOLO(WEIGHTS).model.float().state_dict()
    missing = made.model.load_state_dict(known, strict=False).missing_keys
    made.model.names = dict(enumerate(CLASSES))
    _train_masks(made.model, missing)
    made.ckpt = {"train_args": {"imgsz": SIZE[0]}}
    made.save(folder / f"{name}.pt")
    return folder / f"{name}.pt"


def _train_masks(model: Any, names: list[str]) -> None:
    """Train only what the starter lacks: the prototypes of masks and their coefficients."""
    import torch

    parts = {name.rpartition(".")[0] for name in names}
    model.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5, overlap_mask=True, epochs=1)
    model.train()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d) and name not in parts:
            module.eval()
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in names)
    learned = [weight for weight in model.parameters() if weight.requires_grad]
    loss, batch = model.init_criterion(), _make_batch()
    optimizer = torch.optim.AdamW(learned, lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    for _ in range(STEPS):
        total, _ = loss(model(batch["img"]), batch)
        optimizer.zero_grad()
        total.sum().backward()
        optimizer.step()
        schedule.step()
    model.eval()
