"""What a project's annotators have drawn, as examples for a model of what to find elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.errors import ConfigError
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task import Task
from shared.results import ParsedRegion

# The attribute of a control tag that asks for them, and its value.
ATTRIBUTE, ANNOTATED = "model_examples", "annotated"
# Annotated tasks that are examples: the last ones of a project or a file.
MAX_TASKS = 16


@dataclass(frozen=True)
class AnnotatedRegions:
    """A task, and the regions that its annotation has."""

    task: Task
    regions: tuple[ParsedRegion, ...]

    def of_control(self, control: Control) -> Iterable[ParsedRegion]:
        """Yield the regions that have a result of a control tag."""
        for region in self.regions:
            if any(one.name == control.name for one in region.values):
                yield region


@dataclass(frozen=True)
class AnnotatedExamples:
    """The examples of a project: equal ones have the same `digest`.

    `notes` say in a sentence each what is left out, or why there are none.
    """

    digest: str
    tasks: tuple[AnnotatedRegions, ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def none(cls, reason: str) -> "AnnotatedExamples":
        """Return no examples, and why there are none."""
        return cls(f"none: {reason}", notes=(reason,))


def asks_for_examples(control: Control) -> bool:
    """Return whether a control tag asks for examples; ConfigError if it asks for other ones."""
    asked = control.attrs.get(ATTRIBUTE, "").strip()
    if asked not in {"", ANNOTATED}:
        raise ConfigError(
            f'{control}: invalid {ATTRIBUTE}="{asked}"; expected "{ANNOTATED}", for what the'
            " project's annotators have drawn with this tag",
            control.name,
        )
    return bool(asked)


def find_asking(config: LabelConfig) -> list[Control]:
    """Return the control tags that ask for the examples of annotators."""
    return [one for one in config.controls if one.attrs.get(ATTRIBUTE, "").strip() == ANNOTATED]
