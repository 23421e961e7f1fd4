"""Selects the backend that fills a control tag where several could."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from shared.backend.claim import Claim
from shared.label_studio.label_config import Control

if TYPE_CHECKING:
    from shared.backend.base import Backend

Offer = tuple["Backend", Claim]
# By contested claim: the claims that replace it if their models know more of the labels.
Rivals = Mapping[Claim, tuple[Claim, ...]]


def select_claims(offers: Iterable[Offer]) -> tuple[list[Offer], Rivals]:
    """Return the claims to keep, of those in order of preference, and which of them are rivals.

    A control tag is filled by one backend, and draws for one of its claims. Claims of one backend
    may share a control tag that does not draw, such as the Labels of two shapes. If the first
    claim does not know all labels of its shape, the next backend's is kept as a rival: see
    `losing_claims`.
    """
    kept: list[Offer] = []
    holders: dict[tuple[str, str], Offer] = {}
    rivals: dict[Claim, list[Offer]] = {}
    for backend, claim in offers:
        names = dict.fromkeys(map(_slot_of, claim.controls))
        held = [holders[name] for name in names if name in holders]
        blocking = [first for first in held if first[0] is not backend]
        if not blocking and _slot_of(claim.control) not in holders:
            kept.append((backend, claim))
            holders |= dict.fromkeys(names, (backend, claim))
        elif blocking and all(_may_contest((backend, claim), first, rivals) for first in held):
            for _, first in dict.fromkeys(held):
                rivals.setdefault(first, []).append((backend, claim))
    others = dict.fromkeys(offer for found in rivals.values() for offer in found)
    kept += others
    return kept, {first: tuple(claim for _, claim in found) for first, found in rivals.items()}


def _slot_of(control: Control) -> tuple[str, str]:
    """Return what can be filled once: a control tag on an object tag, or its single answer."""
    return control.name, "" if control.answers_once else control.to_name


def _may_contest(offer: Offer, first: Offer, rivals: Mapping[Claim, list[Offer]]) -> bool:
    """Return whether a claim may replace the one that holds its control tags."""
    backend, claim = offer
    labels = max(len(control.labels) for control in first[1].controls)
    known = first[1].known_label_count
    return (
        first[0] is not backend
        and known is not None
        and known < labels
        and all(
            other is backend and found.control is not claim.control
            for other, found in rivals.get(first[1], ())
        )
    )


def losing_claims(
    rivals: Rivals, running: Collection[Claim], known: Callable[[Claim], int]
) -> frozenset[Claim]:
    """Return the claims that are not filled, of those whose models are `running`.

    A contested claim is left to a rival whose model knows more of the labels, which `known`
    counts: that takes a loaded model.
    """
    lost: list[Claim] = []
    for first, others in rivals.items():
        present = [claim for claim in others if claim in running]
        if first not in running:
            continue
        if any(known(claim) > (first.known_label_count or 0) for claim in present):
            lost.append(first)
            first.warn_once(_describe_loss(first, present))
        else:
            lost += present
    return frozenset(lost)


def _describe_loss(first: Claim, others: Iterable[Claim]) -> str:
    """Return why a claim is not filled."""
    names = " and ".join(dict.fromkeys(claim.spec.label for claim in others))
    return (
        f"{first.control} is left to {names}, which knows more of its labels, and so"
        f' {first.controls[-1]} stays empty; model_backend="{first.spec.backend}" on it'
        " decides otherwise"
    )
