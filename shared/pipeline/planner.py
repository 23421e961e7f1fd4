"""Decides which backend fills which control tag, and says why one gets nothing."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from shared.backend.annotated_examples import AnnotatedExamples
from shared.backend.base import Backend
from shared.backend.claim import Claim
from shared.backend.registry import find_backends, group_by_prediction
from shared.backend.training import TrainedWeights
from shared.errors import ConfigError
from shared.label_studio.label_config import Control, LabelConfig
from shared.pipeline.claim_selection import Offer, Rivals, select_claims
from shared.pipeline.models import ModelRegistry
from shared.pipeline.nearest_tags import describe_nearest
from shared.pipeline.plan import ModelStep, PredictionPlan
from shared.pipeline.prediction import MEAN_SCORE, TASK_SCORES
from shared.pipeline.prompted_claims import (
    find_stand_ins,
    mark_intermediate,
    require_prompts,
    with_stand_ins,
)
from shared.results.validation import config_problems

logger = logging.getLogger(__name__)


class Planner:
    """Makes plans for the models of one process. `score_mode` is one of `TASK_SCORES`."""

    def __init__(self, models: ModelRegistry, score_mode: str = MEAN_SCORE) -> None:
        self._models = models
        self._score_mode = score_mode

    def plan_all(
        self,
        config: LabelConfig,
        classes: Iterable[type[Backend]],
        named: Collection[str] = (),
        trained: Mapping[str, TrainedWeights] = MappingProxyType({}),
        examples: AnnotatedExamples | None = None,
    ) -> list[PredictionPlan]:
        """Return a plan for each prediction that a task gets.

        There is one, unless a backend comes with several models. Only the first may be without
        steps: its problems say why nothing is filled. `trained` are the project's own weights by
        control tag, which take part in the first. `examples` are what its annotators have drawn,
        for control tags that ask for it.
        """
        plans: list[PredictionPlan] = []
        for group in group_by_prediction(classes):
            own = {} if plans else trained
            backends = [
                cls(label_config=config.xml, served=True, trained_weights=own, examples=examples)
                for cls in group
            ]
            plan = self.plan(config, backends, named)
            if plan.steps or not plans:
                plans.append(replace(plan, preceding=tuple(plans)))
        return plans

    def plan(
        self, config: LabelConfig, backends: Sequence[Backend], named: Collection[str] = ()
    ) -> PredictionPlan:
        """Let the backends claim control tags, and return the plan that results.

        A control tag is filled once: by the backend that its `model_backend` names, else by the
        claim over the most control tags (OCR's box, label and text before a plain box), else by
        the first backend. What is left is offered to backends that fill the rest (`fills_rest`).
        A claim that does not know all labels of its shape is left to one whose loaded model knows
        more of them; the version names both models until then. A claim that is `interactive_only`
        takes no control tag from others.

        Not filled are control tags with `model_skip="true"`, and those inside a Repeater, whose
        names are patterns. Backends that are `opt_in` must be in `named`, or be a control tag's
        `model_backend`.
        """
        problems = [problem.message for problem in config_problems(config)]
        problems += [*_not_serving(config, backends), *_repeated(config), *_remote(config)]
        selected, rivals = _select(config, backends, named, problems)
        steps = tuple(_group_into_steps(selected))
        score_mode = self._score_mode_for(config, problems)
        problems += _unfilled_objects(config, steps)
        problems += _explain_unfilled(config, steps, backends, named)
        if not steps:
            nearest = _describe_nearest(config, backends, named)
            problems.append(
                f"Nothing in this label config can be filled: it has {config.describe_controls()}"
                + (f"; {nearest}" if nearest else "")
            )
        for problem in problems:
            logger.warning("%s", problem)
        return PredictionPlan(
            config, steps, self._models, tuple(problems), score_mode, rivals=rivals
        )

    def _score_mode_for(self, config: LabelConfig, problems: list[str]) -> str:
        """Return how the task's score is made: as the first control tag says, or the setting."""
        for control in config.controls:
            mode = control.attrs.get("model_task_score", "").strip()
            if mode in TASK_SCORES:
                return mode
            if mode:
                problems.append(
                    f'{control}: model_task_score="{mode}" should be one of'
                    f" {', '.join(TASK_SCORES)}"
                )
        return self._score_mode


def _claims_of(backend: Backend, offered: LabelConfig, problems: list[str]) -> list[Claim]:
    """Return what a backend claims; a control tag with a bad attribute costs only itself."""
    while True:
        try:
            return backend.claim(offered)
        except ConfigError as error:
            problems.append(f"{backend.name}: {error}")
            rest = tuple(c for c in offered.controls if c.name != error.control)
            if len(rest) == len(offered.controls):
                return []
            offered = replace(offered, controls=rest)


def _offered_to(backend: Backend, config: LabelConfig, named: Collection[str]) -> LabelConfig:
    """Return the label config with only the control tags that a backend may claim."""
    controls = tuple(c for c in config.controls if _is_offered(c, backend, named))
    return replace(config, controls=controls)


def _select(
    config: LabelConfig,
    backends: Sequence[Backend],
    named: Collection[str],
    problems: list[str],
) -> tuple[list[Offer], Rivals]:
    """Return the claims to keep, and which of them are rivals; see `select_claims`.

    Backends that fill the rest are asked last, about what is left. What is shown to the models of
    other claims is selected apart: it fills no control tag of the label config.
    """
    first = [backend for backend in backends if not backend.fills_rest]
    claims = list(_collect_claims(config, first, named, problems))
    stand_ins = find_stand_ins(config, claims)
    if stand_ins:
        asking = {id(backend) for backend, claim in claims if claim.prompted_by}
        others = [backend for backend in first if id(backend) not in asking]
        # All are claimed anew, so that the claims of one model share its run.
        anew = _collect_claims(with_stand_ins(config, stand_ins), others, named, [])
        own = [offer for offer in claims if id(offer[0]) in asking]
        claims = [*own, *(mark_intermediate(offer, stand_ins) for offer in anew)]
    bulk = sorted((one for one in claims if not one[1].interactive_only), key=_by_preference)
    selected, rivals = select_claims(one for one in bulk if not one[1].is_intermediate)
    shown, more_rivals = select_claims(one for one in bulk if one[1].is_intermediate)
    left = {name: one for name, one in stand_ins.items() if name not in _filled_names(shown)}
    for backend in (one for one in backends if one.fills_rest):
        offered = _offered_to(backend, with_stand_ins(config, left), named)
        rest = _without_names(offered, _filled_names(selected) - left.keys())
        found = _claims_of(backend, rest, problems) if rest.controls else []
        selected += [mark_intermediate((backend, claim), left) for claim in found]
    drawn, _ = select_claims(offer for offer in claims if offer[1].interactive_only)
    return require_prompts([*shown, *selected, *drawn], problems), {**rivals, **more_rivals}


def _collect_claims(
    config: LabelConfig, backends: Iterable[Backend], named: Collection[str], problems: list[str]
) -> Iterator[Offer]:
    for backend in backends:
        for claim in _claims_of(backend, _offered_to(backend, config, named), problems):
            yield backend, claim


def _by_preference(offer: Offer) -> tuple[bool, int]:
    """Return what claims are sorted by: first those that are asked for, then the widest."""
    return not offer[1].is_requested, -len(offer[1].controls)


def _filled_names(selected: Iterable[Offer]) -> set[str]:
    return {control.name for _, claim in selected for control in claim.controls}


def _without_names(config: LabelConfig, names: Collection[str]) -> LabelConfig:
    return replace(config, controls=tuple(c for c in config.controls if c.name not in names))


def _is_offered(control: Control, backend: Backend, named: Collection[str]) -> bool:
    if control.get_flag("model_skip") or control.repeated or control.is_remote:
        return False
    own = backend.trained_weights.get(control.name)
    chosen = _chosen_backend(control) or (own.backend if own else "")
    if chosen:
        return chosen == backend.name
    return not backend.opt_in or backend.name in named


def _chosen_backend(control: Control) -> str:
    return control.attrs.get("model_backend", "").strip()


def _group_into_steps(claims: Iterable[tuple[Backend, Claim]]) -> Iterator[ModelStep]:
    groups: dict[tuple[object, ...], tuple[Backend, list[Claim]]] = {}
    for backend, claim in claims:
        prompts = tuple(control.name for control in claim.prompted_by)
        key = (backend.name, claim.spec, claim.object.name, claim.interactive_only, prompts)
        groups.setdefault(key, (backend, []))[1].append(claim)
    for backend, group in groups.values():
        yield ModelStep(backend, tuple(group))


# Why control tags are not filled, a sentence each


def _not_serving(config: LabelConfig, backends: Iterable[Backend]) -> Iterator[str]:
    names = {backend.name for backend in backends}
    for control in config.controls:
        chosen = _chosen_backend(control)
        if chosen and chosen not in names and not control.get_flag("model_skip"):
            yield f'{control} is left to the backend "{chosen}", which does not serve here'


def _repeated(config: LabelConfig) -> Iterator[str]:
    for control in config.controls:
        if control.repeated and not control.get_flag("model_skip"):
            yield (
                f"{control} is inside <Repeater>, whose control tags are not filled: show images as"
                " one list (valueList on an Image tag), or write each object tag with a control"
                " tag of its own"
            )


def _remote(config: LabelConfig) -> Iterator[str]:
    for control in config.controls:
        if control.get_flag("model_skip"):
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


def _unfilled_objects(config: LabelConfig, steps: Iterable[ModelStep]) -> Iterator[str]:
    """Yield on which object tags a control tag is not filled that is filled on others."""
    filled: dict[str, list[str]] = {}
    for step in steps:
        for claim in step.claims:
            for control in claim.controls:
                about_all = step.backend.reads_whole_task and control.answers_once
                names = control.to_names if about_all else (control.to_name,)
                filled.setdefault(control.name, []).extend(names)
    for control in config.controls:
        on = filled.get(control.name, [])
        rest = [str(config.objects[n]) for n in control.to_names if n in config.objects.keys() - on]
        if on and rest and control.tag != "Pairwise":
            why = "nothing that serves here fills it"
            if control.answers_once:
                why = "the editor shows one answer of it"
            yield f"{control} is filled on {config.objects[on[0]]}, not on {', '.join(rest)}: {why}"


def _explain_unfilled(
    config: LabelConfig,
    steps: Iterable[ModelStep],
    backends: Iterable[Backend],
    named: Collection[str],
) -> Iterator[str]:
    """Yield why backends leave control tags that nobody fills."""
    filled = {control.name for step in steps for c in step.claims for control in c.controls}
    for backend in backends:
        offered = _offered_to(backend, config, named)
        rest = tuple(c for c in offered.controls if c.name not in filled)
        try:
            yield from backend.explain_unfilled(replace(config, controls=rest))
        except ConfigError as error:  # an attribute that cannot be read costs an explanation
            yield f"{backend.name}: {error}"


def _describe_nearest(
    config: LabelConfig, backends: Sequence[Backend], named: Collection[str]
) -> str:
    """Return what would fill control tags that are to be filled."""
    wanted = tuple(c for c in config.controls if not c.get_flag("model_skip") and not c.repeated)
    return describe_nearest(
        replace(config, controls=wanted),
        backends,
        lambda control, backend: _is_offered(control, backend, named),
        lambda: find_backends().values(),
    )
