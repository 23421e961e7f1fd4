"""Annotations for tests, written as regions rather than as JSON."""

from collections.abc import Sequence
from typing import Any

from shared.evaluation.annotated_task import AnnotatedTask, Annotation, StoredPrediction
from shared.label_studio.label_config import LabelConfig
from shared.results import ImageSize, ParsedRegion, Rectangle, TextSpan
from shared.results.whole_task import WholeTask

SIZE = ImageSize(100, 100)
TEXT = "Ada Lovelace met Charles Babbage in London."

CONFIG = LabelConfig.parse("""
<View>
  <Image name="image" value="$image"/>
  <Text name="text" value="$text"/>
  <RectangleLabels name="box" toName="image">
    <Label value="Car"/><Label value="Bus"/>
  </RectangleLabels>
  <Choices name="blurry" toName="image" perRegion="true">
    <Choice value="Yes"/><Choice value="No"/>
  </Choices>
  <TextArea name="plate" toName="image" perRegion="true"/>
  <Labels name="span" toName="text"><Label value="Person"/><Label value="Place"/></Labels>
  <Choices name="class" toName="text">
    <Choice value="A"/><Choice value="B"/><Choice value="C"/>
  </Choices>
  <Choices name="classes" toName="text" choice="multiple">
    <Choice value="A"/><Choice value="B"/><Choice value="C"/>
  </Choices>
  <Number name="count" toName="text"/>
  <TextArea name="summary" toName="text"/>
</View>
""")


def box(left: float, label: str = "Car", score: float | None = None, **more: Any) -> ParsedRegion:
    """Return a box of 10 × 10 pixels at the top; two that are moved by d have IoU (10-d)/(10+d)."""
    values = {"box": [label], **more}
    shape = Rectangle(left, 0, 10, 10)
    controls = {_control(name): value for name, value in values.items()}
    return ParsedRegion(f"{label}{left}", shape, controls, SIZE, score)


def span(start: int, end: int, label: str = "Person", score: float | None = None) -> ParsedRegion:
    """Return a span of the text."""
    name = f"{label}{start}-{end}"
    return ParsedRegion(name, TextSpan(start, end), {_control("span"): [label]}, TEXT, score)


def answer(name: str, value: Any, score: float | None = None) -> ParsedRegion:
    """Return an answer for the whole task."""
    return ParsedRegion(f"{name}={value}", WholeTask(), {_control(name): value}, None, score)


def annotation(*regions: ParsedRegion, by: str = "", day: int = 1) -> Annotation:
    """Return what someone annotated on a day of a month."""
    return Annotation(regions, annotator=by, updated_at=f"2026-01-{day:02}T00:00:00Z")


def task(
    *annotations: Annotation, number: int = 0, predictions: Sequence[StoredPrediction] = ()
) -> AnnotatedTask:
    """Return a task with the annotations."""
    return AnnotatedTask(number, number, {}, CONFIG, annotations, tuple(predictions))


def _control(name: str) -> Any:
    control = CONFIG.find_control(name)
    assert control is not None, name
    return control
