"""A version's evaluation of tasks with every kind of region, for tests of the report."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.backend.process_resources import shared_resources
from shared.evaluation.evaluation import VersionEvaluation
from shared.evaluation.metrics.bootstrap import Bootstrap
from shared.evaluation.problems import ProblemLog
from shared.evaluation.report import ReportSources, write_report
from shared.evaluation.truth import AnnotationChoice, read_truths
from shared.label_studio.label_config import LabelConfig
from shared.results import (
    AudioSpan,
    Brush,
    Dialogue,
    Ellipse,
    KeyPoint,
    ParagraphSpan,
    Polygon,
    Rectangle,
    Region,
    TextSpan,
    VideoBox,
    VideoTrack,
    region,
    whole_task,
)
from tests.e2e.media import SIZE, VIDEO, image
from tests.evaluation.same_id_metric import SameId
from tests.evaluation.tasks import annotation, prediction, raw_task, read_task

CONFIG = LabelConfig.parse("""
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image">
    <Label value="Car"/><Label value="Bus"/>
  </RectangleLabels>
  <PolygonLabels name="area" toName="image"><Label value="Road"/></PolygonLabels>
  <EllipseLabels name="round" toName="image"><Label value="Wheel"/></EllipseLabels>
  <KeyPointLabels name="point" toName="image"><Label value="Lamp"/></KeyPointLabels>
  <BrushLabels name="mask" toName="image"><Label value="Sky"/></BrushLabels>
  <Text name="text" value="$text"/>
  <Labels name="entity" toName="text">
    <Label value="PER"/><Label value="ORG"/><Label value="LOC"/>
  </Labels>
  <Paragraphs name="talk" value="$talk"/>
  <ParagraphLabels name="intent" toName="talk">
    <Label value="Question"/><Label value="Answer"/>
  </ParagraphLabels>
  <Audio name="audio" value="$audio"/>
  <Labels name="sound" toName="audio"><Label value="Speech"/><Label value="Noise"/></Labels>
  <Video name="video" value="$video"/>
  <VideoRectangle name="track" toName="video"/>
  <Labels name="what" toName="video"><Label value="Car"/></Labels>
  <Choices name="quality" toName="image"><Choice value="good"/><Choice value="bad"/></Choices>
  <TextArea name="summary" toName="text"/>
</View>
""")
TEXT = "Ada Lovelace wrote to Charles Babbage in London about the Analytical Engine."
# What must never come into a page as it is.
EVIL = "<script>window.hacked = 1</script>\"'><img src=x onerror='window.hacked = 1'>"
# Where the tasks of a project are opened.
TASK_URL = "http://localhost:8080/projects/3/data?task="
TALK = Dialogue(("Where is the station?", "Two streets on, then left."), ("Ann", "Bob"))


def draw(name: str, label: str, shape: Any, source: Any, **keys: Any) -> Region:
    """Build a region of a control tag of the gallery."""
    control = CONFIG.find_control(name)
    assert control is not None
    values = {control: [label]}
    if name == "track":
        labels = CONFIG.find_control("what")
        assert labels is not None
        values = {control: [label], labels: [label]}
    return region(shape, values, source, **keys)


def say(name: str, value: Any, **keys: Any) -> Region:
    control = CONFIG.find_control(name)
    assert control is not None
    return whole_task(control, value, **keys)


def sky(rows: int) -> np.ndarray:
    mask = np.zeros((SIZE.height, SIZE.width), np.uint8)
    mask[:rows, 30:290] = 1
    return mask


def picture_regions(found: bool) -> list[Region]:
    """Regions on the image: what is true, or what was found."""
    shift = 4 if found else 0
    score = 0.8 if found else None
    own = [
        draw("box", "Car", Rectangle(60 + shift, 40, 140, 80), SIZE, id="car", score=score),
        draw("mask", "Sky", Brush(sky(30 + shift)), SIZE, id="sky", score=score),
        draw("round", "Wheel", Ellipse(90 + shift, 125, 14, 14), SIZE, id="wheel", score=score),
    ]
    if found:
        own += [
            draw("box", "Bus", Rectangle(220, 60, 60, 40), SIZE, id="bus", score=0.62),
            draw("point", "Lamp", KeyPoint(150, 60, 4), SIZE, id="lamp", score=0.3),
        ]
    else:
        road = Polygon([(0, 150), (320, 140), (320, 200), (0, 200)])
        turned = Rectangle(250, 110, 50, 20, 25)
        own += [
            draw("area", "Road", road, SIZE, id="road"),
            draw("box", "Bus", turned, SIZE, id="turned"),
        ]
    return own


def text_regions(found: bool) -> list[Region]:
    """Regions on the text and the dialogue, some of them nested."""
    score = 0.9 if found else None
    own = [
        draw("entity", "PER", TextSpan(0, 12), TEXT, id="ada", score=score),
        draw("intent", "Question", ParagraphSpan(0, 0, 21), TALK, id="ask", score=score),
    ]
    if found:
        own += [
            draw("entity", "ORG", TextSpan(58, 75), TEXT, id="engine", score=0.4),
            draw("entity", "LOC", TextSpan(22, 37), TEXT, id="babbage", score=0.5),
            say("summary", ["Ada wrote a letter"], id="summary"),
        ]
    else:
        own += [
            draw("entity", "PER", TextSpan(22, 37), TEXT, id="babbage"),
            draw("entity", "LOC", TextSpan(41, 47), TEXT, id="london"),
            draw("entity", "PER", TextSpan(30, 37), TEXT, id="surname"),
            draw("intent", "Answer", ParagraphSpan(1, 0, 26), TALK, id="tell"),
            say("summary", ["Ada wrote Babbage a letter"], id="summary"),
        ]
    return own


def time_regions(found: bool) -> list[Region]:
    """Regions in time: of the recording and the video; and a choice."""
    score = 0.7 if found else None
    start = 0.5 if found else 0.4
    boxes = [VideoBox(2, Rectangle(5, 5, 10, 10)), VideoBox(30, Rectangle(30, 5, 10, 10))]
    return [
        draw("sound", "Speech", AudioSpan(start, 1.2), 2.0, id="speech", score=score),
        draw("sound", "Noise", AudioSpan(1.4 if found else 1.0, 1.9), 2.0, id=f"noise-{found}"),
        draw("track", "Car", VideoTrack(boxes[: 2 - found]), VIDEO, id=f"track-{found}"),
        say("quality", "bad" if found else "good", id="quality", score=score),
    ]


def gallery_task(task_id: Any, build: Any, **data: Any) -> dict[str, Any]:
    """Return a task with what is true, and a prediction."""
    talk = [{"author": n, "text": t} for n, t in zip(TALK.names, TALK.texts, strict=True)]
    shown = {
        "image": image(),
        "text": TEXT,
        "talk": talk,
        "audio": "https://example.com/a.wav",
        "video": "https://example.com/a.webm",
    }
    return raw_task(shown | data, [annotation(build(False))], [prediction(build(True))], task_id)


def evaluate(
    tasks: Iterable[dict[str, Any]], version: str = "v1", config: LabelConfig = CONFIG
) -> tuple[dict[str, Any], VersionEvaluation, ProblemLog]:
    """Return the report, the evaluation of the version, and the problems."""
    problems = ProblemLog()
    metrics = {control.name: SameId(control) for control in config.controls}
    evaluated = VersionEvaluation(version, metrics)
    for raw in tasks:
        task = read_task(raw, config, problems)
        assert task is not None
        evaluated.add(task, read_truths(task, AnnotationChoice.latest))
    resampler = Bootstrap(evaluated.tasks)
    controls = {
        control.name: {"tag": control.tag, **metrics[control.name].figures(resampler)}
        for control in config.controls
    }
    count = evaluated.tasks
    report = {
        "tasks": {"read": count, "annotated": count},
        "annotations": "latest",
        "versions": {version: {"tasks": count, "controls": controls}},
    }
    return report, evaluated, problems


GALLERY: Sequence[dict[str, Any]] = (
    gallery_task(1, picture_regions),
    gallery_task(2, text_regions),
    gallery_task(3, time_regions),
)


def sources_of(
    evaluated: VersionEvaluation, problems: ProblemLog, task_url: str | None = None
) -> ReportSources:
    """Return what the report of one version is made of."""
    media = shared_resources().media
    versions = {evaluated.version: evaluated}
    return ReportSources(versions, problems, media, "the gallery", task_url)


def written(tasks: Any, folder: Path, task_url: str | None = TASK_URL) -> str:
    """Write the report of tasks into a folder, and return its page."""
    report, evaluated, problems = evaluate(tasks)
    page = write_report(folder, report, sources_of(evaluated, problems, task_url))
    return page.read_text()
