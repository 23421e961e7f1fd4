"""A label config's rules for results, made once and kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shared.label_config import Control, LabelConfig
from shared.results.region import VALUE_KEYS
from shared.validation.answers import ANSWERS, labels
from shared.validation.finding import Problem, Problems, Value, near, shown
from shared.validation.shapes import SHAPES, Check, guess
from shared.validation.spans import SPANS, video

ORIGINS = ("prediction", "prediction-changed", "manual")


@dataclass(frozen=True, eq=False)
class ControlRules:
    """What the results of one control tag must be.

    `shape` checks where the region is: `None` where the control says something of the whole
    task. `answer` checks what is said of it, `None` where only a place is.
    """

    control: Control
    to_names: frozenset[str]
    shape: Check | None
    answer: Check | None
    optional_shape: bool
    """Whether the place may be left to another result under the same id."""


@dataclass(frozen=True, eq=False)
class Rules:
    """All rules of a label config."""

    config: LabelConfig
    controls: Mapping[str, ControlRules]
    templates: tuple[tuple[re.Pattern[str], ControlRules], ...]
    """Control tags in a Repeater, whose names hold `{{idx}}`."""

    def find(self, name: str) -> ControlRules | None:
        """The rules of the control tag of that name."""
        found = self.controls.get(name)
        if found is None and self.templates:
            return next((rules for form, rules in self.templates if form.fullmatch(name)), None)
        return found

    def unknown(self, name: str, kind: Any) -> str:
        """What to say of a `from_name` that is none."""
        same = [c.name for c in self.config.controls if c.type == kind]
        remedy = f"; {_which(same, kind)}" if same else near(name, self.controls)
        return f"the label config has no control tag {shown(name)}{remedy}"

    def wrong_type(self, control: Control, kind: Any) -> str:
        """What to say of a type that is not the control tag's."""
        same = [c.name for c in self.config.controls if c.type == kind]
        article = f"from_name {shown(control.name)} is the {control.tag} tag"
        if same:
            return f"type {shown(kind)}, but {article}; {_which(same, kind, self.config)}"
        return f"type {shown(kind)}, but {article}, whose type is {shown(control.type)}"


def _which(names: list[str], kind: str, config: LabelConfig | None = None) -> str:
    control = config.control(names[0]) if config else None
    tag = control.tag if control else kind
    return f"{' or '.join(shown(name) for name in names[:3])} is the {tag} tag"


@lru_cache(maxsize=256)
def rules_of(config: LabelConfig) -> Rules:
    """The rules of a label config."""
    by_name = {control.name: _control(control, config) for control in config.controls}
    repeated = tuple(
        (_template(name), rules) for name, rules in by_name.items() if "{{" in name
    )
    return Rules(config, by_name, repeated)


def _template(name: str) -> re.Pattern[str]:
    return re.compile(r"\d+".join(map(re.escape, re.split(r"\{\{.*?\}\}", name))))


def _control(control: Control, config: LabelConfig) -> ControlRules:
    names = {name.strip() for name in control.attrs.get("toName", control.to_name).split(",")}
    if control.type == "pairwise":
        names.add(control.name)
    drawn = SHAPES.get(control.type.removesuffix("labels") or "")
    answers = ANSWERS.get(control.type)
    optional = False
    if control.type == "videorectangle":
        shape: Check | None = video
    elif drawn is not None or control.type == "magicwand":
        shape = drawn or SHAPES["brush"]
    elif control.type.endswith("labels") or control.per_region:
        shape, optional = _placed(control, config), True
    else:
        shape = None
    return ControlRules(
        control, frozenset(names), shape, _answer(control, config, answers), optional
    )


def _answer(control: Control, config: LabelConfig, answers: Any) -> Check | None:
    if control.type == "videorectangle":
        known = [
            label
            for other in config.controls
            if other.type == "labels" and other.to_name == control.to_name
            for label in other.labels
        ]
        return labels(control, known, needed=False)
    if answers is not None:
        check: Check = answers(control)
        return check
    return labels(control, control.labels) if control.type.endswith("labels") else None


def _placed(control: Control, config: LabelConfig) -> Check:
    """The shape of a control that does not draw by itself: by its object tag, or by its keys."""
    target = config.object_of(control)
    tag = target.tag if target else ""
    if tag in SPANS:
        return video_or_timeline if tag == "Video" else SPANS[tag]
    return by_keys


def by_keys(value: Value, result: Value) -> Problems:
    """A shape on an image that only its keys tell."""
    kind = guess(value)
    return SHAPES[kind](value, result) if kind else ()


def video_or_timeline(value: Value, result: Value) -> Problems:
    """A region on a video."""
    return video(value, result) if "sequence" in value else SPANS["Video"](value, result)


def has_place(value: Value) -> bool:
    """Whether a value says where its region is, rather than only what is said of it."""
    return bool(_PLACES & value.keys())


_PLACES = frozenset(
    ("x", "points", "rle", "imageDataURL", "vertices", "start", "globalOffsets", "ranges", "sequence")
)


def envelope(result: Value) -> list[Problem]:
    """The keys beside `value`, those that are there."""
    problems = []
    for key, good, expected in _ENVELOPE:
        if key in result and not good(result[key]):
            problems.append(Problem(key.lower(), f'"{key}" is {shown(result[key])}, expected {expected}'))
    return problems


def is_score(value: Any) -> bool:
    """Whether it is a number from 0 to 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_index(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _is_size(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9


_ENVELOPE = (
    ("score", lambda found: found is None or is_score(found), "a number from 0 to 1"),
    ("readonly", lambda found: isinstance(found, bool), "true or false"),
    ("hidden", lambda found: isinstance(found, bool), "true or false"),
    ("meta", lambda found: found is None or isinstance(found, Mapping), "an object"),
    ("parentID", lambda found: found is None or isinstance(found, str), "a region's id"),
    ("item_index", _is_index, "a whole number from 0 on"),
    ("origin", lambda found: found in ORIGINS, f"one of {', '.join(ORIGINS)}"),
    ("original_width", _is_size, "the image's width in pixels"),
    ("original_height", _is_size, "the image's height in pixels"),
    ("image_rotation", lambda found: _is_index(found) and found in (0, 90, 180, 270), "0, 90, 180 or 270"),
)

ENVELOPE_KEYS = frozenset(row[0] for row in _ENVELOPE)
"""The keys that `envelope` looks at."""

__all__ = ["VALUE_KEYS", "ControlRules", "Rules", "envelope", "has_place", "is_score", "rules_of"]
