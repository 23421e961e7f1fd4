"""The rules that a label config sets for results; made once and cached."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.label_studio.label_config import Control, LabelConfig, ObjectTag
from shared.label_studio.tags import is_known
from shared.label_studio.text_cache import TextCache
from shared.results.parse import GEOMETRY_KEYS
from shared.results.validation.control_values import VALUE_CHECKS, labels_check
from shared.results.validation.finding import Problems, Value, closest_name, quote, suggest_name
from shared.results.validation.image_shapes import SHAPE_CHECKS, Check, guess_shape
from shared.results.validation.pages import PAGE_CHECKS
from shared.results.validation.spans import SPAN_CHECKS, timeseries_check
from shared.results.validation.tracks import check_timeline, check_video_track


@dataclass(frozen=True, eq=False)
class ControlRules:
    """The rules for the results of one control tag.

    `shape` checks where the region is; it is None where the control speaks of the whole task.
    A control that `draws` must say so itself, another may leave it to a result of the same id.
    `answer` checks what is said; it is None where only a place is.
    """

    control: Control
    target: ObjectTag | None
    to_names: frozenset[str]
    shape_check: Check | None
    draws: bool
    value_check: Check | None
    to_name_pattern: re.Pattern[str] | None = None
    """The pattern of `to_name` inside a Repeater."""

    @cached_property
    def is_known(self) -> bool:
        """Whether Label Studio has such a tag; an unknown one is neither checked nor displayed."""
        return is_known(self.control.tag)

    @property
    def on_single_image(self) -> bool:
        """Whether it is on a single image, so that `item_index` can only be 0."""
        return self.target is not None and self.target.tag == "Image" and not self.target.is_list

    @property
    def describes_items(self) -> bool:
        """Whether it describes the images of a list one by one."""
        on_image = self.target is not None and self.target.tag == "Image"
        return on_image and self.control.get_flag("perItem") and self.control.answers_once

    @property
    def on_text(self) -> bool:
        """Whether it is on a text, where XPaths may give the place of a region."""
        return self.target is not None and self.target.tag in {"Text", "HyperText"}

    def has_no_geometry(self, value: Value) -> bool:
        """Return whether a value has only the control tag's own value, and no place."""
        return GEOMETRY_KEYS.isdisjoint(value) and "x" not in value and "globalOffsets" not in value


@dataclass(frozen=True, eq=False)
class Rules:
    """The rules of all control tags of a label config."""

    config: LabelConfig
    controls: Mapping[str, ControlRules]
    repeated: tuple[tuple[re.Pattern[str], ControlRules], ...]
    """Control tags in a Repeater, whose names contain `{{idx}}`."""
    by_object: Mapping[tuple[str, str], ControlRules]
    """Control tags on several object tags, by their name and that of the object tag."""

    def find_control(self, name: Any, to_name: Any = None) -> ControlRules | None:
        """Return the rules of a control tag, on that object tag if it is on several.

        None for what is no name, too.
        """
        if not isinstance(name, str):
            return None
        found = self.controls.get(name)
        if found is not None and len(found.to_names) > 1 and isinstance(to_name, str):
            return self.by_object.get((name, to_name), found)
        if found is None and self.repeated:
            return next((rules for form, rules in self.repeated if form.fullmatch(name)), None)
        return found

    def describe_unknown(self, name: str, kind: Any) -> str:
        """Return the message about a `from_name` that is not a control tag."""
        close = closest_name(name, self.controls) is not None
        remedy = suggest_name(name, self.controls)
        return f"the label config has no control tag {quote(name)}" + (
            remedy if close else self._describe_same_type(kind) or remedy
        )

    def describe_wrong_type(self, control: Control, kind: Any) -> str:
        """Return the message about a type that is not the control tag's."""
        remedy = self._describe_same_type(kind) or f', whose type is "{control.type}"'
        name = quote(control.name)
        return f"type {quote(kind)}, but from_name {name} is the {control.tag} tag{remedy}"

    def _describe_same_type(self, kind: Any) -> str:
        """Return the control tags of a type, as the end of a message."""
        same = [control for control in self.config.controls if control.type == kind]
        if not same:
            return ""
        names = " or ".join(quote(control.name) for control in same[:3])
        return f"; {names} is the {same[0].tag} tag"


_rules_cache: TextCache[LabelConfig, Rules] = TextCache()


def rules_of(config: LabelConfig) -> Rules:
    """Return the rules of a label config."""
    return _rules_cache.get(config) or _rules_cache.put(
        config, _build_rules(config), config.character_count
    )


def _build_rules(config: LabelConfig) -> Rules:
    by_name = {control.name: _build_control_rules(control, config) for control in config.controls}
    repeated = tuple(
        (_name_pattern(name), rules) for name, rules in by_name.items() if "{{" in name
    )
    elsewhere = {
        (control.name, name): _build_control_rules(control.on_object(name), config)
        for control in config.controls
        for name in control.to_names
        if name != control.to_name
    }
    return Rules(config, by_name, repeated, elsewhere)


def _name_pattern(name: str) -> re.Pattern[str]:
    return re.compile(r"\d+".join(map(re.escape, re.split(r"\{\{.*?\}\}", name))))


def _build_control_rules(control: Control, config: LabelConfig) -> ControlRules:
    names = set(control.to_names)
    if control.type == "pairwise":
        names.add(control.name)
    target = config.object_of(control)
    shape, draws = _shape_check(control, target)
    repeated = _name_pattern(control.to_name) if "{{" in control.to_name else None
    answer = _value_check(control, config)
    return ControlRules(control, target, frozenset(names), shape, draws, answer, repeated)


def _shape_check(control: Control, target: ObjectTag | None) -> tuple[Check | None, bool]:
    """Return the check of the shape, and whether the control tag draws by itself."""
    if control.type == "videorectangle":
        return check_video_track, True
    drawn = SHAPE_CHECKS.get(control.type.removesuffix("labels")) or PAGE_CHECKS.get(control.type)
    if drawn is not None:
        return drawn, True
    if control.type.endswith("labels") or control.per_region:
        return _geometry_check(target), False
    return None, False


def _geometry_check(target: ObjectTag | None) -> Check:
    tag = target.tag if target else ""
    return (
        timeseries_check(target)
        if tag == "TimeSeries"
        else _GEOMETRY_CHECKS.get(tag, check_by_keys)
    )


def _value_check(control: Control, config: LabelConfig) -> Check | None:
    if control.type in VALUE_CHECKS:
        return VALUE_CHECKS[control.type](control)
    if control.type == "videorectangle":
        others = config.controls_on(control.to_name)
        return labels_check(control, [c for c in others if c.type == "labels"], needed=False)
    return labels_check(control, [control]) if control.type.endswith("labels") else None


def check_by_keys(value: Value, result: Value) -> Problems:
    """Check a shape on an image whose kind only its keys tell."""
    kind = guess_shape(value)
    return SHAPE_CHECKS[kind](value, result) if kind else ()


def _check_on_video(value: Value, result: Value) -> Problems:
    return (
        check_video_track(value, result) if "sequence" in value else check_timeline(value, result)
    )


# The shape checks of control tags that do not draw, by object tag.
_GEOMETRY_CHECKS: Mapping[str, Check] = {**SPAN_CHECKS, "Video": _check_on_video}
