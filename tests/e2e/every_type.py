"""The table of every result type: what is built for it, and how the editor's answer may differ."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from shared.label_studio.label_config import Control, LabelConfig
from shared.results import (
    AudioSpan,
    Bitmask,
    Brush,
    Dialogue,
    Document,
    Ellipse,
    HyperTextSpan,
    KeyPoint,
    ParagraphSpan,
    Polygon,
    Rectangle,
    Region,
    TextSpan,
    TimelineSpan,
    TimeSeriesSpan,
    Vector,
    VideoBox,
    VideoTrack,
    region,
    relation,
    whole_task,
)

from . import media
from .media import SIZE, VIDEO

Named = Callable[[str], Control]
Build = Callable[[Named], Iterable[Region]]


@dataclass(frozen=True)
class Scene:
    """A label config and a task's data; its rows are the task's predictions.

    The name of a file of `media.FILES` stands for its address once it is uploaded.
    """

    config: str
    data: Callable[[], dict[str, object]]


@dataclass(frozen=True)
class Row:
    """A prediction of a type. `differs` has the lines expected of `differences`, `why` why."""

    name: str
    scene: str
    build: Build
    differs: tuple[str, ...] = ()
    why: str = ""

    def regions(self) -> list[Region]:
        """What is sent."""
        config = LabelConfig.parse(SCENES[self.scene].config)
        controls = {control.name: control for control in config.controls}
        return list(self.build(controls.__getitem__))


LABELS = '<Label value="Car"/><Label value="Bus" alias="B"/>'
SHAPE_TAGS = ("Rectangle", "Polygon", "Ellipse", "KeyPoint", "Brush", "Bitmask", "Vector")
ANSWERS = """
<Choices name="choices" {0}><Choice value="good"/><Choice value="bad" alias="b"/></Choices>
<Choices name="several" choice="multiple" {0}><Choice value="x"/><Choice value="y"/></Choices>
<Choices name="nested" allowNested="true" {0}>
  <Choice value="Eats"><Choice value="Fruit"/></Choice><Choice value="Flies"/>
</Choices>
<Taxonomy name="taxonomy" {0}>
  <Choice value="Animal"><Choice value="Cat" alias="c"/></Choice><Choice value="Plant"/>
</Taxonomy>
<Rating name="rating" maxRating="7" {0}/>
<Number name="number" {0}/>
<DateTime name="datetime" {0}/>
<DateTime name="date" only="date" format="%d.%m.%Y" {0}/>
<TextArea name="textarea" {0}/>
"""
PER_REGION = 'toName="image" perRegion="true"'
WHOLE = 'toName="image"'
PER_ITEM = 'toName="images" perItem="true"'


def _labelled() -> str:
    tags = (
        f'<{tag}Labels name="{tag}" toName="image">{LABELS}</{tag}Labels>' for tag in SHAPE_TAGS
    )
    relations = '<Relations><Relation value="next to"/></Relations>'
    answers = ANSWERS.format(PER_REGION)
    return f'<View><Image name="image" value="$image"/>{"".join(tags)}{answers}{relations}</View>'


def _unlabelled() -> str:
    tags = (f'<{tag} name="{tag}" toName="image"/>' for tag in SHAPE_TAGS)
    labels = f'<Labels name="labels" toName="image">{LABELS}</Labels>'
    area = f'<TextArea name="textarea" {PER_REGION}/>'
    return f'<View><Image name="image" value="$image"/>{"".join(tags)}{labels}{area}</View>'


def _spans(tag: str, control: str, more: str = "") -> str:
    labels = f'<{control} name="labels" toName="object">{LABELS}</{control}>'
    answers = ANSWERS.format('toName="object" perRegion="true"')
    return f'<View>{labels}<{tag} name="object" value="$data" {more}/>{answers}</View>'


TEXT = "  Ann 👩‍🚀 met\r\nCafe\u0301 owner Bob.\tThen she left. "
HTML = (
    "<h2>Ann 👩‍🚀</h2>\n<p>met <b>Bob</b> at<br>noon &amp; ate</p><!-- and -->"
    "<table><tr><td>one</td><td>two</td></tr></table>"
)
DIALOGUE = Dialogue(("Hi 👩‍🚀 Ann", "I am Bob", "Good"), ("A", "B", "A"))
SERIES = {
    "time": [float(second) for second in range(100)],
    "value": [second % 7 for second in range(100)],
}
ITEMS = [{"id": name, "title": name.upper()} for name in ("one", "two", "three")]
DAYS = [f"2024-01-{day:02d}" for day in range(1, 29)]

SCENES = {
    "labelled": Scene(_labelled(), lambda: {"image": media.image()}),
    "unlabelled": Scene(_unlabelled(), lambda: {"image": media.image()}),
    "whole": Scene(
        f'<View><Image name="image" value="$image"/>{ANSWERS.format(WHOLE)}</View>',
        lambda: {"image": media.image()},
    ),
    "images": Scene(
        f'<View><Image name="images" valueList="$images"/>'
        f'<RectangleLabels name="Rectangle" toName="images">{LABELS}</RectangleLabels>'
        f"{ANSWERS.format(PER_ITEM)}</View>",
        lambda: {"images": [media.image(), media.image()]},
    ),
    "text": Scene(_spans("Text", "Labels"), lambda: {"data": TEXT}),
    "hypertext": Scene(_spans("HyperText", "HyperTextLabels"), lambda: {"data": HTML}),
    "paragraphs": Scene(
        _spans("Paragraphs", "ParagraphLabels", 'nameKey="who" textKey="says" layout="dialogue"'),
        lambda: {
            "data": [
                {"who": name, "says": text}
                for name, text in zip(DIALOGUE.names, DIALOGUE.texts, strict=True)
            ]
        },
    ),
    "audio": Scene(_spans("Audio", "Labels"), lambda: {"data": "tone.wav"}),
    "timeseries": Scene(
        '<View><TimeSeriesLabels name="labels" toName="object">'
        f"{LABELS}</TimeSeriesLabels>"
        '<TimeSeries name="object" value="$data" valueType="json" timeColumn="time">'
        '<Channel column="value"/></TimeSeries></View>',
        lambda: {"data": SERIES},
    ),
    "dates": Scene(
        '<View><TimeSeriesLabels name="labels" toName="object">'
        f"{LABELS}</TimeSeriesLabels>"
        '<TimeSeries name="object" value="$data" valueType="json" timeColumn="day"'
        ' timeFormat="%Y-%m-%d"><Channel column="value"/></TimeSeries></View>',
        lambda: {"data": {"day": DAYS, "value": list(range(28))}},
    ),
    "video": Scene(
        '<View><Video name="object" value="$data" frameRate="25"/>'
        '<VideoRectangle name="box" toName="object"/>'
        f'<Labels name="labels" toName="object">{LABELS}</Labels>'
        '<Choices name="choices" toName="object" perRegion="true">'
        '<Choice value="good"/><Choice value="bad"/></Choices></View>',
        lambda: {"data": "clip.webm"},
    ),
    "timeline": Scene(
        '<View><Video name="object" value="$data" frameRate="25"/>'
        f'<TimelineLabels name="labels" toName="object">{LABELS}</TimelineLabels></View>',
        lambda: {"data": "clip.webm"},
    ),
    "pairwise": Scene(
        '<View><Text name="a" value="$a"/><Text name="b" value="$b"/>'
        '<Pairwise name="better" toName="a,b"/></View>',
        lambda: {"a": "one", "b": "two"},
    ),
    "ranker": Scene(
        '<View><List name="list" value="$items"/><Ranker name="rank" toName="list"/></View>',
        lambda: {"items": ITEMS},
    ),
    "buckets": Scene(
        '<View><List name="list" value="$items"/><Ranker name="rank" toName="list">'
        '<Bucket name="best"/><Bucket name="rest" default="true"/></Ranker></View>',
        lambda: {"items": ITEMS},
    ),
}


def _mask() -> np.ndarray:
    mask = np.zeros((SIZE.height, SIZE.width), np.uint8)
    cv2.circle(mask, (120, 90), 40, 255, -1)
    cv2.circle(mask, (120, 90), 15, 0, -1)
    mask[5:9, 200:240] = 255
    return mask


SHAPES = {
    "Rectangle": Rectangle(20, 30, 100, 60),
    "Polygon": Polygon([(20, 30), (100, 35), (60, 120)]),
    "Ellipse": Ellipse(120, 80, 40, 25, 30),
    "KeyPoint": KeyPoint(60, 70, 4),
    "Brush": Brush(_mask()),
    "Bitmask": Bitmask(_mask()),
    "Vector": Vector([(20, 30), (100, 35), (60, 120)]),
}


def _one(tag: str, named: Named) -> Iterable[Region]:
    yield region(SHAPES[tag], {named(tag): ["Car"]}, SIZE, score=0.75)


def _bare(tag: str, named: Named) -> Iterable[Region]:
    yield region(SHAPES[tag], {named(tag): None}, SIZE, score=0.75)


def _split(tag: str, named: Named) -> Iterable[Region]:
    yield region(SHAPES[tag], {named(tag): None, named("labels"): "B"}, SIZE, score=0.75)


REGION_ANSWERS = {
    "choices": "good",
    "several": ["x", "y"],
    "nested": ["Eats", "Fruit"],
    "taxonomy": [["Animal", "c"], ["Plant"]],
    "rating": 5,
    "number": 1.5,
    "datetime": "2024-02-29T13:45",
    "date": "29.02.2024",
    "textarea": ["first", "second"],
}


def _said(name: str, named: Named) -> Iterable[Region]:
    marks = {named("Rectangle"): ["Car"], named(name): REGION_ANSWERS[name]}
    yield region(SHAPES["Rectangle"], marks, SIZE, score=0.75)


def _whole(name: str, named: Named) -> Iterable[Region]:
    yield whole_task(named(name), REGION_ANSWERS[name], score=0.75)


def _item(name: str, named: Named) -> Iterable[Region]:
    yield whole_task(named(name), REGION_ANSWERS[name], item_index=1)


def _keys(named: Named) -> Iterable[Region]:
    mark = {named("Rectangle"): ["B"]}
    parent = region(Rectangle(10, 10, 100, 100), mark, SIZE, meta={"text": ["seen"]})
    yield parent
    yield region(Rectangle(20, 20, 30, 30), mark, SIZE, parent=parent, readonly=True)
    yield region(Rectangle(60, 60, 30, 30), mark, SIZE, parentID=parent.id, hidden=True)


def _related(named: Named) -> Iterable[Region]:
    mark = {named("Rectangle"): ["Car"]}
    boxes = [region(Rectangle(10 + 40 * n, 10, 30, 30), mark, SIZE) for n in range(3)]
    yield from boxes
    yield relation(boxes[0], boxes[1])
    yield relation(boxes[1], boxes[2], "bi", ["next to"])
    yield relation(boxes[2], boxes[0], "left")


def _turned(named: Named) -> Iterable[Region]:
    quad = [(100, 40), (150, 60), (130, 110), (80, 90)]
    yield region(Rectangle.from_quad(quad), {named("Rectangle"): ["Car"]}, SIZE)


def _text(named: Named) -> Iterable[Region]:
    for word in ("Ann", "👩‍🚀", "Cafe\u0301", "Bob", "left. "):
        start = TEXT.index(word)
        yield region(TextSpan(start, start + len(word)), {named("labels"): ["Car"]}, TEXT, 0.5)


def _html(named: Named) -> Iterable[Region]:
    text = Document.parse(HTML).text
    for words in ("Ann", "👩‍🚀", "met Bob at", "noon", "onetwo"):
        start = text.index(words)
        span = HyperTextSpan(start, start + len(words))
        yield region(span, {named("labels"): ["Car"]}, HTML, 0.5)


def _paragraphs(named: Named) -> Iterable[Region]:
    yield region(ParagraphSpan(0, 7, 10), {named("labels"): ["Car"]}, DIALOGUE, 0.5)
    yield region(ParagraphSpan(1, 5, 4, last=2), {named("labels"): ["B"]}, DIALOGUE)


def _audio(named: Named) -> Iterable[Region]:
    yield region(AudioSpan(0.25, 1.125), {named("labels"): ["Car"]}, media.SECONDS, 0.5)


def _placed(shape: object, on: object, name: str, named: Named) -> Iterable[Region]:
    marks = {named("labels"): ["Car"], named(name): REGION_ANSWERS[name]}
    yield region(shape, marks, on)  # type: ignore[arg-type]


def _series(named: Named) -> Iterable[Region]:
    yield region(TimeSeriesSpan(10, 20.5), {named("labels"): ["Car"]}, score=0.5)
    yield region(TimeSeriesSpan(40, 40), {named("labels"): ["B"]})


def _dates(named: Named) -> Iterable[Region]:
    yield region(TimeSeriesSpan("2024-01-03", "2024-01-09"), {named("labels"): ["Car"]})


def _track(named: Named) -> Iterable[Region]:
    boxes = [VideoBox(0, Rectangle(5, 5, 20, 10)), VideoBox(20, Rectangle(30, 20, 20, 10), False)]
    yield region(VideoTrack(boxes), {named("box"): ["Car"]}, VIDEO, 0.5)


def _split_track(named: Named) -> Iterable[Region]:
    boxes = [VideoBox(3, Rectangle(5, 5, 20, 10, 15)), VideoBox(9, Rectangle(9, 9, 20, 10))]
    yield region(VideoTrack(boxes), {named("box"): None, named("labels"): ["Car"]}, VIDEO)


def _timeline(named: Named) -> Iterable[Region]:
    yield region(TimelineSpan(2, 11), {named("labels"): ["Car"]}, VIDEO, 0.5)


def _boxes_on_items(named: Named) -> Iterable[Region]:
    mark = {named("Rectangle"): ["Car"]}
    yield region(SHAPES["Rectangle"], mark, SIZE, item_index=0)
    yield region(SHAPES["Rectangle"], mark, SIZE, item_index=1)


ROWS = [
    *(Row(f"{tag.lower()}labels", "labelled", partial(_one, tag)) for tag in SHAPE_TAGS),
    *(Row(tag.lower(), "unlabelled", partial(_bare, tag)) for tag in SHAPE_TAGS),
    *(Row(f"{tag.lower()} and labels", "unlabelled", partial(_split, tag)) for tag in SHAPE_TAGS),
    Row("turned box", "labelled", _turned),
    Row("readonly, hidden, meta, parentID", "labelled", _keys),
    Row("relations", "labelled", _related),
    *(Row(f"{name} of a region", "labelled", partial(_said, name)) for name in REGION_ANSWERS),
    *(Row(f"{name} of the task", "whole", partial(_whole, name)) for name in REGION_ANSWERS),
    *(Row(f"{name} of an item", "images", partial(_item, name)) for name in REGION_ANSWERS),
    Row("boxes on items", "images", _boxes_on_items),
    Row("labels on text", "text", _text),
    Row("textarea on text", "text", partial(_placed, TextSpan(2, 5), TEXT, "textarea")),
    Row("hypertextlabels", "hypertext", _html),
    Row(
        "choices on hypertext", "hypertext", partial(_placed, HyperTextSpan(0, 3), HTML, "choices")
    ),
    Row("paragraphlabels", "paragraphs", _paragraphs),
    Row(
        "rating on paragraphs",
        "paragraphs",
        partial(_placed, ParagraphSpan(0, 0, 2), DIALOGUE, "rating"),
    ),
    Row("labels on audio", "audio", _audio),
    Row(
        "textarea on audio", "audio", partial(_placed, AudioSpan(0.5, 1), media.SECONDS, "textarea")
    ),
    Row("timeserieslabels", "timeseries", _series),
    Row("timeserieslabels with dates", "dates", _dates),
    Row("videorectangle", "video", _track),
    Row(
        "videorectangle and labels",
        "video",
        _split_track,
        differs=(
            "90557c988db1 labels labels: not displayed",
            "90557c988db1 box videorectangle: value.labels was not sent, is ['Car']",
        ),
        why="The editor writes the labels of a track into its own result (mergeLabelsAndResults)",
    ),
    Row("timelinelabels", "timeline", _timeline),
    Row("pairwise", "pairwise", lambda named: [whole_task(named("better"), "left")]),
    Row("ranker", "ranker", lambda named: [whole_task(named("rank"), ["two", "one", "three"])]),
    Row(
        "ranker with buckets",
        "buckets",
        lambda named: [whole_task(named("rank"), {"best": ["two"], "rest": ["one", "three"]})],
    ),
]
