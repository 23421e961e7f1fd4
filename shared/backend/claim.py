"""What a backend fills in a label config, and with which model."""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shared.backend.label_map import NO_ALIASES, Aliases, LabelMap
from shared.errors import UnfillableError
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelSpec:
    """One loadable model. Items of equal specs share its batches, whatever project they are of.

    `model` is a name or path as the user gave it; `options` whatever else changes the model's
    run (image size, zero-shot prompt), as sorted pairs.
    """

    backend: str
    model: str
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """Its short name in versions, logs and metrics."""
        name = self.model.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
        return f"{self.backend}-{name}" if name and name != self.backend else self.backend


@dataclass(frozen=True, eq=False)
class Claim:
    """The control tags, on one object tag, that a backend fills together.

    `options` are the settings that shape the regions but not the model's run, such as a score
    threshold. `labels_known` says how many of its labels the backend can give, where it is sure
    of that before its model is loaded: a claim that does not know all of them is left to another
    backend whose model knows more. Without it the claim is not contested.
    One that is `of_task` has the labels of one task, where a task brings labels.
    """

    controls: tuple[Control, ...]
    object: ObjectTag
    spec: ModelSpec
    options: Mapping[str, Any] = field(default_factory=dict)
    of_task: LabelConfig | None = None
    labels_known: int | None = None
    _maps: dict[str, LabelMap] = field(default_factory=dict, repr=False)
    _notes: dict[str, None] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def control(self) -> Control:
        """The first control tag: the one that draws."""
        return self.controls[0]

    def label_map(
        self, classes: Iterable[str], control: Control | None = None, aliases: Aliases = NO_ALIASES
    ) -> LabelMap:
        """Return how the model's classes map to the labels of a control tag, be it none.

        There is one map for each control tag. It holds at least these classes: those of earlier
        calls stay in it, since a model may answer other classes each time, such as its top 5.
        """
        control, names = self._complete(control or self.control), tuple(classes)
        found = self._maps.get(control.name)
        if found is None or not found.covers(names):
            with self._lock:
                found = self._grown(control, names, aliases)
        return found

    def labels_for(
        self, classes: Iterable[str], control: Control | None = None, aliases: Aliases = NO_ALIASES
    ) -> Mapping[str, str]:
        """Return the label of each class that has one in a control tag.

        UnfillableError if none has: then the model cannot be asked for anything here.
        """
        found = self.label_map(classes, control, aliases)
        if not found.to_label:
            raise UnfillableError(f"{self.spec.label} fills nothing of {found.report()}")
        return found.to_label

    def _grown(self, control: Control, names: tuple[str, ...], aliases: Aliases) -> LabelMap:
        """Make or extend the map of a control tag; logged where it fills a label anew."""
        before = self._maps.get(control.name)
        if before is None:
            found = LabelMap.build(control, names, aliases)
            doubtful = not found.to_label or bool(found.ambiguous)
            self._log(doubtful, f"fills {found.report()}")
        else:
            found = before.grown(names, aliases)
            added = [label for label in before.unfilled_labels if label in found.filled]
            if added:
                self._log(False, f"also fills {control}: {', '.join(added)}")
            for doubt in found.doubts()[len(before.ambiguous) :]:
                self._log(True, f"fills {control}: {doubt}")
        self._maps[control.name] = found
        return found

    def _log(self, doubtful: bool, what: str) -> None:
        """Log once for a label config, and not for every task that brings labels of its own."""
        level = logging.WARNING if doubtful else logging.INFO
        logger.log(logging.DEBUG if self.of_task else level, "%s %s", self.spec.label, what)

    def for_task(self, config: LabelConfig) -> "Claim":
        """Return the claim with the labels of a task: `config` is the label config with them."""
        bound = replace(self, of_task=config, _maps={})
        return replace(bound, controls=tuple(map(bound._complete, self.controls)))

    def _complete(self, control: Control) -> Control:
        """Return a control tag with the labels of the task, if it is one that a task completes."""
        if self.of_task is None or not control.dynamic:
            return control
        return self.of_task.control(control.name, control.to_name) or control

    def warn_once(self, message: str) -> None:
        """Say why the model leaves something of the claim empty: logged the first time."""
        with self._lock:
            known = message in self._notes
            self._notes[message] = None
        if not known:
            logger.warning("%s: %s", self.spec.label, message)

    def label_maps(self) -> list[LabelMap]:
        """The mapping of each control tag that was asked for so far."""
        return list(self._maps.values())

    def mapping_report(self) -> list[str]:
        """The mappings made so far, and what was noted."""
        of_tasks = [
            f"{control}: the labels are those of each task"
            for control in self.controls
            if control.dynamic
        ]
        return [*of_tasks, *(found.report() for found in self.label_maps()), *list(self._notes)]
