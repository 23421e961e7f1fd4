"""What a task shows of a tag's value, as the editor resolves it, against what results say."""

import base64
from typing import Any

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.results.validation import check_task

TEXT = "Laura Stein met Paul."


def config(written: str, tag: str = "Text", attrs: str = "") -> LabelConfig:
    return LabelConfig.parse(
        f'<View><Labels name="l" toName="t"><Label value="P"/></Labels>'
        f'<{tag} name="t" value="{written}" {attrs}/></View>'
    )


def task(data: dict[str, Any], start: int, end: int, text: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": ["P"]}
    result = {"id": "a", "from_name": "l", "to_name": "t", "type": "labels", "value": value}
    return {"data": data, "predictions": [{"model_version": "m", "score": 1, "result": [result]}]}


def found(config: LabelConfig, task: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.message) for finding in check_task(config, task)]


ENCODED = base64.b64encode(TEXT.encode()).decode()
GOOD: dict[str, tuple[LabelConfig, dict[str, Any], int, int, str]] = {
    "joined": (config("$a: $b"), {"a": "Laura", "b": "left"}, 7, 11, "left"),
    "text before": (config("From: $who"), {"who": TEXT}, 6, 17, "Laura Stein"),
    "path": (config("$a.b[0]"), {"a": {"b": [TEXT]}}, 0, 11, "Laura Stein"),
    "base64": (config("$t", attrs='encoding="base64"'), {"t": ENCODED}, 0, 11, "Laura Stein"),
    "number": (config("$t"), {"t": 12345}, 0, 3, "123"),
    "fixed text": (config("Laura left"), {}, 0, 5, "Laura"),
}


@pytest.mark.parametrize("case", GOOD)
def test_offsets_count_in_what_is_shown(case: str) -> None:
    on, data, start, end, text = GOOD[case]
    assert found(on, task(data, start, end, text)) == []
    [(rule, message)] = found(on, task(data, start, end, "other"))
    assert rule == "text"
    assert f'{start} to {end} is "{text}"' in message
    [(rule, message)] = found(on, task(data, start, 99, text))
    assert rule == "past_the_end"


@pytest.mark.parametrize(
    ("written", "attrs", "data", "rule", "words"),
    [
        ("$a: $b", "", {"a": "x"}, "missing_data", 'Text "t" shows "b", which the task\'s data'),
        ("$a.b", "", {"a": {"c": "x"}}, "missing_data", 'shows "a.b", which'),
        ("$my-key", "", {"my-key": "x"}, "missing_data", '"my-key" cannot be shown'),
        ("A: $a", "", {"a": {}}, "missing_data", '"a" is an object'),
        ("$a", 'encoding="base64"', {"a": TEXT}, "encoding", "is not base64"),
    ],
)
def test_what_the_editor_cannot_show_is_found(
    written: str, attrs: str, data: dict[str, Any], rule: str, words: str
) -> None:
    [(seen, message)] = found(config(written, attrs=attrs), task(data, 0, 1, "L"))
    assert seen == rule
    assert words in message


def test_tags_of_a_repeater_are_left_alone() -> None:
    assert found(config("$items[{{idx}}].text"), {"data": {}, "predictions": []}) == []
