"""Which models fill a label config, and the version of what they predict."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import orjson

from shared.backend.base import Backend
from shared.backend.claim import Claim, ModelSpec
from shared.errors import ModelError
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task_labels import MAX_CACHED_CHARACTERS
from shared.label_studio.text_cache import TextCache
from shared.pipeline.claim_selection import Rivals, losing_claims
from shared.pipeline.models import ModelRegistry
from shared.pipeline.prediction import MEAN_SCORE

M = TypeVar("M")

# Ends a version while the hash of a model's weights is not known.
LOADING_SUFFIX = "-loading"
# The version where nothing is predicted.
NO_VERSION = "none"


@dataclass(frozen=True)
class ModelStep:
    """Claims that share what is read and inferred: same backend, model and object tag."""

    backend: Backend
    claims: tuple[Claim, ...]

    @property
    def spec(self) -> ModelSpec:
        """The model of all claims."""
        return self.claims[0].spec

    @property
    def interactive_only(self) -> bool:
        """Whether it answers only what a user draws, and takes no part in other requests."""
        return self.claims[0].interactive_only

    @property
    def prompted_by(self) -> tuple[Control, ...]:
        """The control tags whose regions its model is shown, if it waits for any."""
        return self.claims[0].prompted_by

    @property
    def answered_claims(self) -> tuple[Claim, ...]:
        """The claims whose regions are part of the prediction."""
        return tuple(claim for claim in self.claims if not claim.is_intermediate)

    def fills_control(self, control: Control) -> bool:
        """Return whether one of its claims has a control tag of that name."""
        return any(control.name == other.name for c in self.claims for other in c.controls)

    def for_task(self, config: LabelConfig) -> "ModelStep":
        """Return the step with a task's labels: `config` is the label config that has them."""
        key = self.claims, config
        known = _task_steps.get(key)
        if known is None:
            claims = [claim.for_task(config) for claim in self.claims]
            step = replace(self, claims=tuple(self.backend.with_task_labels(claims)))
            known = _task_steps.put(key, step, config.character_count)
        return known

    def without_claims(self, claims: Collection[Claim]) -> "ModelStep":
        """Return the step without some of its claims."""
        return replace(self, claims=tuple(claim for claim in self.claims if claim not in claims))


_task_steps: TextCache[tuple[tuple[Claim, ...], LabelConfig], ModelStep] = TextCache(
    max_characters=MAX_CACHED_CHARACTERS
)


@dataclass(frozen=True)
class PredictionPlan:
    """The steps that make one prediction of a task, and why some control tags get nothing.

    `score_mode` is one of `TASK_SCORES`; regions below `min_score` are left out. `preceding` are
    the plans whose predictions a task gets before this one. `rivals` are claims that contest
    others once their models are loaded.
    """

    config: LabelConfig
    steps: tuple[ModelStep, ...]
    models: ModelRegistry = field(compare=False, repr=False)
    problems: tuple[str, ...] = ()
    score_mode: str = MEAN_SCORE
    min_score: float = 0.0
    preceding: tuple["PredictionPlan", ...] = ()
    rivals: Rivals = field(default_factory=dict)

    def with_min_score(self, min_score: float) -> "PredictionPlan":
        """Return the plan without the regions of a lower score."""
        preceding = tuple(plan.with_min_score(min_score) for plan in self.preceding)
        return replace(self, min_score=min_score, preceding=preceding)

    def for_preparation(self) -> "PredictionPlan":
        """Return the plan of the models that answer only what is drawn, to run them ahead.

        Its predictions are empty; such models keep what they need again.
        """
        steps = [
            replace(step, claims=tuple(map(_to_bulk, step.claims)))
            for step in self.steps
            if step.interactive_only or step.prompted_by
        ]
        return replace(self, steps=tuple(steps), preceding=(), rivals={})

    @property
    def backend_names(self) -> str:
        """The backends, for logs, metrics and failures."""
        return "+".join(dict.fromkeys(step.backend.name for step in self.steps)) or "none"

    @cached_property
    def is_inline(self) -> bool:
        """Whether a task is predicted in less time than handing it to another thread takes."""
        return all(
            step.backend.inline
            and step.backend.reads_inline(step.claims[0])
            and not step.prompted_by
            for step in self.steps
        )

    @property
    def answers_only_drawn(self) -> bool:
        """Whether nothing is predicted of a task on which nothing is clicked or drawn."""
        return bool(self.steps) and all(step.interactive_only for step in self.steps)

    def version(self, wait: bool = False) -> str:
        """Return the model version of its predictions.

        `wait` fetches weights that are not there yet; without it their part is "loading". A model
        that cannot be loaded takes no part. It changes with the versions of the `preceding` plans:
        Label Studio asks again for tasks without a prediction of the last one.
        """
        own = self.own_version(wait)
        others = [v for plan in self.preceding if (v := plan.version(wait)) != NO_VERSION]
        if not others or own == NO_VERSION:
            return own
        if any(LOADING_SUFFIX in version for version in others):
            return own + LOADING_SUFFIX
        return f"{own}-{hashlib.sha256(' '.join(others).encode()).hexdigest()[:4]}"

    def own_version(self, wait: bool = False) -> str:
        """Return the version without regard to the `preceding` plans."""
        parts = []
        bulk = [step for step in self.steps if not step.interactive_only]
        for step in bulk or self.steps:  # what answers clicks changes no stored prediction
            if wait:
                try:
                    self.models.weights_hash(step.backend, step.spec)
                except ModelError:
                    continue
            if self.models.load_error(step.spec) is None:
                parts.append(self._step_version(step))
        return "+".join(dict.fromkeys(parts)) or NO_VERSION

    def _step_version(self, step: ModelStep) -> str:
        """Return a model's name, and the hash of its weights and of all settings."""
        weights_hash = self.models.known_weights_hash(step.backend, step.spec)
        if weights_hash is None:
            return step.spec.label + LOADING_SUFFIX
        options = sorted(
            (claim.control.name, sorted((key, str(value)) for key, value in claim.options.items()))
            for claim in step.claims
        )
        parts = [weights_hash, [list(pair) for pair in step.spec.options], options]
        parts += [self.score_mode] if self.score_mode != MEAN_SCORE else []
        parts += [f"score >= {self.min_score}"] if self.min_score else []
        packed = orjson.dumps(parts, default=str)
        return f"{step.spec.label}-{hashlib.sha256(packed).hexdigest()[:8]}"

    def without_losing_claims(
        self, models: Sequence[tuple[ModelStep, M]]
    ) -> list[tuple[ModelStep, M]]:
        """Return the steps whose models are loaded, without the claims that lose to a rival."""
        if not self.rivals:
            return list(models)
        claims = {claim for step, _ in models for claim in step.claims}
        lost = losing_claims(self.rivals, claims, self.models.count_known_labels)
        rest = ((step.without_claims(lost), model) for step, model in models)
        return [(step, model) for step, model in rest if step.claims]

    def filled_by(self) -> dict[str, str]:
        """Return the backend of each control tag; "a or b" until contested models are loaded."""
        steps = self.steps
        if self.rivals and all(self.models.is_settled(step.spec) for step in steps):
            loaded = [(s, None) for s in steps if self.models.load_error(s.spec) is None]
            steps = tuple(step for step, _ in self.without_losing_claims(loaded))
        backends: dict[str, dict[str, None]] = {}
        for step in steps:
            for claim in step.answered_claims:
                for control in claim.controls:
                    backends.setdefault(control.name, {})[step.backend.name] = None
        return {name: " or ".join(names) for name, names in backends.items()}

    def all_claims(self) -> Iterable[Claim]:
        """Yield the claims of all steps."""
        for step in self.steps:
            yield from step.claims


def _to_bulk(claim: Claim) -> Claim:
    return replace(claim, interactive_only=False, prompted_by=())
