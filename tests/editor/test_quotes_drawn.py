"""Spans that a model quotes, what it says of each and their relations, as the editor draws them."""

from typing import Any

import pytest

from backends.prompt.answer_schema.spans import SPAN_TAGS
from shared.backend import LabelConfig, Passages
from shared.editor.browser import EditorBrowser
from shared.editor.comparison import find_differences
from shared.editor.drawn import read_drawing
from shared.results import Dialogue
from tests.e2e.compare import differences
from tests.prompt.regions.test_spans import RELATIONS, build, quote

VALUES = """
<Choices name="mood" toName="shown" perRegion="true"><Choice value="good" alias="g"/>
  <Choice value="bad"/></Choices>
<Choices name="several" toName="shown" perRegion="true" choice="multiple"><Choice value="x"/>
  <Choice value="y"/></Choices>
<Taxonomy name="kind" toName="shown" perRegion="true"><Choice value="Animal"><Choice value="Cat"/>
  </Choice></Taxonomy>
<TextArea name="note" toName="shown" perRegion="true"/>
<Rating name="sure" toName="shown" perRegion="true"/>
<Number name="count" toName="shown" perRegion="true"/>
<DateTime name="day" toName="shown" perRegion="true" only="date"/>
<TextArea name="only" toName="shown" perRegion="true" whenTagName="ner" whenLabelValue="Company"/>
"""
SAID: dict[str, Any] = {
    "mood": "good",
    "several": ["x", "y"],
    "kind": ["Animal > Cat"],
    "note": "seen 👍",
    "sure": 4,
    "count": 2.5,
    "day": "2024-02-29",
    "only": "a company",
}
TEXT = "Ann 👍🏽 works at Acme.\r\nBob owns  Acme; nai\u0308ve Ann knows. 東京都"
HTML = "<h1>Ann &amp; Bob 👍</h1>\n"
HTML += "<p>Ann works<br>at <b>Ac</b>me &lt;Acme&gt;</p><ul><li>東京都</li></ul>"
TALK = ("Hi 👍 Ann", "Oh, Acme! Acme?", "nai\u0308ve Ann 東京都")

SHOWN = {
    "Text": ("text", TEXT, Passages.from_text(TEXT)),
    "HyperText": ("html", HTML, Passages.from_html(HTML)),
    "Paragraphs": (
        "talk",
        [{"author": "Bob", "text": text} for text in TALK],
        Passages.from_dialogue(Dialogue(TALK, ("Bob",) * 3)),
    ),
}


DRAWN_TAGS = sorted((control, target) for control, target in SPAN_TAGS if target in SHOWN)


@pytest.mark.parametrize(("control", "target"), DRAWN_TAGS)
@pytest.mark.parametrize("several", [False, True], ids=["one label", "several labels"])
def test_quotes_are_drawn_as_sent(
    control: str, target: str, several: bool, browser: EditorBrowser
) -> None:
    key, data, passages = SHOWN[target]
    choice = ' choice="multiple"' if several else ""
    xml = (
        f'{RELATIONS}<{control} name="ner" toName="shown"{choice}><Label value="Person" alias="P"/>'
        f'<Label value="Company"/></{control}><{target} name="shown" value="${key}"/>{VALUES}'
    )
    items = [
        quote("Ann", "Person", 1, id=1, values=SAID),
        quote("Acme", "Company", 2, id=2, values=SAID | {"mood": None, "several": [], "note": ""}),
        quote("東京", "Company", id=3, values=SAID | {"count": None, "day": None, "only": None}),
    ]
    if several:
        for item in items:
            item["labels"] = [item.pop("label"), "Company", "Person"]
    related = [
        {"from": 1, "to": 2, "label": "works at"},
        {"from": 1, "to": 2, "label": "owns"},
        {"from": 3, "to": 1, "label": "owns"},
    ]
    regions, omissions = build(xml, {"ner": items, "relations": related}, passages)
    assert omissions == []
    results = [result for region in regions for result in region.results]
    config = LabelConfig.parse(f"<View>{xml}</View>")
    browser.show(config, {"data": {key: data}, "predictions": [{"result": results}]})
    drawing = read_drawing(browser, 0, results)
    assert find_differences(results, drawing, config) == []
    assert differences(results, drawing.given_back) == []
    assert [region.text for region in drawing.regions.values()] == ["Ann", "Acme", "東京"]
    assert sum(result["type"] == "relation" for result in drawing.given_back) == 2


@pytest.mark.parametrize(
    ("control", "target", "said"),
    [
        ("HyperTextLabels", "HyperText", "Bob 👍 Ann works"),
        ("ParagraphLabels", "Paragraphs", "Ann Oh, Acme!"),
    ],
)
def test_a_quote_over_two_paragraphs_is_drawn(
    control: str, target: str, said: str, browser: EditorBrowser
) -> None:
    key, data, passages = SHOWN[target]
    xml = (
        f'<{control} name="ner" toName="shown"><Label value="Person"/></{control}>'
        f'<{target} name="shown" value="${key}"/>'
    )
    [region], _ = build(xml, {"ner": [quote(said)]}, passages)
    results = list(region.results)
    config = LabelConfig.parse(f"<View>{xml}</View>")
    browser.show(config, {"data": {key: data}, "predictions": [{"result": results}]})
    drawing = read_drawing(browser, 0, results)
    assert find_differences(results, drawing, config) == []
    assert differences(results, drawing.given_back) == []
