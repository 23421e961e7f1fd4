"""Checks a label config: what the editor would not display, or not as intended.

Label Studio stores a config with tags that do not exist, and predictions for it; its editor then
shows an error in the task's place (core/DataValidator/ConfigValidator.js).
"""

from collections.abc import Iterator

from shared.label_studio.label_config import LabelConfig, WrittenTag
from shared.label_studio.tags import (
    DRAWN_ON,
    OTHER_EDITIONS,
    PARENT_TAGS,
    REQUIRED_OBJECTS,
    TAGS,
    canonical_name,
    is_known,
)
from shared.results.validation.finding import RuleViolation, suggest_name

EDITOR_ERROR = "the editor shows an error instead of the task"


def config_problems(config: LabelConfig) -> list[RuleViolation]:
    """Return the problems of the tags, each kind once."""
    written = list(config.written_tags())
    named = {tag.attrs["name"]: tag for tag in written if "name" in tag.attrs}
    found = [problem for tag in written for problem in _tag_problems(tag, named)]
    return list(dict.fromkeys(found))


def _tag_problems(tag: WrittenTag, named: dict[str, WrittenTag]) -> Iterator[RuleViolation]:
    name = canonical_name(tag.name)
    if not is_known(name):
        remedy = suggest_name(tag.name, TAGS, few=False)
        what = f"<{tag.name}> is no tag of Label Studio, {EDITOR_ERROR}{remedy}"
        yield RuleViolation("unknown_tag", what)
    elif name in OTHER_EDITIONS:
        what = f"<{tag.name}>: {OTHER_EDITIONS[name]}; in the open-source 1.23 {EDITOR_ERROR}"
        yield RuleViolation("unknown_tag", what, "warning")
    around = PARENT_TAGS.get(name, ())
    if around and not any(canonical_name(outer) in around for outer in tag.ancestors):
        yield RuleViolation(
            "tag_place", f"<{tag.name}> must be inside {' or '.join(around)}; {EDITOR_ERROR}"
        )
    for target in tag.attrs.get("toName", "").split(","):
        if name in DRAWN_ON and target in named:
            yield from _object_problems(tag, named[target])


def _object_problems(tag: WrittenTag, target: WrittenTag) -> Iterator[RuleViolation]:
    """Check that a control tag is on an object tag that it works with."""
    control, allowed = canonical_name(tag.name), DRAWN_ON[canonical_name(tag.name)]
    what = f'{control} "{tag.attrs.get("name", "")}" can only control {allowed}'
    on = f'"{target.attrs["name"]}" is {target.name}'
    if control in REQUIRED_OBJECTS and target.name != allowed:
        case = ", which must be spelt so here" if canonical_name(target.name) == allowed else ""
        yield RuleViolation("wrong_object", f"{what}, {on}{case}; {EDITOR_ERROR}")
    elif canonical_name(target.name) != allowed:
        yield RuleViolation(
            "wrong_object", f"{what}, {on}; the editor draws none of its regions", "warning"
        )
