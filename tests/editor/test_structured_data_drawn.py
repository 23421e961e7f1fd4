"""Documents, tables, lists and chats in the editor alone: what is drawn, and which tags lack."""

from pathlib import Path
from typing import Any

import pytest

from shared.editor.browser import EditorBrowser
from shared.editor.comparison import find_differences
from shared.editor.drawn import read_drawing
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.tags import OTHER_EDITIONS
from shared.media.named_file import LocalPath
from shared.results import ChatMessage, PageBox, PageSize, Region, region, whole_task
from shared.results.validation import check_results, config_problems
from tests.prompt.content.test_pages import written

ITEMS = [{"id": "a", "title": "A"}, {"id": "b", "body": "B"}, {"id": "c", "html": "<b>C</b>"}]
TABLE = '<Table name="t" value="$v"/><Choices name="c" toName="t"><Choice value="x"/></Choices>'
BUCKETS = (
    '<List name="l" value="$v"/><Ranker name="r" toName="l"><Bucket name="good"/>'
    '<Bucket name="bad" default="true"/></Ranker>'
)
PDF = '<Pdf name="pdf" value="$v"/><Rating name="r" toName="pdf" maxRating="6"/>'


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> LocalPath:
    path = Path(tmp_path_factory.mktemp("pages")) / "a.pdf"
    path.write_bytes(written("one", "two"))
    return LocalPath.from_file("a.pdf", path)


def show(
    browser: EditorBrowser, xml: str, value: Any, made: Region
) -> tuple[LabelConfig, list[dict[str, Any]], int]:
    config = LabelConfig.parse(f"<View>{xml}</View>")
    results = list(made.results)
    assert check_results(config, results) == []
    task = {"data": {"v": value}, "predictions": [{"result": results}]}
    return config, results, browser.show(config, task)


@pytest.mark.parametrize(
    ("xml", "value", "name", "answer"),
    [
        (TABLE, [{"a": 1, "b": 2}], "c", "x"),
        (TABLE, {"a": 1}, "c", "x"),
        ('<List name="l" value="$v"/><Ranker name="r" toName="l"/>', ITEMS, "r", ["b", "c", "a"]),
        (BUCKETS, ITEMS, "r", {"good": ["c", "a"], "bad": ["b"]}),
        (PDF, "pdf", "r", 4),
    ],
    ids=["table of records", "table of pairs", "order", "buckets", "PDF"],
)
def test_answers_are_drawn(
    xml: str, value: Any, name: str, answer: Any, browser: EditorBrowser, pdf: LocalPath
) -> None:
    control = LabelConfig.parse(f"<View>{xml}</View>").find_control(name)
    assert control is not None
    made = whole_task(control, answer)
    config, results, count = show(browser, xml, pdf if value == "pdf" else value, made)
    assert count == 1
    drawing = read_drawing(browser, 0, results)
    assert find_differences(results, drawing, config) == []
    if isinstance(answer, int):
        assert browser.ask("() => prelabelDrawn.answered()")["stars"] == answer


def test_another_order_is_a_difference(browser: EditorBrowser) -> None:
    config = LabelConfig.parse(f"<View>{BUCKETS}</View>")
    made = whole_task(config.controls[0], {"good": ["c", "a"], "bad": ["b"]})
    _, results, _ = show(browser, BUCKETS, ITEMS, made)
    drawing = read_drawing(browser, 0, results)
    assert sorted(map(tuple, (column[1] for column in drawing.ranked))) == [("b",), ("c", "a")]
    drawing.ranked[0][1].reverse()
    [difference] = find_differences(results, drawing, config)
    assert "the items in 'good' are ['a', 'c'], not ['c', 'a']" in difference.message


def chat_message(config: LabelConfig) -> Region:
    return region(ChatMessage("assistant", "Hello", 1), {config.controls[0]: None})


def page_box(config: LabelConfig) -> Region:
    box = PageBox(0, 10, 10, 20, 20, text="one")
    return region(box, {config.controls[0]: ["Typo"]}, [PageSize(200, 100)])


@pytest.mark.parametrize(
    ("tag", "xml", "value", "make"),
    [
        ("Chat", '<Chat name="chat" value="$v" toName="chat"/>', [], chat_message),
        (
            "OcrLabels",
            '<Pdf name="pdf" value="$v"/><OcrLabels name="o" toName="pdf"><Label value="Typo"/>'
            "</OcrLabels>",
            "pdf",
            page_box,
        ),
    ],
    ids=["Chat", "OcrLabels"],
)
def test_tags_that_the_open_source_editor_lacks(
    tag: str, xml: str, value: Any, make: Any, browser: EditorBrowser, pdf: LocalPath
) -> None:
    config = LabelConfig.parse(f"<View>{xml}</View>")
    show(browser, xml, pdf if value == "pdf" else value, make(config))
    assert f"Not expecting tag: {tag.lower()}" in browser.ask("() => document.body.innerText")
    assert browser.ask("() => prelabelDrawn.drawn()") == []
    [problem] = config_problems(config)
    assert (problem.severity, OTHER_EDITIONS[tag] in problem.message) == ("warning", True)
