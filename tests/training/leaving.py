"""Small trainings whose leavings are written: a dataset's manifest, and figures of the gate."""

from pathlib import Path
from typing import Any

from shared.evaluation.dataset.manifest import Manifest, ManifestEntry
from shared.label_studio.label_config import LabelConfig
from shared.training.leavings import Leavings

CONFIG = """<View><Image name="image" value="$photo"/><RectangleLabels name="shape" toName="image">
<Label value="Star"/><Label value="Half|moon"/><Label value="Cross"/></RectangleLabels></View>"""
COUNTS = {"Star": {"train": 40, "val": 5, "test": 25}, "Half|moon": {"train": 2, "test": 1}}
CANDIDATE = {
    "tag": "RectangleLabels",
    "tasks": 10,
    "regions": {"truth": 26, "predicted": 25},
    "precision": 0.96,
    "recall": 0.92,
    "f1": 0.94,
    "ap50": 0.9125,
    "interval": {"f1": [0.88, 0.99]},
    "labels": {
        "Star": {"regions": {"truth": 25, "predicted": 25}, "f1": 0.96},
        "Half|moon": {"regions": {"truth": 1, "predicted": 0}, "recall": 0.0},
    },
}
GATE = {
    "candidate": CANDIDATE,
    "serving": CANDIDATE | {"f1": 0.5, "interval": {"f1": [0.3, 0.7]}},
    "serving_version": "v1-00000000",
    "is_better": True,
    "gain": 0.4,
    "gain_interval": [0.25, 0.5],
    "reason": "F1 0.94; it could not predict everything: http://storage.example/9.png (task 911)",
}
EPOCHS = [{"epoch": n, "epochs": 3, "loss": 3.0 / n, "map50": 0.3 * n} for n in (1, 2, 3)]


def write_manifest(path: Path, labels: Any = None, config: str = CONFIG) -> Path:
    """Write the manifest of twelve tasks."""
    entries = [
        ManifestEntry(900 + n, bytes([n]) * 16, "train" if n < 10 else "test") for n in range(12)
    ]
    known = {"shape": COUNTS} if labels is None else labels
    Manifest({"annotations": "latest"}, config, entries, known, {"no annotation": 3}).write(path)
    return path


def make_leavings(folder: Path, **changes: Any) -> Leavings:
    """Return what a training of the control tag `shape` left."""
    config = LabelConfig.parse(changes.pop("config", CONFIG))
    control = config.controls[0]
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "job.log"
    log.write_text("epoch 1\nhttp://storage.example/secret.png\n")
    target = config.object_of(control)
    assert target is not None
    known: dict[str, Any] = {
        "control": control,
        "target": target,
        "backend": "detection",
        "labels": ("Star", "Half|moon"),
        "snapshot": "1a2b3c4d5e6f",
        "manifest": write_manifest(folder / "made-manifest.json"),
        "epochs": EPOCHS,
        "gate": GATE,
        "settings": {"seed": 7, "device": "cpu", "data": "/srv/secret/data.yaml"},
        "seconds": 12.345,
        "log": log,
    }
    return Leavings(**(known | changes))
