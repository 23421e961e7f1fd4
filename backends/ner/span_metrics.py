"""Precision, recall and F1 of whole spans."""

from collections.abc import Iterable

from backends._transformers.text_dataset import LabelledSpan


def score_spans(
    expected: Iterable[Iterable[LabelledSpan]], found: Iterable[Iterable[LabelledSpan]]
) -> dict[str, float]:
    """Return `f1`, `precision` and `recall` of the spans of texts; 0 where nothing is counted.

    A span counts as found if its start, its end and its label are right.
    """
    pairs = [(set(one), set(other)) for one, other in zip(expected, found, strict=True)]
    hits = sum(len(one & other) for one, other in pairs)
    of_expected = sum(len(one) for one, _ in pairs)
    of_found = sum(len(other) for _, other in pairs)
    return {
        "f1": 2 * hits / max(of_expected + of_found, 1),
        "precision": hits / max(of_found, 1),
        "recall": hits / max(of_expected, 1),
    }
