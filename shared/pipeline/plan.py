"""How one label config is filled: which backend fills which control tags, and as what version."""

import hashlib
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import orjson

from shared.backend.claim import Claim
from shared.errors import ConfigError, ModelError
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task_labels import CHARACTERS
from shared.lru_cache import LRUCache
from shared.pipeline.claim_selection import Rivals, choose, losers
from shared.pipeline.prediction import MEAN_SCORE, TASK_SCORES
from shared.pipeline.runtime import runtime
from shared.results.validation import config_problems

if TYPE_CHECKING:
    from shared.backend.base import Backend

logger = logging.getLogger(__name__)

M = TypeVar("M")

# The end of a version whose weights are not known yet.
LOADING_SUFFIX = "-loading"
# The version where nothing is predicted.
NO_VERSION = "none"


@dataclass(frozen=True)
class ModelStep:
    """Claims that share what is read and inferred: same backend, model and object tag.

    `score` says how the score of the task is made, one of `TASK_SCORES`.
    """

    backend: "Backend"
    claims: tuple[Claim, ...]
    score_mode: str = MEAN_SCORE

    def fills(self, control: Control) -> bool:
        """Return whether one of its claims has a control tag of that name."""
        return any(control.name == other.name for c in self.claims for other in c.controls)

    def for_task(self, config: LabelConfig) -> "ModelStep":
        """Return the step with the labels of a task: `config` is the label config with them."""
        key = self.claims, config
        known = _bound.get(key)
        if known is None:
            claims = [claim.for_task(config) for claim in self.claims]
            made = replace(self, claims=tuple(self.backend.with_labels(claims)))
            known = _bound.put(key, made, config.characters)
        return known

    def without(self, claims: Collection[Claim]) -> "ModelStep":
        """The step without some of its claims."""
        return replace(self, claims=tuple(claim for claim in self.claims if claim not in claims))

    @property
    def version(self) -> str | None:
        """Name and hash of weights and settings; None while the weights are not known."""
        digest = runtime().models.known_weights_hash(self.backend, self.claims[0].spec)
        if digest is None:
            return None
        spec = self.claims[0].spec
        options = sorted(
            (claim.control.name, sorted((key, str(value)) for key, value in claim.options.items()))
            for claim in self.claims
        )
        known = [digest, [list(pair) for pair in spec.options], options]
        known += [self.score_mode] if self.score_mode != MEAN_SCORE else []
        packed = orjson.dumps(known, default=str)
        return f"{spec.label}-{hashlib.sha256(packed).hexdigest()[:8]}"


_bound: LRUCache[tuple[tuple[Claim, ...], LabelConfig], ModelStep] = LRUCache(characters=CHARACTERS)


@dataclass(frozen=True)
class PredictionPlan:
    """The steps that fill a label config, and why some of it is not filled.

    `before` are the routes whose predictions a task has before this one's; `score` is how the
    score of a task is made.
    """

    config: LabelConfig
    steps: tuple[ModelStep, ...]
    problems: tuple[str, ...] = ()
    preceding: tuple["PredictionPlan", ...] = field(default=(), kw_only=True)
    score_mode: str = field(default=MEAN_SCORE, kw_only=True)
    rivals: Rivals = field(default_factory=dict, kw_only=True)

    @classmethod
    def build(
        cls, config: LabelConfig, backends: Sequence["Backend"], named: Collection[str] = ()
    ) -> "PredictionPlan":
        """Let the backends claim what they fill.

        A control tag is filled once: by the backend that its `model_backend` names, else by
        the claim over the most control tags (OCR's box, label and text before a plain box),
        else by the first backend; but a claim that does not know all labels of its shape is left
        to one whose loaded model knows more of them (`running`). The version names the models of
        both. `model_skip="true"` leaves a control tag to nobody. Backends that work
        only on request must be `named`, or be a control's `model_backend`. What stands inside a
        Repeater is filled by nobody: its names are patterns, and the task says how many it makes.
        """
        claims: list[tuple[Backend, Claim]] = []
        problems = [problem.message for problem in config_problems(config)]
        problems += [*_not_serving(config, backends), *_repeated(config), *_remote(config)]
        for backend in backends:
            controls = tuple(c for c in config.controls if _offered(c, backend, named))
            offered = replace(config, controls=controls)
            claims += [(backend, claim) for claim in _claims(backend, offered, problems)]
        claims.sort(key=lambda pair: -len(pair[1].controls))
        score = _task_score(config, problems)
        kept, rivals = choose(claims)
        steps = tuple(_steps(kept, score))
        problems += [*_unfilled_objects(config, steps), *_left(config, steps, backends, named)]
        if not steps:
            problems.append(
                f"Nothing in this label config can be filled: it has {config.describe()};"
                f" {_fillable(config, backends, named)}"
            )
        for problem in problems:
            logger.warning("%s", problem)
        return cls(config, steps, tuple(problems), score_mode=score, rivals=rivals)

    def version(self, wait: bool = False) -> str:
        """The model version of its predictions.

        `wait` fetches weights that are not there yet; without it their part is "loading".
        A model that cannot be loaded takes no part. It changes with the versions of the routes
        `before`: Label Studio asks again for tasks that have no prediction of the last one.
        """
        own = self.own_version(wait)
        others = [found for r in self.preceding if (found := r.version(wait)) != NO_VERSION]
        if not others or own == NO_VERSION:
            return own
        if any(LOADING_SUFFIX in version for version in others):
            return own + LOADING_SUFFIX
        return f"{own}-{hashlib.sha256(' '.join(others).encode()).hexdigest()[:4]}"

    def own_version(self, wait: bool = False) -> str:
        """The same, whatever stands before it."""
        models = runtime().models
        parts = []
        for step in self.steps:
            spec = step.claims[0].spec
            if wait:
                try:
                    models.weights_hash(step.backend, spec)
                except ModelError:
                    continue
            if models.load_error(spec) is None:
                parts.append(step.version or spec.label + LOADING_SUFFIX)
        return "+".join(dict.fromkeys(parts)) or NO_VERSION

    @cached_property
    def is_inline(self) -> bool:
        """Whether a task is predicted sooner than it could be handed to another thread."""
        return all(
            step.backend.inline and step.backend.reads_inline(step.claims[0]) for step in self.steps
        )

    def running(self, models: Sequence[tuple[ModelStep, M]]) -> list[tuple[ModelStep, M]]:
        """The steps whose models are loaded, without the claims that lose to a rival."""
        if not self.rivals:
            return list(models)
        claims = {claim for step, _ in models for claim in step.claims}
        lost = losers(self.rivals, claims, runtime().models.labels_known)
        kept = ((step.without(lost), model) for step, model in models)
        return [(step, model) for step, model in kept if step.claims]

    def filled(self) -> dict[str, str]:
        """The backend of each control tag; several with "or" until their models are loaded."""
        steps, models = self.steps, runtime().models
        if self.rivals and all(models.settled(step.claims[0].spec) for step in steps):
            loaded = [(s, None) for s in steps if models.load_error(s.claims[0].spec) is None]
            steps = tuple(step for step, _ in self.running(loaded))
        found: dict[str, dict[str, None]] = {}
        for step in steps:
            for claim in step.claims:
                for control in claim.controls:
                    found.setdefault(control.name, {})[step.backend.name] = None
        return {name: " or ".join(names) for name, names in found.items()}

    def claims(self) -> Iterable[Claim]:
        """All claims."""
        for step in self.steps:
            yield from step.claims


def _claims(backend: "Backend", offered: LabelConfig, problems: list[str]) -> list[Claim]:
    """What a backend claims; a control tag with a bad attribute costs only itself."""
    while True:
        try:
            return backend.claim(offered)
        except ConfigError as error:
            problems.append(f"{backend.name}: {error}")
            kept = tuple(c for c in offered.controls if c.name != error.control)
            if len(kept) == len(offered.controls):
                return []
            offered = replace(offered, controls=kept)


def _offered(control: Control, backend: "Backend", named: Collection[str]) -> bool:
    if control.flag("model_skip") or control.repeated or control.is_remote:
        return False
    chosen = _chosen(control)
    if chosen:
        return chosen == backend.name
    return not backend.opt_in or backend.name in named


def _chosen(control: Control) -> str:
    return control.attrs.get("model_backend", "").strip()


def _not_serving(config: LabelConfig, backends: Iterable["Backend"]) -> Iterable[str]:
    names = {backend.name for backend in backends}
    for control in config.controls:
        chosen = _chosen(control)
        if chosen and chosen not in names and not control.flag("model_skip"):
            yield f'{control} is left to the backend "{chosen}", which does not serve here'


def _repeated(config: LabelConfig) -> Iterable[str]:
    for control in config.controls:
        if control.repeated and not control.flag("model_skip"):
            yield (
                f"{control} is inside <Repeater>, whose control tags are not filled: show images as"
                " one list (valueList on an Image tag), or write each object tag with a control"
                " tag of its own"
            )


def _remote(config: LabelConfig) -> Iterable[str]:
    for control in config.controls:
        if control.flag("model_skip"):
            continue
        if control.is_remote:
            yield (
                f"{control} has its choices from an address (apiUrl), which is not read here: write"
                ' them as Choice tags, or name a list in the task\'s data (value="$choices")'
            )
        elif control.tag == "Taxonomy" and control.labels and "$" in control.attrs.get("value", ""):
            yield (
                f"{control} has Choice tags, beside which the editor does not show those of"
                f' value="{control.attrs["value"]}": leave out one of the two'
            )


def _left(
    config: LabelConfig,
    steps: Iterable[ModelStep],
    backends: Iterable["Backend"],
    named: Collection[str],
) -> Iterable[str]:
    """Say why backends leave control tags that nobody fills."""
    filled = {control.name for step in steps for c in step.claims for control in c.controls}
    for backend in backends:
        rest = (c for c in config.controls if c.name not in filled and _offered(c, backend, named))
        yield from backend.left(replace(config, controls=tuple(rest)))


def _unfilled_objects(config: LabelConfig, steps: Iterable[ModelStep]) -> Iterable[str]:
    """Say of control tags on several object tags on which of them they are not filled."""
    filled: dict[str, list[str]] = {}
    for step in steps:
        for claim in step.claims:
            for control in claim.controls:
                filled.setdefault(control.name, []).append(control.to_name)
    for control in config.controls:
        on = filled.get(control.name, [])
        left = [str(config.objects[n]) for n in control.to_names if n in config.objects.keys() - on]
        if on and left and control.tag != "Pairwise":
            why = "nothing that serves here fills it"
            if control.answers_once:
                why = "the editor shows one answer of it"
            yield f"{control} is filled on {config.objects[on[0]]}, not on {', '.join(left)}: {why}"


def _task_score(config: LabelConfig, problems: list[str]) -> str:
    """How the score of a task is made: as the first control tag says that does, or the setting."""
    for control in config.controls:
        asked = control.attrs.get("model_task_score", "").strip()
        if asked in TASK_SCORES:
            return asked
        if asked:
            problems.append(
                f'{control}: model_task_score="{asked}" should be one of {", ".join(TASK_SCORES)}'
            )
    return runtime().settings.task_score


def _steps(claims: Iterable[tuple["Backend", Claim]], score: str) -> Iterable[ModelStep]:
    groups: dict[tuple[object, ...], tuple[Backend, list[Claim]]] = {}
    for backend, claim in claims:
        key = (backend.name, claim.spec, claim.object.name)
        groups.setdefault(key, (backend, []))[1].append(claim)
    for backend, group in groups.values():
        yield ModelStep(backend, tuple(group), score)


def _fillable(config: LabelConfig, backends: Sequence["Backend"], named: Collection[str]) -> str:
    """Say what could be filled on the object tags that the label config has.

    Without the pairs that it has and a backend left: why it left them has been said.
    """
    if not backends:
        return "no backend is running"
    shown = {target.tag for target in config.objects.values()}
    groups: dict[tuple[str, str], list[str]] = {}
    for backend in backends:
        left = {(c.tag, t.tag) for c, t in config.pairs() if _offered(c, backend, named)}
        for control, target in sorted(backend.fills - left):
            if target in shown:
                groups.setdefault((target, backend.name), []).append(control)
    if groups:
        words = (f"{', '.join(tags)} on {on} ({name})" for (on, name), tags in groups.items())
        return f"what could be filled: {'; '.join(words)}"
    served = sorted({target for backend in backends for _, target in backend.fills})
    if shown.intersection(served):
        return f"nothing else on {', '.join(sorted(shown))} is filled by what serves here"
    return f"what serves here fills control tags on {', '.join(served)}"
