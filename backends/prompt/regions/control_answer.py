"""What a model said of one control tag, and what is known beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backends.prompt.question import Answer
from backends.prompt.visibility import Visibility
from shared.backend import Claim, Control, LabelConfig


@dataclass(frozen=True)
class ControlAnswer:
    """A control tag's part of an answer.

    - `value`: as the schema has it
    - `pointer`: where it stands in the answer's values, as a JSON pointer
    - `per_region`: the control tags that describe its regions, if it draws
    - `config`: the label config, with the labels of the task
    - `visibility`: what the editor shows beside the answer's choices for the whole task
    """

    control: Control
    value: Any
    pointer: str
    answer: Answer
    claim: Claim
    config: LabelConfig
    per_region: Sequence[Control] = ()
    visibility: Visibility = field(default_factory=lambda: Visibility({}))

    @property
    def source(self) -> Any:
        """What its regions lie on, as `read_content` left it; None if it says nothing."""
        return self.answer.question.sources.get(self.control.to_name)

    @property
    def scores(self) -> Mapping[str, float]:
        """The scores of the answer, by JSON pointer."""
        return self.answer.scores

    def score(self, *path: str | int) -> float | None:
        """Return the score of the value, or of what is inside of it on a path."""
        return self.scores.get("/".join((self.pointer, *map(str, path))))
