"""Which backend fills which control tag, where all of them serve: a table over real label configs.

For Label Studio's own templates that is docs/gallery.md, which tests/editor/test_gallery.py holds.
"""

from pathlib import Path

import pytest

from shared.backend.registry import find_backends
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "tests" / "results" / "guide"


def filled(xml: str) -> dict[str, str]:
    """The backend of each control tag; "a or b" where their models decide it."""
    backends = [cls(label_config=xml, served=True) for cls in find_backends().values()]
    return runtime().planner.plan(LabelConfig.parse(xml), backends).filled_by()


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT_CLASSIFICATION_MODEL", "starter")  # without one it claims nothing


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("02-bbox-and-choices", {"label": "detection", "choice": "detection"}),
        (
            "03-unlabeled-regions",
            dict.fromkeys(["rect", "polygon", "ellipse", "kp", "labels"], "detection"),
        ),
        ("04-text-spans", {"label": "ner"}),
        ("05-ocr", {"bbox": "ocr", "label": "ocr", "transcription": "ocr"}),
    ],
)
def test_the_examples_of_the_guide(name: str, expected: dict[str, str]) -> None:
    assert filled((GUIDE / f"{name}.xml").read_text(encoding="utf-8")) == expected


@pytest.mark.parametrize(
    "backend", ["audio", "detection", "ner", "ocr", "speech", "text_classification"]
)
def test_the_example_of_a_backend_is_its_own(backend: str) -> None:
    xml = (ROOT / "backends" / backend / "label_config.xml").read_text(encoding="utf-8")
    assert set(filled(xml).values()) == {backend}


IMAGE = '<Image name="image" value="$image"/>'


def shape(tag: str, *labels: str) -> str:
    inside = "".join(f'<Label value="{label}"/>' for label in labels)
    return f'<{tag} name="box" toName="image">{inside}</{tag}>'


def area(name: str, more: str = 'perRegion="true"', header: str = "") -> str:
    head = f'<Header value="{header}"/>' if header else ""
    return f'<View>{head}<TextArea name="{name}" toName="image" {more}/></View>'


EITHER = "ocr or detection"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        pytest.param(
            [shape("RectangleLabels", "circle", "star"), area("description", header="Describe it")],
            {"box": "detection"},
            id="note on each box",
        ),
        pytest.param(
            [shape("PolygonLabels", "Car", "Person"), area("comment")],
            {"box": "detection"},
            id="note on each polygon",
        ),
        pytest.param(
            [shape("BrushLabels", "Road"), area("transcription")],
            {"box": "detection"},
            id="text is not painted",
        ),
        pytest.param(
            [shape("RectangleLabels", "circle", "star"), area("transcription")],
            {"box": EITHER, "transcription": "ocr"},
            id="other labels, text asked for",
        ),
        pytest.param(
            [shape("RectangleLabels", "Date", "Total", "Item"), area("ocr_text")],
            {"box": EITHER, "ocr_text": "ocr"},
            id="receipt",
        ),
        pytest.param(
            [shape("RectangleLabels", "Licence plate"), area("plate_number")],
            {"box": "detection"},
            id="licence plate, nothing says text",
        ),
        pytest.param(
            [shape("RectangleLabels", "Licence plate"), area("plate", header="Text on the plate")],
            {"box": EITHER, "plate": "ocr"},
            id="licence plate, the header says text",
        ),
        pytest.param(
            [shape("RectangleLabels", "Text", "Handwriting"), area("t")],
            {"box": "ocr", "t": "ocr"},
            id="labels say text",
        ),
        pytest.param(
            [shape("RectangleLabels", "Text", "Table", "Figure"), area("t")],
            {"box": EITHER, "t": "ocr"},
            id="layout of a page",
        ),
        pytest.param(
            [shape("RectangleLabels", "circle"), area("note", 'perRegion="1" model_backend="ocr"')],
            {"box": "ocr", "note": "ocr"},
            id="asked for by hand",
        ),
        pytest.param(
            [
                shape("RectangleLabels", "Date").replace(
                    " toName", ' model_backend="detection" toName'
                ),
                area("text"),
            ],
            {"box": "detection"},
            id="detector by hand",
        ),
        pytest.param(
            [shape("Rectangle"), shape("Polygon").replace("box", "poly"), area("text")],
            {"box": "ocr", "poly": "ocr", "text": "ocr"},
            id="two plain shapes",
        ),
        pytest.param(
            [shape("Rectangle"), area("notes")], {"box": "detection"}, id="plain box with a note"
        ),
        pytest.param(
            [shape("RectangleLabels", "Line"), area("note"), area("transcription")],
            {"box": "ocr", "transcription": "ocr"},
            id="a note and the text",
        ),
        pytest.param([area("caption", "", "Describe the image:")], {}, id="caption"),
        pytest.param([area("report", "", "Findings")], {}, id="mammogram"),
        pytest.param([area("text", "", "Describe the image")], {}, id="header before the name"),
        pytest.param([area("page_text", "")], {"page_text": "ocr"}, id="whole page"),
    ],
)
def test_what_people_write(inside: list[str], expected: dict[str, str]) -> None:
    assert filled(f"<View>{IMAGE}{''.join(inside)}</View>") == expected
