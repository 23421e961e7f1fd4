"""What the readers of single object tags share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backends.prompt.content.limits import ContentLimits
from backends.prompt.question import ContentPart
from shared.backend import Control, LabelConfig, MediaReader, ObjectTag, Task, UnfillableError
from shared.errors import MissingKeyError

# What is read of a task, in words.
MODALITY_NAMES: Mapping[str, str] = {"text": "text", "image": "pictures", "audio": "sound"}


@dataclass(frozen=True)
class Reading:
    """A task that is being read: for which control tags, by what, and how much of it."""

    task: Task
    controls: Sequence[Control]
    config: LabelConfig
    media: MediaReader
    limits: ContentLimits

    def require(self, modality: str, target: ObjectTag) -> None:
        """Raise UnfillableError if the model does not take what an object tag shows."""
        if modality not in self.limits.modalities:
            raise UnfillableError(
                f"{target} shows {MODALITY_NAMES[modality]}, which the model does not take by"
                f" PROMPT_MODALITIES={','.join(sorted(self.limits.modalities))}: set a model that"
                " does"
            )


@dataclass(frozen=True)
class ObjectContent:
    """What one object tag shows: its parts for the model, and what its regions lie on.

    `omitted` is a sentence for each part of it that was left out.
    """

    parts: tuple[ContentPart, ...]
    source: Any = None
    omitted: tuple[str, ...] = ()


def empty_value(target: ObjectTag) -> MissingKeyError:
    """Return the error of a list without items."""
    return MissingKeyError(
        f"{target.shown_value} is empty in the task's data: {target} needs it", cause="empty_value"
    )
