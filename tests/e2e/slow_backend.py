"""A backend that takes its time, and an environment in which it is installed."""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from shared.backend import Backend, Claim, ModelSpec
from shared.backend.discovery import ENTRY_POINTS
from shared.results import Region, TextSpan, region

REPO = Path(__file__).parents[2]
CONFIG = """<View><Labels name="label" toName="text"><Label value="Word"/></Labels>
  <Text name="text" value="$text"/></View>"""


class SlowBackend(Backend):
    """Marks a whole text, SLOW_SECONDS after it was asked; SLOW_LOG tells which it was asked."""

    name = "slow"
    fills = frozenset({("Labels", "Text")})

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 4

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        time.sleep(float(os.environ["SLOW_SECONDS"]) * len(items))
        with Path(os.environ["SLOW_LOG"]).open("a") as log:
            log.write("".join(f"{item}\n" for item in items))
        return items

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        span = TextSpan(0, len(output))
        yield region(span, {claim.control: ["Word"]}, source=output, score=0.5)


def install(folder: Path, seconds: float) -> dict[str, str]:
    """Install the backend into a folder; return the variables of a process that has it."""
    package = folder / "slow-1.0.dist-info"
    package.mkdir(exist_ok=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    entry = f"[{ENTRY_POINTS}]\nslow = {__name__}:SlowBackend\n"
    (package / "entry_points.txt").write_text(entry)
    return {
        "PYTHONPATH": f"{folder}:{REPO}",
        "SLOW_SECONDS": str(seconds),
        "SLOW_LOG": str(folder / "asked.txt"),
    }


def asked(folder: Path) -> list[str]:
    """Return the texts that the model was asked about, as often as it was."""
    log = folder / "asked.txt"
    return log.read_text().splitlines() if log.exists() else []
