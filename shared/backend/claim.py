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
    task_config: LabelConfig | None = None
    known_label_count: int | None = None
    _label_maps: dict[str, LabelMap] = field(default_factory=dict, repr=False)
    _warnings: dict[str, None] = field(default_factory=dict, repr=False)
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
        control, names = self._with_task_labels(control or self.control), tuple(classes)
        found = self._label_maps.get(control.name)
        if found is None or not found.has_all(names):
            with self._lock:
                found = self._grow_map(control, names, aliases)
        return found

    def labels_for(
        self, classes: Iterable[str], control: Control | None = None, aliases: Aliases = NO_ALIASES
    ) -> Mapping[str, str]:
        """Return the label of each class that has one in a control tag.

        UnfillableError if none has: then the model cannot be asked for anything here.
        """
        found = self.label_map(classes, control, aliases)
        if not found.to_label:
            raise UnfillableError(f"{self.spec.label} fills nothing of {found.to_text()}")
        return found.to_label

    def _grow_map(self, control: Control, names: tuple[str, ...], aliases: Aliases) -> LabelMap:
        """Make or extend the map of a control tag; logged where it fills a label anew."""
        before = self._label_maps.get(control.name)
        if before is None:
            found = LabelMap.build(control, names, aliases)
            doubtful = not found.to_label or bool(found.ambiguous)
            self._log_mapping(doubtful, f"fills {found.to_text()}")
        else:
            found = before.extended_by(names, aliases)
            added = [label for label in before.unfilled_labels if label in found.filled_labels]
            if added:
                self._log_mapping(False, f"also fills {control}: {', '.join(added)}")
            for doubt in found.ambiguity_notes()[len(before.ambiguous) :]:
                self._log_mapping(True, f"fills {control}: {doubt}")
        self._label_maps[control.name] = found
        return found

    def _log_mapping(self, doubtful: bool, what: str) -> None:
        """Log once for a label config, and not for every task that brings labels of its own."""
        level = logging.WARNING if doubtful else logging.INFO
        logger.log(logging.DEBUG if self.task_config else level, "%s %s", self.spec.label, what)

    def for_task(self, config: LabelConfig) -> "Claim":
        """Return the claim with the labels of a task: `config` is the label config with them."""
        bound = replace(self, task_config=config, _label_maps={})
        return replace(bound, controls=tuple(map(bound._with_task_labels, self.controls)))

    def _with_task_labels(self, control: Control) -> Control:
        """Return a control tag with the labels of the task, if it is one that a task completes."""
        if self.task_config is None or not control.dynamic:
            return control
        return self.task_config.find_control(control.name, control.to_name) or control

    def warn_once(self, message: str) -> None:
        """Say why the model leaves something of the claim empty: logged the first time."""
        with self._lock:
            known = message in self._warnings
            self._warnings[message] = None
        if not known:
            logger.warning("%s: %s", self.spec.label, message)

    def label_maps(self) -> list[LabelMap]:
        """The mapping of each control tag that was asked for so far."""
        return list(self._label_maps.values())

    def mapping_report(self) -> list[str]:
        """The mappings made so far, and what was noted."""
        of_tasks = [
            f"{control}: the labels are those of each task"
            for control in self.controls
            if control.dynamic
        ]
        return [*of_tasks, *(found.to_text() for found in self.label_maps()), *list(self._warnings)]
