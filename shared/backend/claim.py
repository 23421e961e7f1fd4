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
    """A model that can be loaded. Items with equal specs share batches across projects.

    `model` is a name or path as the user gave it; `options` are what else changes how it runs
    (image size, zero-shot prompt), as sorted pairs: see `spec_options`.

    `trained_version` is set for a project's own weights, and by `Backend.trained_spec` alone:
    `model` is then their folder below TRAIN_DIR, and may be loaded as it is.
    """

    backend: str
    model: str
    options: tuple[tuple[str, Any], ...] = ()
    trained_version: str = ""

    @property
    def label(self) -> str:
        """The short name in versions, logs and metrics."""
        if self.trained_version:
            return f"{self.backend}-{self.trained_version}"
        name = self.model.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
        return f"{self.backend}-{name}" if name and name != self.backend else self.backend


@dataclass(frozen=True, eq=False)
class Claim:
    """The control tags, on one object tag, that a backend fills together.

    `options` are settings that change the regions but not how the model runs, such as a score
    threshold. `known_label_count` is the number of labels that the backend can give, if it knows
    that before its model is loaded: a claim that lacks some is left to another backend whose model
    knows more. Without it the claim is not contested. `task_config` is the label config with the
    labels of one task, where a task brings labels.
    """

    controls: tuple[Control, ...]
    object: ObjectTag
    spec: ModelSpec
    options: Mapping[str, Any] = field(default_factory=dict)
    task_config: LabelConfig | None = None
    interactive_only: bool = False
    """Whether it answers only what a user draws: other backends fill its control tags in bulk."""
    is_requested: bool = False
    """Whether an attribute of its control tag asks for it: it comes before those of others."""
    prompted_by: tuple[Control, ...] = ()
    """The control tags whose regions its model is shown: see `Backend.read_prompted`. One that the
    label config lacks, or has otherwise, is offered to other backends and fills nothing itself."""
    is_intermediate: bool = False
    """Whether its regions are shown to the models of other claims, and are no part of an answer."""
    known_label_count: int | None = None
    _label_maps: dict[str, LabelMap] = field(default_factory=dict, repr=False)
    _warnings: dict[str, None] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def control(self) -> Control:
        """The first control tag, which draws the region."""
        return self.controls[0]

    def label_map(
        self, classes: Iterable[str], control: Control | None = None, aliases: Aliases = NO_ALIASES
    ) -> LabelMap:
        """Return how the model's classes map to the labels of a control tag.

        There is one map for each control tag. Classes of earlier calls stay in it, because a model
        may answer other classes each time, such as its top 5.
        """
        control, names = self._with_task_labels(control or self.control), tuple(classes)
        found = self._label_maps.get(control.name)
        if found is None or not found.known_classes.issuperset(names):
            with self._lock:
                found = self._grow_map(control, names, aliases)
        return found

    def labels_for(
        self, classes: Iterable[str], control: Control | None = None, aliases: Aliases = NO_ALIASES
    ) -> Mapping[str, str]:
        """Return the label of each class that has one in a control tag.

        Raises UnfillableError if no class has one: the model can predict nothing here.
        """
        found = self.label_map(classes, control, aliases)
        if not found.to_label:
            raise UnfillableError(f"{self.spec.label} fills nothing of {found.to_text()}")
        return found.to_label

    def _grow_map(self, control: Control, names: tuple[str, ...], aliases: Aliases) -> LabelMap:
        """Create or extend the map of a control tag, and log what it fills for the first time."""
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
        """Log for a label config, but only at DEBUG for each task that brings labels of its own."""
        level = logging.WARNING if doubtful else logging.INFO
        logger.log(logging.DEBUG if self.task_config else level, "%s %s", self.spec.label, what)

    def for_task(self, config: LabelConfig) -> "Claim":
        """Return the claim with the labels of a task: `config` is the label config with them."""
        bound = replace(self, task_config=config, _label_maps={})
        return replace(bound, controls=tuple(map(bound._with_task_labels, self.controls)))

    def _with_task_labels(self, control: Control) -> Control:
        """Return a control tag with the labels of the task, if tasks bring its labels."""
        if self.task_config is None or not control.dynamic:
            return control
        found = self.task_config.find_control(control.name, control.to_name) or control
        if found.tag == control.tag:
            return found
        return replace(found, tag=control.tag, attrs=control.attrs)  # it stands in for another tag

    def warn_once(self, message: str) -> None:
        """Log why part of the claim stays empty, the first time that it happens."""
        with self._lock:
            known = message in self._warnings
            self._warnings[message] = None
        if not known:
            logger.warning("%s: %s", self.spec.label, message)

    def label_maps(self) -> list[LabelMap]:
        """Return the mappings made so far, one of each control tag."""
        return list(self._label_maps.values())

    def mapping_report(self) -> list[str]:
        """Return the mappings made so far and the warnings, a line each, for /status."""
        of_tasks = [
            f"{control}: the labels are those of each task"
            for control in self.controls
            if control.dynamic
        ]
        return [*of_tasks, *(found.to_text() for found in self.label_maps()), *list(self._warnings)]
