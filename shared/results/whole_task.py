"""Answers about the whole task: choices, ratings, texts. They have no place on the media."""

from dataclasses import dataclass
from typing import Any

from shared.label_config import Control
from shared.results.region import Region, region


@dataclass(frozen=True)
class WholeTask:
    """The shape of what is said of the whole task: none."""

    def value(self, on: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Nothing but the control's own answer."""
        return {}, {}


def whole_task(control: Control, answer: Any, score: float | None = None, **envelope: Any) -> Region:
    """Build the answer of a control tag on the whole task.

    `answer` is a list of labels for Choices, of texts for TextArea, a number for Rating and
    Number, and so on.
    """
    return region(WholeTask(), {control: answer}, score=score, **envelope)
