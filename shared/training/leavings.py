"""What a training leaves in a version's folder, beside the weights."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import orjson

from shared.errors import PrelabelError, SettingError, short_path
from shared.evaluation.dataset.manifest import Manifest
from shared.label_studio.label_config import Control, ObjectTag
from shared.training.loaded_libraries import loaded_libraries
from shared.training.model_card import CARD_FILE, CardFacts, render_card
from shared.training.pictures import draw_pictures
from shared.training.version_store import WEIGHTS_FOLDER

MANIFEST_FILE, METRICS_FILE, SETTINGS_FILE, LOG_FILE = (
    "manifest.json",
    "metrics.json",
    "settings.json",
    "log.txt",
)
# Where a trainer may write its own settings, a JSON object, into its output.
TRAINER_FILE = "trainer.json"


@dataclass(frozen=True)
class Leavings:
    """What is known of a training of one control tag.

    - `control`, `target`: the control tag, and the object tag that it is on
    - `backend`: the name of the one that trained
    - `labels`: those that were learned
    - `snapshot`: the hash of what it was trained on
    - `manifest`: the `manifest.json` of the dataset
    - `epochs`: what the trainer reported, in order: `epoch` from 1, `loss`, and its other metrics
    - `gate`: the figures on the held-out tasks, as `version.json` has them under `figures`:
      `candidate` and `serving` as a control tag's part of `Evaluation.report()` (`serving` lacks
      if nothing served), `serving_version`, `is_better` and `reason`, one sentence
    - `confusion`: how often each label was predicted for each true one on the held-out tasks, by
      true and predicted label: see `ConfusionCounter`
    - `settings`: what the trainer was told, such as `seed`, `device`, `threads`, `base`
    - `seconds`: how long the training took
    - `log`: the job's log
    """

    control: Control
    target: ObjectTag
    backend: str
    labels: Sequence[str]
    snapshot: str
    manifest: Path
    epochs: Sequence[Mapping[str, float]] = ()
    gate: Mapping[str, Any] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    log: Path | None = None
    created: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds")
    )


def write_leavings(folder: Path, leavings: Leavings) -> list[str]:
    """Write all files of a version, whose weights are in `folder/weights` already.

    Returns what could not be written, such as pictures without matplotlib, in one sentence each:
    a training is not lost for them. OSError if the disk is full.
    """
    shutil.copyfile(leavings.manifest, folder / MANIFEST_FILE)
    if leavings.log is not None:
        shutil.copyfile(leavings.log, folder / LOG_FILE)
    confusion = leavings.confusion or leavings.gate.get("candidate", {}).get("confusion", {})
    metrics = {"epochs": leavings.epochs, "gate": leavings.gate, "confusion": confusion}
    _write_json(folder / METRICS_FILE, metrics)
    own = _read_trainer_settings(folder / WEIGHTS_FOLDER / TRAINER_FILE)
    settings = without_folders({**leavings.settings, **own})
    settings |= {"seconds": round(leavings.seconds, 1), "libraries": loaded_libraries()}
    _write_json(folder / SETTINGS_FILE, settings)
    lacking = []
    try:
        pictures = draw_pictures(folder, leavings.epochs, confusion)
    except SettingError as error:  # matplotlib is not installed
        pictures = []
        lacking.append(f"the pictures of the training are left out: {error}")
    facts = CardFacts(
        leavings.control,
        leavings.target,
        leavings.backend,
        leavings.labels,
        leavings.snapshot,
        Manifest.read(leavings.manifest),
        leavings.gate,
        settings,
        leavings.created,
        pictures,
        len(leavings.epochs),
    )
    (folder / CARD_FILE).write_text(render_card(facts), encoding="utf-8")
    return lacking


def _read_trainer_settings(file: Path) -> Mapping[str, Any]:
    """Return what a trainer wrote of its own settings beside its weights, and remove the file.

    They stand in `settings.json` under `trainer`; but `library` and `base_model`, which
    Hugging Face knows, too, stand beside it.
    """
    if not file.is_file():
        return {}
    written = orjson.loads(file.read_bytes())
    file.unlink()
    known = {key: written.pop(key) for key in ("library", "base_model") if key in written}
    return known | {"trainer": written}


def without_folders(value: Any) -> Any:
    """Return settings with only the last part of each absolute path: folders are nobody's."""
    if isinstance(value, Mapping):
        return {str(key): without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(inner) for inner in value]
    return short_path(str(value)) if isinstance(value, str | Path) else value


def read_metrics(folder: Path) -> Mapping[str, Any]:
    """Return a version's `metrics.json`; PrelabelError if there is none."""
    try:
        found: Mapping[str, Any] = orjson.loads((folder / METRICS_FILE).read_bytes())
    except (OSError, ValueError):
        raise PrelabelError(f"{short_path(str(folder))} has no readable {METRICS_FILE}") from None
    return found


def _write_json(file: Path, content: Any) -> None:
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    file.write_bytes(orjson.dumps(content, option=options, default=str))
