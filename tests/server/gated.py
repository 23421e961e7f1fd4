"""A backend that waits for files in the folder GATES, and logs what it does there."""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from shared.backend.base import Backend, Context
from shared.backend.claim import Claim, ModelSpec
from shared.label_studio.task import Task
from shared.results import Region, TextSpan, region

GATES = Path(os.environ["GATES"])


class GatedBackend(Backend):
    """Labels the first word. `hold:NAME …` waits for a file NAME, `fail: …` fails."""

    name = "gated"
    fills = frozenset({("Labels", "Text")})
    interactive = True

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 1

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return (Path(__file__),)

    def load(self, spec: ModelSpec) -> Any:
        log_event("loaded", str(os.getpid()))
        wait_for_gate("load")

    def read(self, task: Task, claim: Claim, context: Context | None) -> Any:
        text = task.text_value(claim.object)
        log_event("read", text)
        return text

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        for text in items:
            log_event("began", text)
            if text.startswith("hold:"):
                wait_for_gate(text.split(" ")[0].removeprefix("hold:"))
            if text.startswith("fail:"):
                raise RuntimeError("as asked")
            log_event("ran", text)
        return items

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        span = TextSpan(0, len(output.split(" ")[0]))
        yield region(span, {claim.control: ["Word"]}, source=output, score=0.5)


def log_event(kind: str, text: str) -> None:
    with (GATES / f"{kind}.log").open("a") as file:
        file.write(f"{text}\n")


def wait_for_gate(name: str) -> None:
    while not (GATES / name).exists():
        time.sleep(0.005)
