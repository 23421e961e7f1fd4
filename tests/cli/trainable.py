"""Backends that another process finds, as those of an installed package."""

import time
from pathlib import Path

from shared.backend.training import TrainingRun
from tests.training.words import WordsBackend

ENTRY_POINTS = """[prelabel.backends]
words = tests.training.words:WordsBackend
slow_words = tests.cli.trainable:SlowWordsBackend
"""


class SlowWordsBackend(WordsBackend):
    """Takes twenty seconds for its first epochs, unless it is cancelled."""

    name = "slow_words"

    def train(self, run: TrainingRun) -> None:
        for epoch in range(1, 101):
            run.report(epoch, 200, loss=1.0)
            time.sleep(0.2)
        super().train(run)


def install(folder: Path) -> Path:
    """Write the metadata of a package with these entry points; the folder for PYTHONPATH."""
    info = folder / "site" / "trainable-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trainable\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return info.parent
