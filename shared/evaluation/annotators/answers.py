"""What annotators say by a control tag, and how far two answers are apart."""

import math
from typing import Any

import orjson

from shared.backend.extras import require
from shared.evaluation.annotated_task import labels_of
from shared.label_studio.label_config import Control
from shared.results import ParsedRegion

# Control tags whose answers are numbers.
NUMBER_TAGS = frozenset({"Number", "Rating"})


def names_classes(control: Control) -> bool:
    """Return whether a control tag's answers are labels or choices."""
    return control.names_labels or control.has_nested_choices


def answer_distance(control: Control, one: Any, other: Any) -> float:
    """Return how far two answers are apart.

    - labels and choices: 1 minus the share of their names that both have (Jaccard)
    - numbers: their difference; infinite if one is not a number
    - texts: the edit distance (Levenshtein) by the longer text's length
    - everything else: 0 if equal, otherwise 1
    """
    if names_classes(control):
        names, others = (frozenset(labels_of(control, answer)) for answer in (one, other))
        return 1 - len(names & others) / len(names | others) if names | others else 0.0
    if control.tag in NUMBER_TAGS:
        difference = abs(as_number(one) - as_number(other))
        return float("inf") if math.isnan(difference) else difference
    if control.tag == "TextArea":
        return text_distance(as_text(one), as_text(other))
    return float(answer_key(control, one) != answer_key(control, other))


def answer_key(control: Control, answer: Any) -> str:
    """Return a text that is equal for equal answers: the order of labels does not matter."""
    if names_classes(control):
        return "\n".join(sorted(labels_of(control, answer)))
    if control.tag == "TextArea":
        return as_text(answer)
    return orjson.dumps(answer, option=orjson.OPT_SORT_KEYS, default=str).decode()


def label_key(region: ParsedRegion) -> tuple[tuple[str, str], ...]:
    """Return the labels of a region, by control tag; what describes the region is left out."""
    return tuple(
        sorted(
            (control.name, answer_key(control, value))
            for control, value in region.values.items()
            if is_label_tag(control)
        )
    )


def is_label_tag(control: Control) -> bool:
    """Return whether a control tag labels regions: Choices only describe them (`perRegion`)."""
    return control.names_labels and control.tag != "Choices"


def as_text(answer: Any) -> str:
    """Return a TextArea's answer as one text; several are lines of it."""
    return "\n".join(map(str, answer)) if isinstance(answer, list | tuple) else str(answer or "")


def as_number(answer: Any) -> float:
    """Return the answer of a Rating or Number; not a number if it is none."""
    try:
        return float(answer)
    except (TypeError, ValueError):
        return float("nan")


def text_distance(one: str, other: str) -> float:
    """Return the edit distance (Levenshtein) of two texts by the longer one's length."""
    if one == other:
        return 0.0
    levenshtein: Any = require("rapidfuzz.distance", "evaluate").Levenshtein
    return float(levenshtein.normalized_distance(one, other))
