"""XPaths that the editor does not resolve are named, and those that it resolves are not."""

import base64
import json
import re
import time
from dataclasses import replace
from typing import Any

import pytest

from shared.label_studio.label_config import LabelConfig
from shared.results.validation import Finding, check_results
from tests.e2e.paths import CONFIG, DATA, HTML, ROWS, Row, at


def findings(row: Row, data: dict[str, Any] | None = DATA, config: str = CONFIG) -> list[Finding]:
    return check_results(LabelConfig.parse(config), [row.result()], data)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_said_is_what_the_editor_does(row: Row) -> None:
    """tests/e2e/test_paths.py holds `marked` to the real editor."""
    found = findings(row)
    assert [finding.rule for finding in found] == ([row.rule] if row.rule else [])
    for finding in found:
        assert finding.message.startswith("region r: ")
        assert row.says in finding.message
    if not row.marked:
        assert [finding.severity for finding in found] == ["error"]


REMEDY = re.compile(r'; "(.*?)" is at ("start": .*?"endOffset": \d+)')


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_advised_is_found_without_fault(row: Row) -> None:
    for finding in findings(row):
        advised = REMEDY.search(finding.message)
        if advised is not None:
            place = {**json.loads(f"{{{advised[2]}}}"), "text": json.loads(f'"{advised[1]}"')}
            assert findings(replace(row, value=place)) == []


FORMLESS = ("search for a text", "steps without a number", "upper case", "without a slash")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="no task"),
        pytest.param({"html": None}, id="no value"),
        pytest.param({"html": "https://pages.example/1.html"}, id="an address"),
        pytest.param({"html": ["a list"]}, id="a list"),
    ],
)
def test_without_the_document_a_path_that_is_none_is_named_all_the_same(data: Any) -> None:
    for name in FORMLESS:
        [finding] = findings(ROWS[name], data)
        assert (finding.rule, finding.severity) == ("xpath", "error"), name
        assert "It resolves only paths such as /p[1]/text()[1]" in finding.message
    for name in ("no such paragraph", "from the root", "end past the text", "the body"):
        assert findings(ROWS[name], data) == [], name
    assert findings(ROWS["search, but globalOffsets"], data) == []


@pytest.mark.parametrize(
    "attribute", ['valueType="url"', 'encoding="base64"'], ids=["by URL", "encoded"]
)
def test_a_document_that_is_elsewhere_is_not_judged(attribute: str) -> None:
    config = CONFIG.replace('value="$html"', f'value="$html" {attribute}')
    assert findings(ROWS["no such paragraph"], DATA, config) == []
    assert [found.rule for found in findings(ROWS["search for a text"], DATA, config)] == ["xpath"]


def test_a_document_in_base64_is_decoded_first() -> None:
    config = CONFIG.replace('value="$html"', 'value="$html" encoding="base64unicode"')
    data = {"html": base64.b64encode(HTML.encode()).decode()}
    for name in ("beyond U+FFFF", "no such paragraph", "search for a text"):
        found = findings(ROWS[name], data, config)
        assert [finding.rule for finding in found] == [rule for rule in [ROWS[name].rule] if rule]


def test_inline_html_has_its_head_in_the_page() -> None:
    """`inline="true"` puts it into Label Studio's own page: a title is a text like others there."""
    page = {"html": "<html><head><title>Ti</title></head><body><p>Ann</p></body></html>"}
    title, body = Row(at("/title[1]/text()[1]", 0, 2), ""), Row({"start": 2, "end": 5}, "Ann")
    inline = CONFIG.replace('value="$html"', 'value="$html" inline="true"')
    assert findings(title, page, inline) == findings(body, page, inline) == []
    assert [found.rule for found in findings(title, page)] == ["xpath"]
    assert [found.rule for found in findings(body, page)] == ["past_the_end"]


def test_long_texts_cost_no_time() -> None:
    """Neither a long text that is not there nor a page of one word's repetitions."""
    html = "<p>" + "word " * 20_000 + "</p>"
    row = Row(at("//p", 0, 4, text="word " * 5000 + "x"), "")
    start = time.process_time()
    findings(row, {"html": html})
    findings(replace(row, value={**row.value, "text": "word"}), {"html": html})
    assert time.process_time() - start < 2
