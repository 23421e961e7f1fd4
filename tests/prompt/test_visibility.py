from collections.abc import Sequence

import pytest

from backends.prompt.visibility import Visibility
from shared.label_studio.label_config import LabelConfig


def shown(*tags: str) -> Sequence[str]:
    """The names of the tags that are shown if A is chosen in each; a tag is its attributes."""
    choices = "".join(
        f'<Choices toName="text" {tag}><Choice value="A"/><Choice value="B"/></Choices>'
        for tag in tags
    )
    config = LabelConfig.parse(f'<View><Text name="text" value="$text"/>{choices}</View>')
    controls = {control.name: control for control in config.controls}
    visibility = Visibility(controls, dict.fromkeys(controls, ("A",)))
    return [name for name, control in controls.items() if visibility.shows(control)]


IF_A = 'visibleWhen="choice-selected" whenChoiceValue="A" whenTagName'
UNLESS_A = 'visibleWhen="choice-unselected" whenChoiceValue="A" whenTagName'


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (['name="a"', f'name="b" {IF_A}="a"', f'name="c" {IF_A}="b"'], ["a", "b", "c"]),
        ([f'name="c" {IF_A}="b"', f'name="b" {UNLESS_A}="a"', 'name="a"'], ["a"]),
        ([f'name="a" {UNLESS_A}="b"', f'name="b" {UNLESS_A}="c"', 'name="c"'], ["a", "c"]),
        ([f'name="a" {IF_A}="b"', f'name="b" {IF_A}="a"'], []),
        ([f'name="a" {IF_A}="a"'], []),
        ([f'name="a" {UNLESS_A}="b"', f'name="b" {UNLESS_A}="a"'], []),
        ([f'name="a" {IF_A}="elsewhere"'], ["a"]),
    ],
    ids=["chain", "broken chain", "negations", "cycle", "itself", "contradiction", "unknown"],
)
def test_what_hangs_on_others(tags: list[str], expected: list[str]) -> None:
    assert shown(*tags) == expected


def test_many_that_wait_for_any_other_are_decided_at_once() -> None:
    """Without whenTagName each waits for all others: as many ways as there are orders of them."""
    waiting = [f'name="c{number}" visibleWhen="choice-selected"' for number in range(40)]
    assert shown(*waiting) == []
    assert len(shown(*waiting, 'name="first"')) == 41
