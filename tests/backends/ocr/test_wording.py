"""OCR fills text areas that ask for the text in their image, and no others."""

import pytest

from backends.ocr.backend import OcrBackend
from shared.pipeline.runtime import runtime

IMAGE = '<Image name="i" value="$image"/>'
BOX = '<RectangleLabels name="b" toName="i"><Label value="Line"/></RectangleLabels>'


def names(area: str, before: str = "", shape: str = BOX) -> set[str]:
    """Return the control tags that OCR fills."""
    xml = f"<View>{IMAGE}{shape}{before}<TextArea toName='i' {area}/></View>"
    backend = OcrBackend(label_config=xml)
    route = runtime().planner.plan(backend.config, [backend])
    return {control.name for claim in route.all_claims() for control in claim.controls}


@pytest.mark.parametrize("where", ['perRegion="true"', ""], ids=["per region", "whole page"])
@pytest.mark.parametrize(
    ("area", "before"),
    [
        ('name="transcription"', ""),
        ('name="ocr"', ""),
        ('name="ocr_result_2"', ""),
        ('name="lineText"', ""),
        ('name="OCRText"', ""),
        ('name="recognized-text"', ""),
        ('name="transcripción"', ""),
        ('name="texte"', ""),
        ('name="текст"', ""),
        ('name="文字识别"', ""),
        ('name="t" placeholder="Recognized Text"', ""),
        ('name="t" placeholder="Type or correct OCR text…"', ""),
        ('name="t" placeholder="Type the text that you see"', ""),
        ('name="t" placeholder="Enter the transcription"', ""),
        ('name="t" label="Text"', ""),
        ('name="t"', '<Header value="Text in the image"/>'),
        ('name="t"', "<Header>Transcribe the page</Header>"),
        ('name="t"', '<View><Header value="OCR"/></View>'),
        ('name="t" model_backend="ocr"', ""),
        ('name="description" model_backend="ocr"', '<Header value="Describe it"/>'),
        ('name="t" ocr_granularity="word"', ""),
        ('name="transcription"', '<Header value="Describe the object"/>'),
    ],
)
def test_asked_for(area: str, before: str, where: str) -> None:
    name = area.split('"')[1]
    assert names(f"{area} {where}", before) == ({"b", name} if where else {name})


@pytest.mark.parametrize("where", ['perRegion="true"', ""], ids=["per region", "whole page"])
@pytest.mark.parametrize(
    ("area", "before"),
    [
        ('name="t"', ""),
        ('name="caption"', '<Header value="Describe the image:"/>'),
        ('name="description"', ""),
        ('name="notes"', '<Header value="Additional Observations / Notes (Optional)"/>'),
        ('name="comment" placeholder="Enter text here"', ""),
        ('name="damage" placeholder="Enter text here…"', ""),
        ('name="answer"', '<Header value="Which question does the text answer?"/>'),
        ('name="text"', '<Header value="Describe the image"/>'),
        ('name="text" placeholder="Your comment"', ""),
        ('name="alt_text"', ""),
        ('name="textDescription"', ""),
        ('name="transcription_notes"', ""),
        ('name="context"', ""),
        ('name="texture"', ""),
        ('name="t"', '<Header value="$text"/>'),
        ('name="t"', '<Header value="Text"/><Choices name="c" toName="i"/>'),
        ('name="文字说明"', ""),
        ('name="Beschreibung"', '<Header value="Text zum Bild"/>'),
        ('name="plate_number"', '<Header value="License plate"/>'),
    ],
)
def test_not_asked_for(area: str, before: str, where: str) -> None:
    assert names(f"{area} {where}", before) == set()


@pytest.mark.parametrize(
    ("labels", "taken"),
    [
        ('<Label value="Text"/><Label value="Logo"/>', True),
        ('<Label value="Handwriting"/>', True),
        ('<Label value="Amount" predicted_values="text"/>', True),
        ('<Label value="1" alias="printed text"/>', True),
        ('<Label value="Circle"/><Label value="Line"/>', False),
        ('<Label value="Context"/>', False),
    ],
)
def test_labels_for_text(labels: str, taken: bool) -> None:
    for tag in ("RectangleLabels", "PolygonLabels"):
        shape = f'<{tag} name="b" toName="i">{labels}</{tag}>'
        assert names('name="t" perRegion="true"', shape=shape) == ({"b", "t"} if taken else set())
        assert names('name="note" perRegion="true"', shape=shape) == set()


def test_one_of_several_text_areas_is_for_text() -> None:
    note = '<TextArea name="note" toName="i" perRegion="true"/>'
    assert names('name="text" perRegion="true"', note) == {"b", "text"}


def test_explanation_of_an_unfilled_text_area_names_the_remedy() -> None:
    xml = f'<View>{IMAGE}<TextArea name="caption" toName="i"/></View>'
    backend = OcrBackend(label_config=xml)
    left, nothing = runtime().planner.plan(backend.config, [backend]).problems
    assert nothing.endswith("; ocr fills TextArea on Image, not this one")
    assert left == (
        'TextArea "caption" is left empty: ocr could fill it with the text in its image, but'
        " neither its name nor its header, placeholder or labels ask for that;"
        ' model_backend="ocr" on it does'
    )
    skipped = xml.replace("name=", 'model_skip="true" name=')
    backend = OcrBackend(label_config=skipped)
    assert len(runtime().planner.plan(backend.config, [backend]).problems) == 1


def test_explanation_of_a_text_area_without_a_shape_names_what_is_missing() -> None:
    xml = f'<View>{IMAGE}<TextArea name="text" toName="i" perRegion="true"/></View>'
    backend = OcrBackend(label_config=xml)
    left, _ = runtime().planner.plan(backend.config, [backend]).problems
    assert "needs a tag on its image that draws (Rectangle, RectangleLabels, Polygon" in left


def test_second_unlabeled_shape_is_not_left_to_a_detector() -> None:
    """The detector would draw the objects on a page whose lines are wanted."""
    shapes = '<Rectangle name="r" toName="i"/><Polygon name="p" toName="i"/>'
    assert names('name="text" perRegion="true"', shape=shapes) == {"r", "p", "text"}
