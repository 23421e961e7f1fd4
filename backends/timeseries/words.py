"""Which method a label asks for, by its words."""

import re
from collections.abc import Iterable, Mapping
from enum import Enum

from shared.backend import Control
from shared.errors import ConfigError

METHOD = "model_method"


class Method(str, Enum):
    """What can be found without training; the names are those of `model_method`."""

    spikes = "spikes"
    anomalies = "anomalies"
    changes = "changes"
    segments = "segments"
    rising = "rising"
    falling = "falling"
    level = "level"
    gaps = "gaps"
    still = "still"
    good = "good"
    medium = "medium"
    poor = "poor"
    predictable = "predictable"
    normal = "normal"


# How the words begin that ask for a method; of two that fit, the first.
WORDS: Mapping[Method, tuple[str, ...]] = {
    Method.normal: ("normal", "ordinary", "nothing"),
    Method.gaps: ("gap", "missing", "dropout", "lost"),
    Method.still: ("still", "stuck", "frozen", "flatline", "dead"),
    Method.spikes: ("spike", "outlier", "peak", "glitch", "impulse", "extreme"),
    Method.anomalies: ("anomal", "abnormal", "discord", "unusual", "novel", "irregular", "fault"),
    Method.changes: ("change", "shift", "step", "break", "jump", "transition", "switch"),
    Method.segments: ("segment", "regime", "phase", "plateau"),
    Method.predictable: ("predictab", "forecastab"),
    Method.rising: ("up", "upward", "ris", "increas", "grow", "climb", "bull"),
    Method.falling: ("down", "downward", "fall", "decreas", "decline", "drop", "sink", "bear"),
    Method.level: ("steady", "stable", "flat", "level", "constant", "sideway", "unchanged"),
    Method.medium: ("medium", "fair", "moderate", "acceptable"),
    Method.poor: ("poor", "bad", "nois", "low quality", "corrupt", "unusable"),
    Method.good: ("good", "clean", "clear", "quality", "usable"),
}
QUALITIES = (Method.good, Method.medium, Method.poor)
TRENDS = (Method.rising, Method.falling, Method.level)
# Words that stand as they are: "upper" and "uptake" do not say that something rises.
WHOLE_WORDS = frozenset(("up", "down", "normal", "step", "still", "level", "good", "bad", "drop"))


def method_of_words(text: str) -> Method | None:
    """Return the method that a text asks for, if any."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).casefold())
    for method, beginnings in WORDS.items():
        if any(_begins(word, one) for word in words for one in beginnings):
            return method
        if any(" " in one and one in " ".join(words) for one in beginnings):
            return method
    return None


def _begins(word: str, beginning: str) -> bool:
    if beginning in WHOLE_WORDS:
        return word in {beginning, f"{beginning}s"}
    return word.startswith(beginning)


def label_methods(control: Control) -> dict[str, Method]:
    """Return the method of each label that has one.

    That is what `model_method` says on the label or the control tag, or what the label's words
    ask for: its name, alias, and `predicted_values`. ConfigError names a method that is none.
    """
    found = {}
    for label, attrs in control.labels.items():
        written = attrs.get(METHOD) or control.attrs.get(METHOD)
        method = (
            read_method(written, control)
            if written
            else _first_method((label, attrs.get("value", ""), attrs.get("predicted_values", "")))
        )
        if method is not None:
            found[label] = method
    return found


def _first_method(texts: Iterable[str]) -> Method | None:
    return next((method for method in map(method_of_words, texts) if method), None)


def read_method(written: str, control: Control) -> Method:
    """Return the method of a name; ConfigError lists those that there are."""
    try:
        return Method(written.strip().lower())
    except ValueError:
        names = ", ".join(one.value for one in Method)
        raise ConfigError(
            f'{control}: {METHOD}="{written}" should be one of {names}', control.name
        ) from None


def methods_around(control: Control) -> Method | None:
    """Return the method that the control tag's name or the header before it asks for."""
    return _first_method((control.name, control.header))
