"""What a training was done with, for the version's `settings.json` and the model card."""

import json
from pathlib import Path
from typing import Any

from backends._transformers.hub import STARTER, TrainingBase
from shared.backend.training import TrainingRun
from shared.errors import short_path

TRAINER_FILE = "trainer.json"


def write_trainer_settings(run: TrainingRun, base: TrainingBase, **settings: Any) -> None:
    """Write the settings beside the weights; of a base on the hub the card tells the name."""
    written = {"library": "transformers", **settings}
    is_folder = base.name == STARTER or Path(base.name).expanduser().is_dir()
    if not is_folder and base.name.count("/") <= 1:
        written["base_model"] = base.name
    else:
        written["encoder"] = short_path(base.name)
    (run.output / TRAINER_FILE).write_text(json.dumps(written), encoding="utf-8")
