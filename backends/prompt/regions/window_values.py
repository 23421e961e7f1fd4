"""One value for the whole task from those for the windows of a long text."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from statistics import fmean
from typing import Any

from backends.prompt.answer_schema import property_name
from backends.prompt.question import Answer
from shared.backend import Control, LabelConfig


def combine_windows(answer: Answer, controls: Sequence[Control], config: LabelConfig) -> Answer:
    """Return an answer about several windows with the values that they make together.

    Windows that leave a value out (null) do not count. By control tag:

    - Choices, Taxonomy: with several choices all that any window has; of a single one that which
      most windows have
    - Number, DateTime, Pairwise: what most windows have; of equally many the first
    - Rating: the mean, rounded
    - TextArea: the texts of all windows in their order, each once; one text, a line for each
      window, where only one is asked for
    - Chat: what the last window has
    - Ranker: by the mean place of each item; of buckets that which most windows have

    Of what is drawn, such as spans, the lists are joined: they are looked up window by window.
    """
    if not answer.windows:
        return answer
    values: dict[str, Any] = {}
    scores: dict[str, float] = {}
    for control in controls:
        name = property_name(control, config)
        said = [part for part in answer.windows if part.values.get(name) is not None]
        if not said:
            continue
        value = combine_values(control, [part.values[name] for part in said])
        values[name] = value
        agreeing = [part for part in said if part.values[name] == value] or said
        known = [part.scores[f"/{name}"] for part in agreeing if f"/{name}" in part.scores]
        if known:
            scores[f"/{name}"] = fmean(known)
    return replace(answer, values=values, scores=scores)


def combine_values(control: Control, values: Sequence[Any]) -> Any:
    """Return one value from several, none of which is null."""
    if control.get_flag("perItem") and isinstance(values[0], list):
        return values[0]  # of pictures, which are in each window
    if control.tag.endswith("Labels"):
        return list(chain.from_iterable(value for value in values if isinstance(value, list)))
    combine = RULES.get(control.tag)
    if combine is not None:
        return combine(values)
    if isinstance(values[0], list):
        return _union(values)
    return _most_frequent(values)


def _most_frequent(values: Sequence[Any]) -> Any:
    places = [values.index(value) for value in values]  # of the first that is equal
    [(place, _)] = Counter(places).most_common(1)  # the first of equally frequent ones
    return values[place]


def _union(values: Sequence[list[Any]]) -> list[Any]:
    joined: list[Any] = []
    for value in values:
        joined += (part for part in value if part not in joined)
    return joined


def _round_mean(values: Sequence[float]) -> int:
    return int(fmean(values) + 0.5)


def _join_texts(values: Sequence[Any]) -> Any:
    if isinstance(values[0], list):
        return _union(values)
    return "\n".join(dict.fromkeys(filter(None, (value.strip() for value in values))))


def _mean_order(values: Sequence[Any]) -> Any:
    """Return a Ranker's items by their mean place, in the bucket that most windows have."""
    if not isinstance(values[0], Mapping):
        return _sort_items(values)
    buckets: dict[Any, list[str]] = defaultdict(list)
    for value in values:
        for bucket, items in value.items():
            for item in items:
                buckets[item].append(bucket)
    order = _sort_items([[item for items in value.values() for item in items] for value in values])
    return {
        bucket: [item for item in order if _most_frequent(buckets[item]) == bucket]
        for bucket in values[0]
    }


def _sort_items(orders: Sequence[Sequence[Any]]) -> list[Any]:
    places: dict[Any, list[float]] = defaultdict(list)
    for order in orders:
        for place, item in enumerate(order):
            places[item].append(place)
    return sorted(places, key=lambda item: fmean(places[item]))


def _last(values: Sequence[Any]) -> Any:
    """Return what continues the end of a chat."""
    return values[-1]


RULES: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "Rating": _round_mean,
    "TextArea": _join_texts,
    "Ranker": _mean_order,
    "Chat": _last,
}
