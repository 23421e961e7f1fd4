"""Claims whose models are shown what other claims find: boxes that become masks, for example.

Such a claim names the control tags that prompt it (`Claim.prompted_by`). Where the label config
has one of them, what fills it prompts the claim, too. Any other one stands in for the control tag
of its name: other backends are offered it in that one's place, and what they find there is shown
to the claim's model and is no part of the answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from shared.backend.claim import Claim
from shared.errors import UnfillableError
from shared.label_studio.label_config import Control, LabelConfig
from shared.pipeline.claim_selection import Offer
from shared.pipeline.plan import ModelStep
from shared.results import ParsedRegion, Region, parse_regions

M = TypeVar("M")
StandIns = Mapping[str, Control]


def find_stand_ins(config: LabelConfig, offers: Iterable[Offer]) -> StandIns:
    """Return the control tags that prompt claims and are not in the label config, by name."""
    named = (control for _, claim in offers for control in claim.prompted_by)
    return {
        control.name: control
        for control in named
        if config.find_control(control.name, control.to_name) is not control
    }


def with_stand_ins(config: LabelConfig, stand_ins: StandIns) -> LabelConfig:
    """Return a label config with control tags in place of those of the same names."""
    return replace(config, controls=tuple(stand_ins.get(c.name, c) for c in config.controls))


def mark_intermediate(offer: Offer, stand_ins: StandIns) -> Offer:
    """Return a claim with a mark, if it fills a control tag that stands in for another."""
    backend, claim = offer
    stands_in = any(control.name in stand_ins for control in claim.controls)
    return backend, replace(claim, is_intermediate=True) if stands_in else claim


def require_prompts(selected: Sequence[Offer], problems: list[str]) -> list[Offer]:
    """Return the claims, those that are prompted behind the others.

    Those whose prompts nothing fills answer at most what a user draws.
    """
    filled = {
        (control.name, control.to_name)
        for _, claim in selected
        if not claim.prompted_by and not claim.interactive_only
        for control in claim.controls
    }
    kept: list[Offer] = []
    for backend, claim in selected:
        is_prompted = any((one.name, one.to_name) in filled for one in claim.prompted_by)
        if is_prompted or not claim.prompted_by:
            kept.append((backend, claim))
            continue
        problems.append(
            f"{claim.control} gets what {backend.name} makes of"
            f" {' and '.join(map(str, claim.prompted_by))}, which nothing that serves here fills"
        )
        if backend.interactive:
            kept.append((backend, replace(claim, prompted_by=(), interactive_only=True)))
    return sorted(kept, key=lambda offer: bool(offer[1].prompted_by))


def without_missing_prompts(
    models: Sequence[tuple[ModelStep, M]], is_interactive: bool
) -> list[tuple[ModelStep, M]]:
    """Return the steps that can run, of those whose models are loaded.

    Left out are those that wait for the regions of models that are not loaded, and those whose
    regions nobody waits for. What a user draws is answered without the regions of others.
    """
    steps = [step for step, _ in models]
    kept = [
        (step, model)
        for step, model in models
        if is_interactive or not step.prompted_by or prompting_claims(step, steps)
    ]
    waiting = [step for step, _ in kept if step.prompted_by]
    return [
        (step, model)
        for step, model in kept
        if step.answered_claims or any(prompting_claims(one, [step]) for one in waiting)
    ]


def prompting_claims(step: ModelStep, others: Iterable[ModelStep]) -> list[Claim]:
    """Return the claims whose regions the model of a step is shown; none if it waits for none."""
    names = {(control.name, control.to_name) for control in step.prompted_by}
    return [
        claim
        for other in others
        if names and not other.prompted_by and not other.interactive_only
        for claim in other.claims
        if any((control.name, control.to_name) in names for control in claim.controls)
    ]


def read_prompts(
    step: ModelStep, outputs: Iterable[tuple[ModelStep, Any]], config: LabelConfig
) -> list[ParsedRegion]:
    """Return the regions that a step's model is shown, in pixels, from the outputs of the others.

    Raises UnfillableError if none of the claims that prompt it can be filled.
    """
    results: list[Mapping[str, Any]] = []
    reasons: list[str] = []
    is_found = False
    for other, output in outputs:
        for claim in prompting_claims(step, [other]):
            try:
                found = list(other.backend.regions(output, claim))
            except UnfillableError as error:
                reasons.append(str(error))
                continue
            is_found = True
            results += [
                one for region in found if isinstance(region, Region) for one in region.results
            ]
    if reasons and not is_found:
        raise UnfillableError("; ".join(dict.fromkeys(reasons)))
    return parse_regions(results, with_stand_ins(config, {c.name: c for c in step.prompted_by}))
