"""Texts of samples with their labelled spans."""

from collections.abc import Iterator
from typing import NamedTuple

from shared.errors import SettingError
from shared.evaluation.annotated_task import labels_of
from shared.evaluation.dataset.pictures import names_regions
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.sampler import TEXT_TAGS
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag


class LabelledSpan(NamedTuple):
    """Code points `start` to `end` (exclusive) with a label of a control tag."""

    start: int
    end: int
    label: str
    control: str


def text_objects(config: LabelConfig) -> list[ObjectTag]:
    """Return the object tags that show texts."""
    return [target for target in config.objects.values() if target.tag in TEXT_TAGS]


def find_text_object(config: LabelConfig) -> ObjectTag:
    """Return the text that a dataset is of: the first with spans, or else the first.

    SettingError if the label config has none.
    """
    texts = text_objects(config)
    if not texts:
        shown = ", ".join(map(str, config.objects.values())) or "nothing"
        raise SettingError(
            f"this format is for texts (Text, HyperText or Paragraphs); the label config shows"
            f" {shown}"
        )
    return next((one for one in texts if span_controls(config, one.name)), texts[0])


def span_controls(config: LabelConfig, name: str) -> list[Control]:
    """Return the control tags that label spans of an object tag."""
    return [control for control in config.controls_on(name) if names_regions(control)]


def choice_controls(config: LabelConfig, name: str) -> list[Control]:
    """Return the Choices for a whole object tag."""
    return [
        control
        for control in config.controls_on(name)
        if control.tag == "Choices" and not control.per_region
    ]


def read_spans(sample: Sample, name: str, config: LabelConfig) -> Iterator[LabelledSpan]:
    """Yield the labelled spans of a text, in its order."""
    found = []
    for region in sample.regions:
        if region["object"] != name or region["shape"]["type"] != "span":
            continue
        for control_name, value in region["values"].items():
            control = config.find_control(control_name)
            if control is not None and names_regions(control):
                start, end = region["shape"]["start"], region["shape"]["end"]
                for label in labels_of(control, value):
                    found.append(LabelledSpan(start, end, label, control_name))
    yield from sorted(found)
