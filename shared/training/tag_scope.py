"""The part of a label config, and of its annotations, that one training is about."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from shared.backend.claim import Claim
from shared.evaluation.annotated_task import AnnotatedTask, Annotation, labels_of
from shared.evaluation.truth import counted_annotations, latest_annotation
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag
from shared.results import ParsedRegion

# Stands for the label of a control tag that has none, such as a Rating.
ANY_VALUE = ""


@dataclass(frozen=True)
class TagScope:
    """The control tags of a claim on its object tag, of a whole label config.

    `companions` are further control tags that the claim is learned from, with all of their labels;
    `objects` are further object tags whose content it is learned from.
    """

    config: LabelConfig
    claim: Claim
    companions: tuple[Control, ...] = ()
    objects: tuple[ObjectTag, ...] = ()

    @cached_property
    def own_config(self) -> LabelConfig:
        """The label config with nothing else in it."""
        return self._with_controls(self.claim.controls)

    @cached_property
    def label_control(self) -> Control | None:
        """The control tag whose labels are learned; None where there are only values."""
        return next((one for one in self.claim.controls if one.has_labels), None)

    def learning_config(self, labels: Sequence[str]) -> LabelConfig:
        """Return the label config with the labels to learn alone, and with the companions."""
        control = self.label_control
        if control is None:
            return self._with_controls([*self.claim.controls, *self.companions])
        kept = replace(
            control,
            labels={name: attrs for name, attrs in control.labels.items() if name in labels},
            paths={
                path: attrs for path, attrs in control.paths.items() if "/".join(path) in labels
            },
        )
        own = [kept if c is control else c for c in self.claim.controls]
        return self._with_controls([*own, *self.companions])

    def _with_controls(self, controls: Iterable[Control]) -> LabelConfig:
        shown = {one.name: one for one in (self.claim.object, *self.objects)}
        return replace(self.config, controls=tuple(controls), objects=shown, relation_labels=())

    def count_labels(self, tasks: Iterable[AnnotatedTask]) -> "Counter[str]":
        """Return in how many tasks each label is given; ANY_VALUE where there are no labels."""
        counts: Counter[str] = Counter()
        for task in tasks:
            counts.update(self.labels_in(task))
        return counts

    def labels_in(self, task: AnnotatedTask) -> set[str]:
        """Return the labels that a task's annotation gives."""
        counted = counted_annotations(task)
        found = latest_annotation(counted).regions if counted else ()
        regions = self._regions_of(self.claim.controls, found)
        return {label for region in regions for label in self._labels_of(region)}

    def narrow(
        self, tasks: Iterable[AnnotatedTask], config: LabelConfig, labels: Sequence[str]
    ) -> Iterator[AnnotatedTask]:
        """Yield the tasks with what is said of this control tag with the labels alone.

        A task without an answer is left out, unless several answers or none can be given: nothing
        on a picture is something to learn, no choice is not.
        """
        wanted = frozenset(labels)
        for task in tasks:
            kept = tuple(self._narrow(one, wanted) for one in task.annotations)
            narrow = replace(task, config=config, annotations=kept)
            counted = counted_annotations(narrow)
            if counted and (latest_annotation(counted).regions or not self._needs_answer):
                yield narrow

    @property
    def _needs_answer(self) -> bool:
        control = self.claim.control
        return control.answers_once and control.attrs.get("choice") != "multiple"

    def _narrow(self, annotation: Annotation, wanted: frozenset[str]) -> Annotation:
        controls = (*self.claim.controls, *self.companions)
        regions = self._regions_of(controls, annotation.regions)
        kept = (self._with_labels(one, wanted) for one in regions)
        return replace(annotation, regions=tuple(one for one in kept if one is not None))

    def _regions_of(
        self, controls: Iterable[Control], regions: Iterable[ParsedRegion]
    ) -> Iterator[ParsedRegion]:
        """Yield regions with the values of these control tags, on this object tag."""
        names = {control.name for control in controls}
        for region in regions:
            values = {tag: value for tag, value in region.values.items() if tag.name in names}
            if values and next(iter(values)).to_name == self.claim.object.name:
                yield replace(region, values=values)

    def _labels_of(self, region: ParsedRegion) -> Iterator[str]:
        for tag, value in region.values.items():
            if self.label_control is None:
                yield ANY_VALUE
            elif self._gives_labels(tag):
                yield from labels_of(tag, value)

    def _with_labels(self, region: ParsedRegion, wanted: frozenset[str]) -> ParsedRegion | None:
        """Return a region with the wanted labels; None if all that it has are others."""
        if self.label_control is None:
            return region
        values: dict[Control, Any] = {}
        for tag, value in region.values.items():
            kept = _keep_labels(tag, value, wanted) if self._gives_labels(tag) else value
            if kept is None:
                return None
            values[tag] = kept
        return replace(region, values=values)

    def _gives_labels(self, tag: Control) -> bool:
        """Return whether labels of the label control stand in results of a tag.

        Those of a Labels tag stand in its track, see `annotated_task`.
        """
        control = self.label_control
        return control is not None and (tag.name == control.name or tag.tag == "VideoRectangle")


def _keep_labels(control: Control, value: Any, wanted: frozenset[str]) -> Any:
    """Return a value with the wanted labels alone; None if there were others only."""
    if not labels_of(control, value):
        return value
    if not isinstance(value, list | tuple):
        return value if wanted.issuperset(labels_of(control, value)) else None
    kept = [one for one in value if wanted.issuperset(labels_of(control, [one]))]
    return kept or None


def own_labels(control: Control | None) -> Mapping[str, Any]:
    """Return the labels that a label config has for a control tag, by the names of results."""
    if control is None:
        return {}
    if control.has_nested_choices:
        return {"/".join(path): None for path in control.paths}
    return dict.fromkeys(control.labels)
