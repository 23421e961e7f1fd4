"""The pattern backend: regular expressions to text spans, without any model."""

from collections.abc import Iterable, Sequence
from typing import Any

from backends.pattern.rules import RULES, find_matches
from shared.backend import Backend, Claim
from shared.results import Region, TextSpan, region


class PatternBackend(Backend):
    """Finds dates, times, amounts, percentages and ordinals by rule."""

    name = "pattern"
    fills = frozenset({("Labels", "Text")})
    opt_in = True
    inline = True

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return [(text, find_matches(text)) for text in items]

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        text, matches = output
        labels = claim.labels_for(RULES)
        for name, start, end in matches:
            if name in labels:
                yield region(TextSpan(start, end), {claim.control: [labels[name]]}, source=text)
