"""What a backend fills in a label config, and with which model."""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.label_config import Control, ObjectTag
from shared.label_map import NO_ALIASES, Aliases, LabelMap

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
    threshold.
    """

    controls: tuple[Control, ...]
    object: ObjectTag
    spec: ModelSpec
    options: Mapping[str, Any] = field(default_factory=dict)
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
        """Return how the model's classes map to the labels of a control tag.

        There is one map for each control tag. It holds at least these classes: those of earlier
        calls stay in it, since a model may answer other classes each time, such as its top 5.
        """
        control, names = control or self.control, tuple(classes)
        found = self._maps.get(control.name)
        if found is None or not found.covers(names):
            with self._lock:
                found = self._grown(control, names, aliases)
        return found

    def _grown(self, control: Control, names: tuple[str, ...], aliases: Aliases) -> LabelMap:
        """Make or extend the map of a control tag; logged where it fills a label anew."""
        before = self._maps.get(control.name)
        if before is None:
            found = LabelMap.build(control, names, aliases)
            log = logger.info if found.to_label and not found.ambiguous else logger.warning
            log("%s fills %s", self.spec.label, found.report())
        else:
            found = before.grown(names, aliases)
            added = [label for label in before.unfilled_labels if label in found.filled]
            if added:
                logger.info("%s also fills %s: %s", self.spec.label, control, ", ".join(added))
            for doubt in found.doubts()[len(before.ambiguous) :]:
                logger.warning("%s fills %s: %s", self.spec.label, control, doubt)
        self._maps[control.name] = found
        return found

    def note(self, message: str) -> None:
        """Say why the model leaves something of the claim empty: logged the first time."""
        with self._lock:
            known = message in self._notes
            self._notes[message] = None
        if not known:
            logger.warning("%s: %s", self.spec.label, message)

    def maps(self) -> list[LabelMap]:
        """The mapping of each control tag that was asked for so far."""
        return list(self._maps.values())

    def reports(self) -> list[str]:
        """The mappings made so far, and what was noted."""
        return [*(found.report() for found in self.maps()), *list(self._notes)]
