"""How far annotators agree, by control tag: each with each other, and beyond chance.

All annotations that were not skipped count, ground truth or not; of several by one annotator of a
task the latest. A task counts with two annotations or more. What is compared:

- labels on regions and spans: F1 of the regions that are the same, see `region_distance`;
  no regions at all is an answer, too
- choices for the whole task: equal or not, with several the whole set of them
- numbers and ratings: equal or not; alpha takes the square of their difference
- texts: 1 minus the edit distance by the length
- everything else: equal or not

Annotators who left a question for the whole task open have not answered it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

from shared.evaluation.annotated_task import AnnotatedTask, Annotation, annotated_by, value_of
from shared.evaluation.annotators.answers import (
    NUMBER_TAGS,
    answer_key,
    as_number,
    as_text,
    text_distance,
)
from shared.evaluation.annotators.consensus import SAME_PLACE, is_whole_task
from shared.evaluation.annotators.krippendorff import (
    Alpha,
    IntervalAlpha,
    NominalAlpha,
    SampledAlpha,
)
from shared.evaluation.similarity.matching import match_by_score
from shared.evaluation.similarity.regions import similarity_matrix
from shared.label_studio.label_config import Control, LabelConfig
from shared.results import ParsedRegion


class AgreementRow(NamedTuple):
    """How far two annotators agree on a control tag, from 0 to 1, and on how many tasks."""

    control: str
    annotator: str
    other: str
    agreement: float
    tasks: int


@dataclass
class _Total:
    """The sum of the agreement on tasks."""

    sum: float = 0.0
    tasks: int = 0

    def add(self, agreement: float) -> None:
        self.sum += agreement
        self.tasks += 1

    @property
    def mean(self) -> float:
        return self.sum / self.tasks


@dataclass
class _ControlAgreement:
    """The agreement on one control tag."""

    control: Control
    alpha: Alpha
    all_pairs: _Total = field(default_factory=_Total)
    pairs: dict[tuple[str, str], _Total] = field(default_factory=dict)

    def add(self, annotations: Sequence[Annotation]) -> None:
        answers = [
            (one.annotator, answer)
            for one in annotations
            for answer in read_answers(self.control, one.regions)
        ]
        self.alpha.add([answer for _, answer in answers])
        for (name, answer), (other_name, other) in combinations(answers, 2):
            agreement = 1 - answer_gap(self.control, answer, other)
            self.all_pairs.add(agreement)
            if name and other_name:
                pair = (min(name, other_name), max(name, other_name))
                self.pairs.setdefault(pair, _Total()).add(agreement)

    def figures(self) -> dict[str, Any]:
        figures: dict[str, Any] = {"tag": self.control.tag, "tasks": self.alpha.tasks}
        if not self.alpha.tasks:
            return figures
        figures["annotations"] = self.alpha.answers
        figures["agreement"] = self.all_pairs.mean
        alpha = self.alpha.value()
        if alpha is not None:
            figures["alpha"] = alpha
        for (name, other), total in sorted(self.pairs.items()):
            found = {"agreement": total.mean, "tasks": total.tasks}
            figures.setdefault("pairs", {}).setdefault(name, {})[other] = found
        return figures


class Agreement:
    """The agreement of annotators on each control tag, over tasks as they come.

    Its memory grows with the pairs of annotators and the different choices, not with the tasks.
    """

    def __init__(self, config: LabelConfig) -> None:
        self.tasks = 0
        self._controls = {
            control.name: _ControlAgreement(control, _alpha_of(control))
            for control in config.controls
        }

    def add(self, task: AnnotatedTask) -> None:
        """Compare the annotations of a task."""
        annotations = latest_by_annotator(task.annotations)
        if len(annotations) < 2:
            return
        self.tasks += 1
        for control in self._controls.values():
            control.add(annotations)

    def figures(self) -> dict[str, Any]:
        """Return the figures as JSON; those of no cases are left out.

        `alpha` lacks where all answers are equal: nothing is then known of chance. `pairs` has
        each two annotators once.
        """
        return {
            "tasks": self.tasks,
            "controls": {name: control.figures() for name, control in self._controls.items()},
        }

    def rows(self) -> Iterable[AgreementRow]:
        """Yield each pair of annotators on each control tag, the least agreement first."""
        found = [
            AgreementRow(name, *pair, total.mean, total.tasks)
            for name, control in self._controls.items()
            for pair, total in control.pairs.items()
        ]
        return sorted(found, key=lambda row: (row.agreement, row))


def latest_by_annotator(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Return the latest annotation of each annotator; those of unknown ones all count."""
    kept: dict[Any, Annotation] = {}
    for place, one in enumerate(annotations):
        name = one.annotator or place
        if name not in kept or one.updated_at >= kept[name].updated_at:
            kept[name] = one
    return list(kept.values())


def read_answers(control: Control, regions: Sequence[ParsedRegion]) -> list[Any]:
    """Return one annotation's answer by a control tag; none if the question was left open.

    Of tags for the whole task a text that is equal for equal answers, or a number; of others the
    regions.
    """
    mine = [region for region in regions if annotated_by(region, control.name)]
    if not control.answers_once:
        return [mine]
    whole = [region for region in mine if is_whole_task(region)]
    if not whole:
        return []
    if control.tag in NUMBER_TAGS:
        number = as_number(value_of(whole[0], control.name))
        return [number] if number == number else []
    keys = [
        answer_key(control, value_of(region, control.name))
        for region in sorted(whole, key=lambda one: one.region_keys.get("item_index") or 0)
    ]
    return ["\n".join(keys)]


def answer_gap(control: Control, answer: Any, other: Any) -> float:
    """Return how far two answers of `read_answers` are apart, from 0 to 1."""
    if not control.answers_once:
        return region_distance(control, answer, other)
    if control.tag == "TextArea":
        return text_distance(answer, other)
    return float(answer != other)


def region_distance(
    control: Control, regions: Sequence[ParsedRegion], others: Sequence[ParsedRegion]
) -> float:
    """Return 1 - F1 of two annotators' regions; 0 if both have none.

    Two are the same, one to one, if their values of the control tag are equal and their
    similarity is at least 0.5 (see `shared.evaluation.similarity.regions`).
    """
    if not regions and not others:
        return 0.0
    said, said_by_others = ([_said(control, one) for one in group] for group in (regions, others))
    if not set(said) & set(said_by_others):
        return 1.0
    similar = similarity_matrix(regions, others)
    for row, one in enumerate(said):
        similar[row, [one != other for other in said_by_others]] = 0.0
    matched = match_by_score(similar, [None] * len(regions), SAME_PLACE)
    return 1 - 2 * len(matched) / (len(regions) + len(others))


def _said(control: Control, region: ParsedRegion) -> str:
    value = value_of(region, control.name)
    return as_text(value).strip() if control.tag == "TextArea" else answer_key(control, value)


def _alpha_of(control: Control) -> Alpha:
    if not control.answers_once:
        return SampledAlpha(lambda one, other: region_distance(control, one, other))
    if control.tag in NUMBER_TAGS:
        return IntervalAlpha()
    return SampledAlpha(text_distance) if control.tag == "TextArea" else NominalAlpha()


def describe_agreement(figures: Mapping[str, Any]) -> str:
    """Return the agreement in a line for each control tag; "no cases" where nothing compares."""
    return "\n".join(_describe(name, found) for name, found in figures["controls"].items())


def _describe(name: str, found: Mapping[str, Any]) -> str:
    if "agreement" not in found:
        return f"{name}: no cases"
    alpha = f"{found['alpha']:.3f}" if "alpha" in found else "not defined: all answers are equal"
    return (
        f"{name}: agreement {found['agreement']:.3f}, Krippendorff's alpha {alpha}"
        f" ({found['tasks']:,} tasks, {found['annotations']:,} annotations)"
    )
