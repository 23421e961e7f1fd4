"""A YOLO11n of published size that knows drawn shapes, for benchmarks.

Whether a network may run in fewer bits depends on what it has learned: the objects of an untrained
one are as likely as not, and each rounding decides. The starter is a trained YOLO11 of half that
width. With each of its channels twice, and half the weight for each, the wider network finds what
the starter finds, and costs what published weights cost.
"""

from pathlib import Path
from typing import Any

import numpy as np

from backends.detection.starter.shapes import CLASSES
from backends.detection.starter.train import REG_MAX, WEIGHTS

FILE = "yolo11n-shapes.pt"
SIZE = (640, 480)
# As COCO has, so that the head is as wide as that of published weights.
MAX_CLASSES = 80
# The bias of what the starter does not know: other classes, and longer distances of edges.
NEVER = -12.0


def save_trained_yolo(folder: Path) -> Path:
    """Save the weights of such a network in `folder`."""
    from ultralytics import YOLO

    made = YOLO("yolo11n.yaml")
    others = [f"other {number}" for number in range(MAX_CLASSES - len(CLASSES))]
    made.model.names = dict(enumerate([*CLASSES, *others]))
    grow(YOLO(WEIGHTS).model.float().state_dict(), made.model)
    made.model.eval()
    made.ckpt = {"train_args": {"imgsz": SIZE[0]}}
    made.save(folder / FILE)
    return folder / FILE


def grow(narrow: dict[str, Any], model: Any) -> None:
    """Give a network of twice the width weights with which it finds the same."""
    wide = model.state_dict()
    for name, value in wide.items():
        if ".dfl." in name or not value.ndim:  # numbers of bins, and of batches
            continue
        given, grown = narrow[name], value.new_zeros(value.shape)
        rows = _channels(name, "out", len(value), len(given))
        if value.ndim == 1:
            if name.endswith("2.bias") and "bn" not in name:  # of the head's last convolutions
                grown += NEVER
            if name.endswith("running_var"):
                grown += 1
            grown[rows >= 0] = given[rows[rows >= 0]]
        else:
            columns = _channels(name, "in", value.shape[1], given.shape[1])
            copies = np.bincount(columns[columns >= 0])[0]  # a sum over as many equal channels
            known = np.ix_(rows >= 0, columns >= 0)
            grown[known] = given[np.ix_(rows[rows >= 0], columns[columns >= 0])] / copies
        value.copy_(grown)
    model.load_state_dict(wide)


def _channels(name: str, side: str, wide: int, narrow: int) -> Any:
    """Return the narrow network's channel that each of the wide one's repeats; -1 is none."""
    numbers = np.arange(wide)
    if wide == narrow:  # pixels, or one channel of a convolution for each
        return numbers
    if side == "out" and name.startswith("model.23.cv2") and ".2." in name[13:]:
        bin_of, edge = numbers % (wide // 4), numbers // (wide // 4)
        return np.where(bin_of < REG_MAX, edge * REG_MAX + bin_of, -1)
    if side == "out" and name.startswith("model.23.cv3") and narrow == len(CLASSES):
        return np.where(numbers < narrow, numbers, -1)
    # A head of attention is repeated whole.
    is_whole = ".attn.proj." in name if side == "in" else ".attn.qkv" in name or ".attn.pe" in name
    return numbers % narrow if is_whole else np.where(numbers < 2 * narrow, numbers // 2, -1)
