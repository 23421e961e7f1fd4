"""Regions have exactly the tags that the label config asks for, under one id."""

import math
from typing import Any

import pytest

from backends.ocr.backend import OcrBackend
from backends.ocr.inputs import OcrOutput
from backends.ocr.layout.page import Line, Page
from shared.backend.claim import Claim
from shared.errors import ConfigError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from shared.results import ImageSize
from shared.results.validation import check_results

BOX = [[100, 50], [300, 50], [300, 80], [100, 80]]
TURNED = [[100, 50], [273.2, 150], [258.2, 176], [85, 76]]
PAGE = Page(ImageSize(1000, 500), [Line(BOX, "TOTAL 9.91", 0.9), Line(TURNED, "Thanks", 0.8)])

R, P = '<Rectangle name="r" toName="i"/>', '<Polygon name="p" toName="i"/>'
RL = '<RectangleLabels name="rl" toName="i"><Label value="Amount"/><Label value="Text"/>'
RL += "</RectangleLabels>"
PL = '<PolygonLabels name="pl" toName="i"><Label value="Amount"/><Label value="Line"/>'
PL += "</PolygonLabels>"
L = '<Labels name="l" toName="i"><Label value="Handwriting"/><Label value="Printed"/></Labels>'
T = '<TextArea name="t" toName="i" perRegion="true" placeholder="Text"/>'
W = '<TextArea name="w" toName="i" placeholder="Text"/>'


def config(*tags: str) -> str:
    return f'<View><Image name="i" value="$image"/>{"".join(tags)}</View>'


def claims(*tags: str) -> list[Claim]:
    backend = OcrBackend(label_config=config(*tags))
    return backend.claim(backend.config)


def results(claim: Claim, page: Page = PAGE) -> list[list[dict[str, Any]]]:
    return [
        list(region.results) for region in OcrBackend().regions(OcrOutput([(None, page)]), claim)
    ]


@pytest.mark.parametrize(
    ("tags", "types"),
    [
        ([R, T], ["rectangle", "textarea"]),
        ([P, T], ["polygon", "textarea"]),
        ([R, L, T], ["rectangle", "labels", "textarea"]),
        ([P, L, T], ["polygon", "labels", "textarea"]),
        ([RL, T], ["rectanglelabels", "textarea"]),
        ([PL, T], ["polygonlabels", "textarea"]),
        ([P, R, L, T], ["rectangle", "labels", "textarea"]),
        ([R, RL, T], ["rectanglelabels", "textarea"]),
        ([R, RL, L, T], ["rectangle", "labels", "textarea"]),
        ([RL, L, T], ["rectanglelabels", "textarea"]),
        ([PL, RL, T], ["rectanglelabels", "textarea"]),
        ([T, L, P], ["polygon", "labels", "textarea"]),
    ],
    ids=lambda value: "+".join(tag[1:].split()[0] for tag in value if tag[0] == "<") or "is",
)
def test_each_combination_of_tags_gives_one_complete_region(
    tags: list[str], types: list[str]
) -> None:
    [claim] = claims(*tags)
    for region in results(claim):
        assert [result["type"] for result in region] == types
        assert len({result["id"] for result in region}) == 1
        keys = {"points", "closed"} if "polygon" in types[0] else {"x", "y", "width", "height"}
        assert all(keys <= result["value"].keys() for result in region)
        assert all(result["original_width"] == 1000 for result in region)


@pytest.mark.parametrize("tags", [[R], [L, T], [T], [R, L], ['<Brush name="b" toName="i"/>', T]])
def test_nothing_without_a_text_area_and_a_drawing_tag(tags: list[str]) -> None:
    assert claims(*tags) == []


@pytest.mark.parametrize(
    ("shape", "tag"),
    [("auto", "Rectangle"), ("rectangle", "Rectangle"), ("polygon", "Polygon"), ("", "Rectangle")],
)
def test_ocr_shape_chooses(shape: str, tag: str) -> None:
    area = T.replace("/>", f' ocr_shape="{shape}"/>')
    [claim] = claims(P, R, area)
    assert claim.control.tag == tag


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("circle", 'TextArea "t": ocr_shape="circle" should be one of auto, rectangle, polygon'),
        ("polygon", 'ocr_shape="polygon", but its image has no Polygon or PolygonLabels'),
    ],
)
def test_error_of_a_wrong_ocr_shape_names_tag_and_choices(shape: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        claims(R, T.replace("/>", f' ocr_shape="{shape}"/>'))


def test_turned_line_is_a_turned_rectangle() -> None:
    [claim] = claims(R, T)
    upright, turned = results(claim)
    assert upright[0]["value"]["rotation"] == 0
    assert turned[0]["value"]["rotation"] == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize(
    ("width", "degrees", "rotation"),
    [(100, 1.5, 0), (600, 1.5, 1.5), (600, 0.2, 0), (40, 3, 3), (600, 181.5, -178.5)],
    ids=["short", "long", "hardly", "much", "on its head"],
)
def test_line_gets_an_upright_box_where_that_is_hardly_higher(
    width: float, degrees: float, rotation: float
) -> None:
    """The upright box of a long line would be far higher than the line."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    flat = [(0, 0), (width, 0), (width, 30), (0, 30)]
    corners = [[700 + x * cos - y * sin, 200 + x * sin + y * cos] for x, y in flat]
    [claim] = claims(R, T)
    [[box, _]] = results(claim, Page(ImageSize(2000, 900), [Line(corners, "a", 0.9)]))
    assert box["value"]["rotation"] % 360 == pytest.approx(rotation % 360, abs=0.01)


@pytest.mark.parametrize(
    ("tags", "label"),
    [
        ([RL, T], "Text"),
        ([PL, T], "Line"),
        ([R, L, T], "Printed"),
        (
            [R, L.replace('"Handwriting"', '"Handwriting" predicted_values="text"'), T],
            "Handwriting",
        ),
    ],
    ids=["means text", "alias of text", "another", "by predicted_values"],
)
def test_the_label_that_means_text(tags: list[str], label: str) -> None:
    [claim] = claims(*tags)
    values = [result["value"] for result in results(claim)[0]]
    assert [label] in [v for value in values for key, v in value.items() if "labels" in key]


TWO = '<Labels name="l" toName="i"><Label value="Handwriting"/><Label value="Text"/></Labels>'
ODD = '<Labels name="l" toName="i"><Label value="Handwritten"/><Label value="Other"/></Labels>'
ONLY = '<Labels name="l" toName="i"><Label value="Amount"/></Labels>'
NAMED = ONLY.replace("/><", ' predicted_values="handwriting"/><Label value="B"/><')


@pytest.mark.parametrize(
    ("labels", "printed", "handwritten"),
    [
        (TWO, "Text", "Handwriting"),
        (ODD, None, "Handwritten"),
        (ONLY, None, None),
        (NAMED, None, "Amount"),
        (TWO.replace("Handwriting", "Amount"), "Text", None),
    ],
    ids=["both", "aliases", "neither", "by predicted_values", "no handwriting"],
)
def test_engine_chooses_the_label(
    labels: str, printed: str | None, handwritten: str | None
) -> None:
    """A label with another meaning is never given: the annotator chooses it."""
    for engine, label in {"rapidocr": printed, "tesseract": printed, "trocr": handwritten}.items():
        [claim] = claims(R, labels, T.replace("/>", f' ocr_engine="{engine}"/>'))
        found = [
            result["value"]["labels"] for result in results(claim)[0] if "labels" in result["type"]
        ]
        assert found == ([] if label is None else [[label]])


@pytest.mark.parametrize("tag", ["RectangleLabels", "PolygonLabels"])
def test_without_a_fitting_label_the_text_area_draws_the_region(tag: str) -> None:
    """The editor shows it as a shape without a label, as tests/e2e/test_ocr.py checks."""
    shape = f'<{tag} name="s" toName="i"><Label value="Amount"/><Label value="Date"/></{tag}>'
    [claim] = claims(shape, T)
    xml = LabelConfig.parse(config(shape, T))
    for region in results(claim):
        [area] = region
        assert area["type"] == "textarea"
        assert {"x", "width"} <= area["value"].keys() or "points" in area["value"]
        assert check_results(xml, [area]) == []


def test_labels_from_the_task_are_left_out() -> None:
    [claim] = claims(R, '<Labels name="l" toName="i" value="$labels"/>', T)
    assert [result["type"] for result in results(claim)[0]] == ["rectangle", "textarea"]


def test_the_whole_page_in_reading_order() -> None:
    [claim] = claims(W)
    [[result]] = results(claim)
    assert result["value"] == {"text": ["TOTAL 9.91\nThanks"]}
    assert result["type"] == "textarea"


def test_regions_and_whole_page_share_one_pass() -> None:
    backend = OcrBackend(label_config=config(R, T, W))
    [step] = runtime().planner.plan(backend.config, [backend]).steps
    assert [[c.name for c in claim.controls] for claim in step.claims] == [["r", "t"], ["w"]]


def test_page_without_text_has_no_regions() -> None:
    for claim in claims(R, T, W):
        assert results(claim, Page(ImageSize(10, 10))) == []


def test_lines_below_the_threshold_are_left_out() -> None:
    [claim] = claims(R, T.replace("/>", ' model_score_threshold="0.85"/>'))
    assert [region[-1]["value"]["text"] for region in results(claim)] == [["TOTAL 9.91"]]
