"""What is learned for a control tag: examples, how many a question gets, and a wording."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from backends.prompt.learning.example_choice import ExamplePool
from backends.prompt.question import AnsweredTask, TextPart
from shared.errors import ModelError

FILE = "prompt.json"
FORMAT = "prelabel-prompt-1"
# Learned prompts that are kept in memory, each with its examples.
MAX_KEPT = 16


@dataclass(frozen=True)
class LearnedPrompt:
    """The "weights" of a control tag.

    - `count`: how many of the `examples` a question gets; those that are most like its task
    - `wording`: a sentence that is added to the instruction; empty for none
    - `examples`: each with an answer of the control tag alone, under the name `control`
    - `version`: that of the training it comes from, if it was read
    """

    control: str
    count: int
    wording: str
    examples: tuple[AnsweredTask, ...]
    version: str = ""

    def choose(self, content: Sequence[Any], name: str) -> tuple[AnsweredTask, ...]:
        """Return the examples for a task that shows this, the most similar last.

        `name` is that of the control tag in the question's schema.
        """
        texts = [part for part in content if isinstance(part, TextPart)]
        chosen = self._pool.choose(texts, self.count)
        return tuple(AnsweredTask(one.content, {name: one.answer[self.control]}) for one in chosen)

    @cached_property
    def _pool(self) -> ExamplePool:
        return ExamplePool(self.examples, self.control)

    def write(self, folder: Path) -> None:
        """Write it as JSON."""
        examples = [
            {
                "content": [{"name": part.name, "text": part.text} for part in one.content],
                "answer": one.answer[self.control],
            }
            for one in self.examples
        ]
        written = {
            "format": FORMAT,
            "control": self.control,
            "count": self.count,
            "wording": self.wording,
            "examples": examples,
        }
        text = json.dumps(written, ensure_ascii=False, indent=1)
        (folder / FILE).write_text(text, encoding="utf-8")


@lru_cache(MAX_KEPT)
def read_learned(folder: Path, version: str) -> LearnedPrompt:
    """Read what was learned; `version` tells one content of the folder from another.

    ModelError says what is wrong with the file.
    """
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return _parse(found, version)
    except OSError as error:
        raise ModelError(f"{FILE} of {version} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{FILE} of {version} is not what a training writes ({type(error).__name__}): train the"
            " control tag again"
        ) from None


def _parse(found: Mapping[str, Any], version: str) -> LearnedPrompt:
    if found["format"] != FORMAT:
        raise ValueError(found["format"])
    control, count = str(found["control"]), int(found["count"])
    examples = tuple(
        AnsweredTask(
            tuple(TextPart(str(part["name"]), str(part["text"])) for part in one["content"]),
            {control: one["answer"]},
        )
        for one in found["examples"]
    )
    return LearnedPrompt(control, count, str(found["wording"]), examples, version)


def add_wording(instruction: str, wording: str) -> str:
    """Return an instruction with what was learned to be said beside it."""
    return f"{instruction}\n{wording}" if wording else instruction
