"""Which control tags of a label config can be trained, by which backend, and why others cannot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.backend.base import Backend
from shared.backend.claim import Claim
from shared.backend.registry import choose_backends, split_available
from shared.backend.training import TrainedWeights, TrainingError
from shared.label_studio.label_config import Control, LabelConfig
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.planner import Planner
from shared.settings import Settings


@dataclass(frozen=True)
class ServingBackends:
    """The backends that serve here, and which of them were named to."""

    classes: Sequence[type[Backend]]
    named: Sequence[str] = ()

    @classmethod
    def from_settings(cls, settings: Settings) -> "ServingBackends":
        """Return those of BACKENDS that can run here; SettingError if a name is unknown."""
        classes, _ = split_available(choose_backends(settings.backends))
        return cls(classes, [name.partition(":")[0] for name in settings.backends])

    def only(self, names: Sequence[str]) -> "ServingBackends":
        """Return those of some names; all without names. TrainingError if one does not serve."""
        if not names:
            return self
        serving = {cls.name: cls for cls in self.classes}
        for name in names:
            if name not in serving:
                raise TrainingError(
                    f"the backend {name} does not serve here; what serves: {', '.join(serving)}"
                )
        return ServingBackends([serving[name] for name in names], list(names))

    def plan(
        self, planner: Planner, config: LabelConfig, trained: Mapping[str, TrainedWeights]
    ) -> PredictionPlan:
        """Return the first plan of a label config, in which trained weights take part."""
        return planner.plan_all(config, self.classes, self.named, trained)[0]


@dataclass(frozen=True)
class TrainableTag:
    """Whether a control tag can be trained: by a backend's claim, or why not.

    `obstacle` is a sentence without an end, None if it can be trained.
    """

    control: Control
    backend: Backend | None = None
    claim: Claim | None = None
    obstacle: str | None = None

    @property
    def can_train(self) -> bool:
        """Whether it can be trained."""
        return self.obstacle is None


def find_trainable(plan: PredictionPlan) -> list[TrainableTag]:
    """Return for each control tag of a plan's label config how it can be trained.

    Control tags that a backend fills together, such as a shape and its Labels, are one: the first;
    unless it trains them apart (`Backend.training_claims`).
    """
    found: dict[str, TrainableTag] = {}
    filled: set[str] = set()
    for step in plan.steps:
        wholes = step.answered_claims
        filled |= {control.name for claim in wholes for control in claim.controls}
        for claim in (one for whole in wholes for one in step.backend.training_claims(whole)):
            known = found.get(claim.control.name)
            if known is None or (known.obstacle and not _obstacle_of(step.backend, claim)):
                found[claim.control.name] = _read_claim(step.backend, claim)
    for control in plan.config.controls:
        if control.name not in filled:
            found[control.name] = TrainableTag(control, obstacle=_unfilled(control, plan.problems))
    order = {control.name: place for place, control in enumerate(plan.config.controls)}
    return sorted(found.values(), key=lambda tag: order[tag.control.name])


def _read_claim(backend: Backend, claim: Claim) -> TrainableTag:
    return TrainableTag(claim.control, backend, claim, _obstacle_of(backend, claim))


def _obstacle_of(backend: Backend, claim: Claim) -> str | None:
    if backend.dataset_format_for(claim) is None:
        return f"{backend.name}, which fills it, cannot be trained"
    return backend.training_obstacle(claim)


def _unfilled(control: Control, problems: Sequence[str]) -> str:
    """Return why nothing fills a control tag: in the words of the backends that could, if any."""
    if control.get_flag("model_skip"):
        return 'it has model_skip="true"'
    # a problem is `Choices "topic" …`, with the name of a backend before it if it is one's own
    about = f"{control} "
    reasons = [
        p for p in problems if about in (p[: len(about)], p.partition(": ")[2][: len(about)])
    ]
    return "; ".join(("no backend that serves here fills it", *reasons))


def describe_obstacles(tags: Sequence[TrainableTag]) -> str:
    """Return why control tags cannot be trained, in a part of a sentence; empty if all can."""
    return "; ".join(f"{tag.control}: {tag.obstacle}" for tag in tags if tag.obstacle)
