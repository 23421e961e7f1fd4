"""Answers on whole tasks. `measure` stands for a function of the object tag's own."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.backend.base import Backend, Context
from shared.backend.choices import select_choices
from shared.backend.claim import Claim
from shared.errors import ValueTypeError
from shared.label_studio.encoded_text import read_text
from shared.label_studio.label_config import Control
from shared.label_studio.task import Task
from shared.media.image import Image
from shared.results import Region, whole_task


def measure(item: Any) -> float:
    """What a new backend's own function does."""
    raise NotImplementedError


class Classifier:
    """A stand-in: put your model in its place."""

    def predict(self, items: list[Any]) -> list[dict[str, float]]:
        """The score of each class, for each item."""
        parts = [measure(item) for item in items]
        return [{"Low": 1 - part, "High": part} for part in parts]


class Chosen(Backend):
    """For Choices and Taxonomy."""

    def options(self, control: Control) -> Mapping[str, Any]:
        return {"score_threshold": control.number("model_score_threshold", 0.5, 0.0, 1.0)}

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        found = select_choices(output, claim, one=True)
        if found is not None:
            yield whole_task(claim.control, found.answer, found.score)


class Measure:
    """A stand-in: put your model in its place."""

    def predict(self, items: list[Any]) -> list[float]:
        """A number from 0 to 1 for each item."""
        return [measure(item) for item in items]


class Rated(Backend):
    """For Rating."""

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        most = claim.control.number("maxRating", 5, 1, 100)
        yield whole_task(claim.control, 1 + round(output * (most - 1)))


class Counted(Backend):
    """For Number."""

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        low = claim.control.number("min", 0, -1e9, 1e9)
        high = claim.control.number("max", low + 100, low, 1e9)
        yield whole_task(claim.control, round(low + output * (high - low), 2))


class Calendar:
    """A stand-in: put your model in its place."""

    def predict(self, items: list[Any]) -> list[datetime]:
        """A day of the year 2024 for each item."""
        return [datetime(2024, 1, 1) + timedelta(round(measure(item) * 365)) for item in items]


class Writer:
    """A stand-in: put your model in its place."""

    def predict(self, items: list[Any]) -> list[str]:
        """A text for each item."""
        return [f"It is {measure(item):.0%} of what it could be" for item in items]


class Said(Backend):
    """For DateTime and TextArea."""

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        yield whole_task(claim.control, output)


class Judge:
    """A stand-in: put your model in its place."""

    def predict(self, pairs: list[list[Any]]) -> list[str]:
        """Which of two is better, "left" or "right"."""
        return ["left" if measure(one) > measure(other) else "right" for one, other in pairs]


class Compared(Backend):
    """For Pairwise, whose `toName` names both sides."""

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        yield whole_task(claim.control, output)


class Texts(Backend):
    """For Pairwise on Text."""

    def read(self, task: Task, claim: Claim, context: Context | None) -> list[str]:
        names = (name.strip() for name in claim.control.attrs["toName"].split(","))
        sides = [self.config.objects[name] for name in names]
        return [read_text(task, side, self.media) for side in sides]


class Images(Backend):
    """For Pairwise on Image."""

    def read(self, task: Task, claim: Claim, context: Context | None) -> list[Image]:
        names = (name.strip() for name in claim.control.attrs["toName"].split(","))
        sides = [self.config.objects[name] for name in names]
        return [self.media.image(task.text_value(side), task.id) for side in sides]


def length(text: str) -> float:
    """How long a text is, from 0 to 1."""
    return min(1.0, len(text) / 1000)


class Sorter:
    """A stand-in: it puts what has the shorter title first. Put yours in its place."""

    def predict(self, lists: list[list[dict[str, Any]]]) -> list[list[str]]:
        """The ids of each list, the best first."""
        return [
            [str(item.get("id")) for item in sorted(items, key=title_length)] for items in lists
        ]


def title_length(item: dict[str, Any]) -> int:
    """How long the title of an item is."""
    return len(str(item.get("title", "")))


class Ranked(Backend):
    """For Ranker."""

    def read(self, task: Task, claim: Claim, context: Context | None) -> list[dict[str, Any]]:
        found = task.value(claim.object)
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise ValueTypeError(f"{claim.object.shown} should be a list of objects")
        return found
