"""A row for each thing that Label Studio would refuse, or store and not show as it was meant.

What the editor makes of each was looked at in Label Studio 1.23.2.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from label_studio_sdk.converter.brush import mask2rle

from shared.label_studio.label_config import LabelConfig
from shared.results import Bitmask, ImageSize, KeyPoint, Polygon, Rectangle, TextSpan, region, rle
from shared.results.validation import check_prediction, check_results, check_task

Json = dict[str, Any]

CONFIG = LabelConfig.parse(
    """<View>
  <Image name="image" value="$image"/><Text name="text" value="$text"/>
  <HyperText name="html" value="$html"/><Paragraphs name="talk" value="$talk"/>
  <Audio name="audio" value="$audio"/><Video name="video" value="$video"/>
  <TimeSeries name="series" value="$series"/>
  <TimeSeries name="days" value="$days" timeFormat="%Y-%m-%d"/>
  <List name="list" value="$list"/>
  <RectangleLabels name="box" toName="image"><Label value="Car"/><Label value="Bus" alias="B"/>
  </RectangleLabels>
  <PolygonLabels name="polygon" toName="image"><Label value="Car"/></PolygonLabels>
  <EllipseLabels name="ellipse" toName="image"><Label value="Car"/></EllipseLabels>
  <KeyPointLabels name="point" toName="image"><Label value="Car"/></KeyPointLabels>
  <BrushLabels name="brush" toName="image"><Label value="Car"/></BrushLabels>
  <BitmaskLabels name="bitmask" toName="image"><Label value="Car"/></BitmaskLabels>
  <VectorLabels name="vector" toName="image"><Label value="Car"/></VectorLabels>
  <Rectangle name="rect" toName="image"/><KeyPoint name="kp" toName="image"/>
  <TextArea name="area" toName="image" perRegion="true"/>
  <Labels name="labels" toName="text"><Label value="Person"/></Labels>
  <HyperTextLabels name="marks" toName="html"><Label value="Person"/></HyperTextLabels>
  <ParagraphLabels name="turns" toName="talk"><Label value="Person"/></ParagraphLabels>
  <Labels name="sounds" toName="audio"><Label value="Bark"/></Labels>
  <VideoRectangle name="track" toName="video"/>
  <Labels name="objects" toName="video"><Label value="Cell"/></Labels>
  <TimelineLabels name="timeline" toName="video"><Label value="Jump"/></TimelineLabels>
  <TimeSeriesLabels name="phases" toName="series"><Label value="Run"/></TimeSeriesLabels>
  <TimeSeriesLabels name="weeks" toName="days"><Label value="Run"/></TimeSeriesLabels>
  <Choices name="choice" toName="text">
    <Choice value="good"/><Choice value="bad" alias="b"/></Choices>
  <Choices name="nested" toName="text" allowNested="true">
    <Choice value="Eats"><Choice value="Fruit"/><Choice value="Fish"/></Choice>
    <Choice value="Flies"/>
  </Choices>
  <Taxonomy name="tree" toName="text"><Choice value="A"><Choice value="B"/></Choice></Taxonomy>
  <Rating name="rating" toName="text" maxRating="7"/>
  <Number name="number" toName="text" min="0" max="10"/>
  <DateTime name="date" toName="text" only="date"/>
  <Pairwise name="pair" toName="text,html"/>
  <Ranker name="rank" toName="list"><Bucket name="best"/></Ranker>
  <Relations><Relation value="next to"/></Relations>
</View>"""
)

DATA: Json = {
    "image": "/a.png",
    "text": "Hi 😀 Bob",
    "html": "<p>Hi</p>",
    "talk": [{"text": "Hi"}, {"text": "Bob"}],
    "audio": "/a.wav",
    "video": "/a.mp4",
    "series": {},
    "days": {},
    "list": [{"id": "one"}, {"id": "two"}],
}
TARGETS = {control.name: control for control in CONFIG.controls}
SIZES = {"original_width": 20, "original_height": 10, "image_rotation": 0}
GEOMETRY = {"x": 10.0, "y": 10.0, "width": 20.0, "height": 20.0, "rotation": 0}
XPATHS = {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]"}
KEYFRAME = {"frame": 1, "enabled": True, "time": 0.04, **GEOMETRY}
FRAMES = {"framesCount": 50, "duration": 2.0}
PNG = Bitmask(np.eye(10, 20)).to_value(ImageSize(20, 10))[0]["imageDataURL"]
CLEAR = Bitmask(np.zeros((10, 20))).to_value(ImageSize(20, 10))[0]["imageDataURL"]
MASK = rle.encode(np.eye(10, 20))
VERTEX = {"id": "a", "x": 1, "y": 2, "prevPointId": None, "isBezier": False}

VALUES: dict[str, Json] = {
    "box": {**GEOMETRY, "rectanglelabels": ["Car"]},
    "rect": GEOMETRY,
    "polygon": {"points": [[1, 1], [9, 2], [5, 9]], "closed": True, "polygonlabels": ["Car"]},
    "ellipse": {
        "x": 9,
        "y": 9,
        "radiusX": 2,
        "radiusY": 3,
        "rotation": 0,
        "ellipselabels": ["Car"],
    },
    "point": {"x": 9, "y": 9, "width": 0.5, "keypointlabels": ["Car"]},
    "kp": {"x": 9, "y": 9, "width": 0.5},
    "brush": {"format": "rle", "rle": MASK, "brushlabels": ["Car"]},
    "bitmask": {"imageDataURL": PNG, "bitmasklabels": ["Car"]},
    "vector": {
        "vertices": [VERTEX, {**VERTEX, "id": "b", "prevPointId": "a"}],
        "vectorlabels": ["Car"],
    },
    "area": {**GEOMETRY, "text": ["x"]},
    "labels": {"start": 5, "end": 8, "text": "Bob", "labels": ["Person"]},
    "marks": {**XPATHS, "startOffset": 0, "endOffset": 2, "hypertextlabels": ["Person"]},
    "turns": {
        "start": "0",
        "end": "1",
        "startOffset": 1,
        "endOffset": 1,
        "paragraphlabels": ["Person"],
    },
    "sounds": {"start": 0.5, "end": 1.5, "channel": 0, "labels": ["Bark"]},
    "track": {**FRAMES, "sequence": [KEYFRAME, {**KEYFRAME, "frame": 9}], "labels": ["Cell"]},
    "objects": {**FRAMES, "sequence": [KEYFRAME], "labels": ["Cell"]},
    "timeline": {"ranges": [{"start": 1, "end": 9}], "timelinelabels": ["Jump"]},
    "phases": {"start": 1, "end": 2.5, "instant": False, "timeserieslabels": ["Run"]},
    "weeks": {
        "start": "2024-01-01",
        "end": "2024-01-09",
        "instant": False,
        "timeserieslabels": ["Run"],
    },
    "choice": {"choices": ["good"]},
    "nested": {"choices": [["Eats", "Fruit"]]},
    "tree": {"taxonomy": [["A", "B"]]},
    "rating": {"rating": 6},
    "number": {"number": 2.5},
    "date": {"datetime": "2024-02-29"},
    "pair": {"selected": "left"},
    "rank": {"ranker": {"best": ["one"]}},
}


def result(name: str, **value: Any) -> Json:
    """A good result of a control tag, but for the keys of its value that are given."""
    control = TARGETS[name]
    inside = {**VALUES[name], **value}
    found: Json = {
        "id": f"r-{name}",
        "from_name": name,
        "to_name": control.to_name,
        "type": control.type,
        "value": {key: given for key, given in inside.items() if given is not GONE},
    }
    return {**found, **SIZES} if control.to_name == "image" else found


GONE = object()
"""Stands for a key that is left out."""


def beside(**keys: Any) -> Json:
    """A good box, but for the keys beside its value that are given."""
    found = {**result("box"), **keys}
    return {key: given for key, given in found.items() if given is not GONE}


@pytest.mark.parametrize("name", VALUES)
def test_good_results_are_good(name: str) -> None:
    good = [result("box", rectanglelabels=["B"]), {**result(name), "id": "another", "score": 0.5}]
    assert check_results(CONFIG, good) == []
    assert check_task(CONFIG, {"data": DATA, "predictions": [prediction(good)]}) == []


def prediction(results: Any) -> Json:
    return {"model_version": "x", "score": 0.5, "result": results}


@dataclass(frozen=True)
class Bad:
    rule: str
    result: Any
    says: str = ""
    severity: str = "error"


BAD = {
    # the envelope
    "not an object": Bad("not_an_object", ["x"], "an object"),
    "null": Bad("not_an_object", None),
    "no from_name": Bad("unknown_from_name", beside(from_name=GONE), "expected a string"),
    "unknown from_name": Bad("unknown_from_name", beside(from_name="boxes"), '"box"'),
    "from_name of another case": Bad("unknown_from_name", beside(from_name="BOX"), 'mean "box"'),
    "from_name is a list": Bad("unknown_from_name", beside(from_name=["box"])),
    "type of another control": Bad(
        "wrong_type",
        beside(type="keypoint"),
        '"box" is the RectangleLabels tag; "kp" is the KeyPoint',
    ),
    "type of no control": Bad("wrong_type", beside(type="box"), 'whose type is "rectanglelabels"'),
    "no type": Bad("missing_key", beside(type=GONE), 'expected "rectanglelabels"'),
    "no to_name": Bad("wrong_to_name", beside(to_name=GONE), 'on "image"'),
    "to_name of another": Bad("wrong_to_name", beside(to_name="text")),
    "no value": Bad("value", beside(value=GONE)),
    "value is null": Bad("value", beside(value=None)),
    "value is a list": Bad("value", beside(value=[1])),
    "id is a number": Bad("id", beside(id=7)),
    "id is empty": Bad("id", beside(id="")),
    "score over 1": Bad("score", beside(score=7), "from 0 to 1"),
    "score below 0": Bad("score", beside(score=-0.1)),
    "score is text": Bad("score", beside(score="high")),
    "score is true": Bad("score", beside(score=True)),
    "score is NaN": Bad("score", beside(score=math.nan)),
    "readonly is text": Bad("readonly", beside(readonly="yes")),
    "readonly is null": Bad("readonly", beside(readonly=None)),
    "hidden is a number": Bad("hidden", beside(hidden=1)),
    "meta is text": Bad("meta", beside(meta="seen")),
    "parentID is a number": Bad("parentID", beside(parentID=3)),
    "parentID of nobody": Bad("unknown_region", beside(parentID="x"), "no such", "warning"),
    "item_index is text": Bad("item_index", beside(item_index="0")),
    "item_index is negative": Bad("item_index", beside(item_index=-1)),
    "item_index on one image": Bad("item_index", beside(item_index=2), "is one image"),
    "origin is unknown": Bad("origin", beside(origin="model")),
    "no width of the image": Bad("original_width", beside(original_width=0)),
    "image_rotation": Bad("image_rotation", beside(image_rotation=45)),
    "score in value": Bad("score_in_value", result("box", score=0.5), "beside", "warning"),
    # shapes on images
    "no x": Bad("missing_key", result("box", x=GONE)),
    "x is null": Bad("missing_key", result("box", x=None)),
    "x is text": Bad("not_a_number", result("box", x="10")),
    "x is true": Bad("not_a_number", result("box", x=True)),
    "x is NaN": Bad("not_a_number", result("box", x=math.nan)),
    "x is infinite": Bad("not_a_number", result("box", x=math.inf)),
    "x is huge": Bad("not_a_number", result("box", x=10**400)),
    "x is negative": Bad("out_of_image", result("box", x=-3)),
    "x in pixels": Bad("out_of_image", result("box", x=640), "is it in pixels?"),
    "past the right edge": Bad("out_of_image", result("box", x=90), '"x" + "width" is 110'),
    "past the lower edge": Bad("out_of_image", result("box", y=85.5)),
    "no width": Bad("zero_size", result("box", width=0)),
    "negative height": Bad("zero_size", result("box", height=-5)),
    "height is missing": Bad("missing_key", result("box", height=GONE)),
    "rotation is text": Bad("not_a_number", result("box", rotation="left")),
    "keypoint without width": Bad("missing_key", result("point", width=GONE)),
    "keypoint outside": Bad("out_of_image", result("point", x=101)),
    "ellipse without radius": Bad("missing_key", result("ellipse", radiusY=GONE)),
    "ellipse of no size": Bad("zero_size", result("ellipse", radiusX=0)),
    "polygon without points": Bad("missing_key", result("polygon", points=GONE)),
    "polygon of two points": Bad("too_few_points", result("polygon", points=[[1, 1], [2, 2]])),
    "polygon of one place": Bad("zero_size", result("polygon", points=[[1, 1]] * 3)),
    "point of three numbers": Bad("not_a_number", result("polygon", points=[[1, 1, 1]] * 3)),
    "points of text": Bad("not_a_number", result("polygon", points=["ab"] * 3)),
    "points are text": Bad("not_a_list", result("polygon", points="abc")),
    "point outside": Bad("out_of_image", result("polygon", points=[[1, 1], [2, 2], [200, 1]])),
    "brush without rle": Bad("missing_key", result("brush", rle=GONE)),
    "brush of nothing": Bad("not_a_list", result("brush", rle=[])),
    "brush with numbers over 255": Bad("wrong_format", result("brush", rle=[0, 1, 256])),
    "brush of another format": Bad("wrong_format", result("brush", format="coco")),
    "brush of another size": Bad("mask_size", result("brush", rle=rle.encode(np.eye(9)))),
    "brush that breaks off": Bad("wrong_format", result("brush", rle=MASK[:5]), "cannot be read"),
    "empty mask": Bad("empty_mask", result("brush", rle=rle.encode(np.zeros((10, 20))))),
    "mask of ones": Bad(
        "faint_mask",
        result("brush", rle=mask2rle(np.ones((10, 20), np.uint8))),
        "a mask of 0 and 1, almost invisible; expected 0 and 255",
        "warning",
    ),
    "empty bitmask": Bad("empty_mask", result("bitmask", imageDataURL=CLEAR)),
    "bitmask that breaks off": Bad(
        "wrong_format",
        result("bitmask", imageDataURL=PNG[: 22 + (len(PNG) - 22) // 8 * 4]),
        "cannot be read",
    ),
    "bitmask without image": Bad("missing_key", result("bitmask", imageDataURL=GONE)),
    "bitmask of an address": Bad("wrong_format", result("bitmask", imageDataURL="/mask.png")),
    "bitmask of nothing": Bad("wrong_format", result("bitmask", imageDataURL=PNG[:40])),
    "bitmask that is no base64": Bad(
        "wrong_format", result("bitmask", imageDataURL=PNG[:22] + "é")
    ),
    "bitmask of another size": Bad(
        "mask_size", {**result("bitmask"), "original_width": 40}, "stretches", "warning"
    ),
    "vector of one vertex": Bad("too_few_points", result("vector", vertices=[VERTEX])),
    "vector of numbers": Bad("not_an_object", result("vector", vertices=[1, 2])),
    "vector with an id twice": Bad("vertex_id", result("vector", vertices=[VERTEX, VERTEX])),
    "vector on no vertex": Bad(
        "vertex_id", result("vector", vertices=[VERTEX, {**VERTEX, "id": "b", "prevPointId": "z"}])
    ),
    "vertex outside": Bad(
        "out_of_image", result("vector", vertices=[VERTEX, {**VERTEX, "x": 120}])
    ),
    # labels
    "unknown label": Bad("unknown_label", result("box", rectanglelabels=["Plane"]), '"Car", "B"'),
    "label of another case": Bad(
        "unknown_label", result("box", rectanglelabels=["cAR"]), 'mean "Car"'
    ),
    "one unknown label of two": Bad(
        "unknown_label", result("box", rectanglelabels=["Car", "Plane"])
    ),
    "no labels": Bad("no_label", result("box", rectanglelabels=[])),
    "labels under another key": Bad(
        "missing_key", result("box", rectanglelabels=GONE, labels=["Car"]), 'has "labels" instead'
    ),
    "labels are text": Bad("not_a_list", result("box", rectanglelabels="Car")),
    "a label is a number": Bad("not_a_string", result("box", rectanglelabels=[1])),
    "text of a region is a text": Bad("not_a_list", result("area", text="x"), '["x"]', "warning"),
    "text of a region is missing": Bad("missing_key", result("area", text=GONE)),
    "text of a region is empty": Bad("not_a_list", result("area", text=[])),
    "text of no region": Bad(
        "no_place",
        {**result("area"), "value": {"text": ["x"]}},
        'TextArea "area" speaks of regions (perRegion), each by the id of a result that draws it,'
        " but no result before it has this id",
    ),
    "text of a region without an id": Bad(
        "no_place",
        {**result("area"), "value": {"text": ["x"]}, "id": None},
        'but it has no "id"; without perRegion it speaks of the whole task',
    ),
    # spans
    "span of nothing": Bad("empty_span", result("labels", start=5, end=5)),
    "span backwards": Bad("empty_span", result("labels", start=8, end=5)),
    "span before the text": Bad("offset", result("labels", start=-1)),
    "span of halves": Bad("offset", result("labels", start=1.5)),
    "span without start": Bad("no_place", result("labels", start=GONE)),
    "span without end": Bad("missing_key", result("labels", end=GONE)),
    "span in strings": Bad(
        "not_a_number", result("labels", start="5", end="8"), "5 and 8", "warning"
    ),
    "span with two kinds of offsets": Bad("offset", result("labels", startOffset=5, endOffset=8)),
    "hypertext with global offsets only": Bad(
        "missing_key",
        result(
            "marks",
            **dict.fromkeys(("start", "end", "startOffset", "endOffset"), GONE),
            globalOffsets={"start": 0, "end": 2},
        ),
    ),
    "hypertext without offsets": Bad(
        "missing_key", result("marks", startOffset=GONE, endOffset=GONE)
    ),
    "hypertext with a negative offset": Bad("offset", result("marks", startOffset=-1)),
    "hypertext of nothing": Bad("empty_span", result("marks", startOffset=2)),
    "hypertext without an end": Bad("xpath", result("marks", end=None)),
    "paragraph as a number": Bad("paragraph", result("turns", start=0), 'write "0"'),
    "paragraph as a name": Bad("paragraph", result("turns", start="Ann")),
    "paragraph without offset": Bad("offset", result("turns", startOffset=GONE)),
    "paragraphs backwards": Bad("empty_span", result("turns", start="1", end="0")),
    "sound of nothing": Bad("empty_span", result("sounds", end=0.5)),
    "sound before the start": Bad("offset", result("sounds", start=-1)),
    "sound without end": Bad("missing_key", result("sounds", end=GONE)),
    "sound past the end": Bad("past_the_end", {**result("sounds"), "original_length": 1.0}),
    "channel is text": Bad("channel", result("sounds", channel="left")),
    "time backwards": Bad("empty_span", result("phases", start=9)),
    "moment that is none": Bad("empty_span", result("phases", start=2.5), '"instant": true'),
    "time is text": Bad("wrong_format", result("phases", start="noon")),
    "date of another format": Bad("wrong_format", result("weeks", start="1.1.2024"), "%Y-%m-%d"),
    "no frames": Bad("missing_key", result("timeline", ranges=[])),
    "half a frame": Bad("frame", result("timeline", ranges=[{"start": 1.5, "end": 3}])),
    "frames backwards": Bad("empty_span", result("timeline", ranges=[{"start": 9, "end": 3}])),
    "track without keyframes": Bad("missing_key", result("track", sequence=[])),
    "keyframes in disorder": Bad(
        "frame", result("track", sequence=[{**KEYFRAME, "frame": 5}, KEYFRAME])
    ),
    "keyframe without frame": Bad("frame", result("track", sequence=[{**KEYFRAME, "frame": None}])),
    "keyframe of no size": Bad("zero_size", result("track", sequence=[{**KEYFRAME, "width": 0}])),
    "keyframe is a number": Bad("not_an_object", result("track", sequence=[3])),
    "track with an unknown label": Bad("unknown_label", result("track", labels=["Star"])),
    # answers of the whole task
    "unknown choice": Bad("unknown_label", result("choice", choices=["godo"]), 'mean "good"'),
    "choice by value, not alias": Bad("unknown_label", result("choice", choices=["bad"]), '"b"'),
    "choice is text": Bad("not_a_list", result("choice", choices="good")),
    "choice is a number": Bad("not_a_string", result("choice", choices=[1])),
    "choice as a path": Bad("not_a_string", result("choice", choices=[["good"]]), "allowNested"),
    "two of one choice": Bad(
        "too_many_choices", result("choice", choices=["good", "b"]), "", "warning"
    ),
    "nested choice as text": Bad(
        "not_a_list", result("nested", choices=["Flies"]), '[["Flies"]]'[1:-1]
    ),
    "unknown nested choice": Bad("unknown_label", result("nested", choices=[["Eats", "Meat"]])),
    "choice around others": Bad("inner_choice", result("nested", choices=[["Eats"]])),
    "taxonomy as names": Bad("not_a_list", result("tree", taxonomy=["A"]), 'write ["A"]'),
    "unknown taxonomy": Bad("unknown_label", result("tree", taxonomy=[["A", "C"]]), '"B"'),
    "no taxonomy": Bad("no_label", result("tree", taxonomy=[])),
    "rating over the most": Bad("out_of_range", result("rating", rating=8), "from 1 to 7"),
    "rating of halves": Bad("out_of_range", result("rating", rating=2.5)),
    "rating is text": Bad("not_a_number", result("rating", rating="3")),
    "number over the most": Bad("out_of_range", result("number", number=11), "0 to 10"),
    "number is text": Bad("not_a_number", result("number", number="3")),
    "number is missing": Bad("missing_key", result("number", number=GONE)),
    "date with a time": Bad("wrong_format", result("date", datetime="2024-02-29T10:00")),
    "date that is none": Bad("wrong_format", result("date", datetime="2023-02-29")),
    "date is a number": Bad("missing_key", result("date", datetime=5)),
    "pairwise of neither": Bad("selected", result("pair", selected="both")),
    "ranker is a list": Bad("not_an_object", result("rank", ranker=["one"])),
    "ranker of an unknown bucket": Bad("unknown_label", result("rank", ranker={"worst": ["one"]})),
    "ranker of numbers": Bad("not_a_list", result("rank", ranker={"best": [1]})),
    # relations
    "relation to nobody": Bad(
        "unknown_region", {"type": "relation", "from_id": "good", "to_id": "x"}, "no such region"
    ),
    "relation without end": Bad("missing_key", {"type": "relation", "from_id": "good"}),
    "relation upwards": Bad(
        "direction", {"type": "relation", "from_id": "good", "to_id": "good", "direction": "up"}
    ),
    "relation with an unknown label": Bad(
        "unknown_label",
        {"type": "relation", "from_id": "good", "to_id": "good", "labels": ["under"]},
        '"next to"',
    ),
    "relation with a label as text": Bad(
        "not_a_list", {"type": "relation", "from_id": "good", "to_id": "good", "labels": "next to"}
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_results_are_named(bad: Bad) -> None:
    good = {**result("box"), "id": "good"}
    findings = check_results(CONFIG, [good, bad.result])
    assert {(finding.rule, finding.severity) for finding in findings} == {(bad.rule, bad.severity)}
    finding = findings[0]
    assert finding.index == 1
    assert bad.says in finding.message
    name = bad.result.get("id") if isinstance(bad.result, dict) else None
    if isinstance(name, str) and name:
        assert finding.region == name
        assert finding.message.startswith(f"region {name}: ")
    else:
        assert finding.region is None


IN_DATA = {
    "span past the end": Bad("past_the_end", result("labels", end=20), "has 8 characters"),
    "span in UTF-16": Bad(
        "past_the_end", result("labels", start=6, end=9), "in characters they are 5 and 8"
    ),
    "span of other text": Bad("text", result("labels", start=0, end=2), 'is "Hi"', "warning"),
    "span in bytes": Bad(
        "past_the_end", result("labels", start=8, end=11), "the offsets count bytes"
    ),
    "paragraph past the end": Bad("past_the_end", result("turns", end="2"), "has 2 paragraphs"),
    "offset past the paragraph": Bad("past_the_end", result("turns", endOffset=9)),
    "unknown item": Bad("unknown_item", result("rank", ranker={"best": ["three"]})),
}


@pytest.mark.parametrize("bad", IN_DATA.values(), ids=IN_DATA)
def test_results_are_compared_with_the_task(bad: Bad) -> None:
    assert check_results(CONFIG, [bad.result]) == []
    task = {"data": DATA, "predictions": [prediction([bad.result])]}
    [finding] = check_task(CONFIG, task)
    assert (finding.rule, finding.severity) == (bad.rule, bad.severity)
    assert bad.says in finding.message


def test_an_id_is_for_one_place() -> None:
    box, ellipse = result("box"), {**result("ellipse"), "id": "r-box"}
    for second in (box, ellipse):
        [finding] = check_results(CONFIG, [box, second])
        assert (finding.rule, finding.index) == ("duplicate_id", 1)
    area = {**result("area"), "id": "r-box"}
    assert check_results(CONFIG, [box, area]) == []
    bare = {**area, "value": {"text": ["x"]}}
    assert check_results(CONFIG, [box, bare]) == []
    assert [found.rule for found in check_results(CONFIG, [bare, box])] == ["no_place"]
    [finding] = check_results(CONFIG, [box, bare, bare])
    assert (finding.rule, finding.index) == ("duplicate_id", 2)
    assert 'what TextArea "area" says of a region belongs into one result' in finding.message


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        pytest.param({"result": None}, "result", id="no list"),
        pytest.param({"result": GONE}, "result", id="no result"),
        pytest.param({"result": "[]"}, "result", id="text"),
        pytest.param({"score": "high"}, "score", id="score is text"),
        pytest.param({"score": 7}, "score", id="score over 1"),
        pytest.param({"model_version": None}, "model_version", id="no version"),
        pytest.param({"model_version": 3}, "model_version", id="version is a number"),
    ],
)
def test_bad_predictions_are_named(change: Json, rule: str) -> None:
    found = {key: given for key, given in {**prediction([]), **change}.items() if given is not GONE}
    assert [finding.rule for finding in check_prediction(CONFIG, found)] == [rule]


@pytest.mark.parametrize(
    ("task", "rule"),
    [
        pytest.param([], "not_an_object", id="a list"),
        pytest.param({}, "data", id="no data"),
        pytest.param({"data": "x"}, "data", id="data is text"),
        pytest.param({"data": DATA, "predictions": {}}, None, id="no predictions"),
        pytest.param({"data": DATA, "predictions": "x"}, "predictions", id="predictions are text"),
        pytest.param({"data": DATA, "predictions": [None]}, "not_an_object", id="null"),
        pytest.param({"data": {**DATA, "image": None}}, "missing_data", id="a key is missing"),
        pytest.param(
            {"data": DATA, "predictions": [{"result": []}]}, "model_version", id="no version"
        ),
    ],
)
def test_bad_tasks_are_named(task: Any, rule: str | None) -> None:
    assert [finding.rule for finding in check_task(CONFIG, task)] == ([rule] if rule else [])


def test_findings_of_several_predictions_say_which() -> None:
    task = {"data": DATA, "predictions": [prediction([]), prediction([beside(score=7)])]}
    [finding] = check_task(CONFIG, task)
    assert (finding.prediction, finding.region) == (1, "r-box")
    assert str(finding).startswith("error: prediction 1: region r-box: ")


SIZE = ImageSize(100, 50)


@pytest.mark.parametrize(
    ("shape", "name", "rule"),
    [
        pytest.param(Rectangle(90, 10, 40, 10), "box", None, id="a box over the edge is clipped"),
        pytest.param(Rectangle(120, 10, 40, 10), "box", "zero_size", id="a box outside"),
        pytest.param(Rectangle(10, 10, 0, 10), "box", "zero_size", id="a box of no width"),
        pytest.param(Rectangle(math.nan, 1, 2, 3), "box", "not_a_number", id="a box of NaN"),
        pytest.param(Rectangle(-5, 10, 40, 10, 45), "box", None, id="a turned box over the edge"),
        pytest.param(Polygon([(1, 1), (2, 2)]), "polygon", "too_few_points", id="two points"),
        pytest.param(Polygon([(-9, 1), (2, 20), (999, 3)]), "polygon", None, id="points outside"),
        pytest.param(KeyPoint(300, 1), "point", "out_of_image", id="a keypoint outside"),
    ],
)
def test_noise_of_models_is_clipped_or_named(shape: Any, name: str, rule: str | None) -> None:
    made = region(shape, {TARGETS[name]: "Car"}, SIZE)
    assert {finding.rule for finding in check_results(CONFIG, made.results)} == (
        {rule} if rule else set()
    )


def test_a_span_past_the_end_keeps_its_offsets_and_is_named() -> None:
    made = region(TextSpan(5, 99), {TARGETS["labels"]: "Person"}, DATA["text"])
    assert [found.rule for found in check_results(CONFIG, made.results, DATA)] == ["past_the_end"]
