"""Which control tags get masks, and of which labels."""

import pytest

from backends.detection import DetectionBackend
from backends.ocr import OcrBackend
from backends.segment.tag_choice import LabelOwnership
from shared.backend.base import Backend
from shared.errors import ConfigError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from tests.backends.segment.flood import FloodBackend

LABELS = '<Label value="Cat"/><Label value="Dog"/>'
POINTS = f'<KeyPointLabels name="k" toName="i" smart="true">{LABELS}</KeyPointLabels>'
SMART_BOXES = f'<RectangleLabels name="r" toName="i" smart="true">{LABELS}</RectangleLabels>'
BOXES = f'<RectangleLabels name="r" toName="i">{LABELS}</RectangleLabels>'
BRUSH = f'<BrushLabels name="b" toName="i">{LABELS}</BrushLabels>'
POLYGON = f'<PolygonLabels name="p" toName="i">{LABELS}</PolygonLabels>'
BIRD = '<PolygonLabels name="q" toName="i"><Label value="Bird"/></PolygonLabels>'


def config(*tags: str) -> str:
    return f'<View><Image name="i" value="$image"/>{"".join(tags)}</View>'


def claimed(*tags: str, backend: type[Backend] = FloodBackend) -> list[tuple[str, ...]]:
    made = backend(label_config=config(*tags))
    return [tuple(control.name for control in claim.controls) for claim in made.claim(made.config)]


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENT_MODEL", "flood")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param([POINTS, BRUSH], [("b",)], id="clicks to brush"),
        pytest.param([POINTS, SMART_BOXES, BRUSH], [("b",), ("r",)], id="as the official example"),
        pytest.param([POINTS, POLYGON, BRUSH, BIRD], [("b",), ("p",), ("q",)], id="closest first"),
        pytest.param([SMART_BOXES, BRUSH], [("b",), ("r",)], id="boxes to brush"),
        pytest.param([POINTS, BOXES], [("r",)], id="clicks to boxes"),
        pytest.param([BRUSH, BOXES], [], id="nothing smart"),
        pytest.param([SMART_BOXES], [], id="smart boxes alone are OCR's"),
        pytest.param([SMART_BOXES, POLYGON], [], id="and so are smart polygons"),
        pytest.param(
            [POLYGON.replace("toName", 'model_backend="segment" toName')], [("p",)], id="named"
        ),
        pytest.param(
            [
                '<KeyPoint name="k" toName="i" smart="true"/><Brush name="b" toName="i"/>',
                f'<Labels name="l" toName="i">{LABELS}</Labels>',
            ],
            [("b", "l")],
            id="labels of their own",
        ),
        pytest.param(
            [POINTS.replace('smart="true"', 'smartonly="true"'), BRUSH], [("b",)], id="smartonly"
        ),
    ],
)
def test_claims(tags: list[str], expected: list[tuple[str, ...]]) -> None:
    assert claimed(*tags) == expected


def test_each_label_has_one_tag() -> None:
    backend = FloodBackend(label_config=config(POINTS, POLYGON, BRUSH, BIRD))
    owned = [claim.options["owned"] for claim in backend.claim(backend.config)]
    assert [share.labels for share in owned] == [{"Cat", "Dog"}, frozenset(), {"Bird"}]
    assert owned[0].elsewhere == {"Bird"}


def test_what_a_version_is_made_of_has_an_order() -> None:
    """Of a set each process has another one."""
    share = LabelOwnership(frozenset("cab"), frozenset("ed"), False)
    assert str(share) == "a, b, c; not d, e; rest False"


def test_without_a_model_it_claims_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGMENT_MODEL")
    assert claimed(POINTS, BRUSH) == []
    backend = FloodBackend(label_config=config(POINTS, BRUSH))
    [sentence] = backend.explain_unfilled(backend.config)
    assert "set SEGMENT_MODEL" in sentence
    assert "set SEGMENT_MODEL" in (FloodBackend.idle_reason() or "")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("flood", True),
        ("starter", True),
        ("mine.pt", False),
        ("../a", False),
        pytest.param("a" * 5000, False, id="long"),
    ],
)
def test_a_label_config_names_only_allowed_weights(path: str, allowed: bool) -> None:
    tag = BRUSH.replace("toName", f'model_path="{path}" toName')
    backend = FloodBackend(label_config=config(POINTS, tag))
    if allowed:
        assert backend.claim(backend.config)[0].spec.model == path
        return
    with pytest.raises(ConfigError, match=r"SEGMENT_ALLOWED_MODELS$"):
        backend.claim(backend.config)


def test_a_mistyped_name_is_answered_with_the_one_that_was_meant() -> None:
    tag = BRUSH.replace("toName", 'model_path="mobile_sma.pt" toName')
    backend = FloodBackend(label_config=config(POINTS, tag))
    with pytest.raises(ConfigError, match=r"Did you mean mobile_sam\.pt\?$"):
        backend.claim(backend.config)


def test_without_a_model_masks_in_bulk_are_explained_in_their_own_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SEGMENT_MODEL")
    tag = BRUSH.replace("toName", 'model_segment="true" toName')
    backend = FloodBackend(label_config=config(tag))
    [sentence] = backend.explain_unfilled(backend.config)
    assert sentence.endswith('gets no masks, as model_segment="true" asks: set SEGMENT_MODEL')


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param(
            [
                '<RectangleLabels name="r" toName="i" model_path="my.pt"><Label value="a"/>'
                "</RectangleLabels>"
            ],
            id="no-smart-tag",
        ),
        pytest.param(
            [POINTS, BRUSH.replace("toName", 'model_path="yolov8n-seg.pt" toName')], id="bulk"
        ),
    ],
)
def test_weights_of_a_detector_are_left_to_it(tags: list[str]) -> None:
    backend = FloodBackend(label_config=config(*tags))
    assert {claim.spec.model for claim in backend.claim(backend.config)} <= {"flood"}


def test_other_backends_keep_the_tags_in_bulk() -> None:
    parsed = LabelConfig.parse(
        config(POINTS, SMART_BOXES, BRUSH, '<TextArea name="t" toName="i" perRegion="true"/>')
    )
    classes = (FloodBackend, DetectionBackend, OcrBackend)
    plan = runtime().planner.plan(parsed, [cls(label_config=parsed.xml) for cls in classes])
    filled = {
        (step.backend.name, claim.control.name, step.interactive_only)
        for step in plan.steps
        for claim in step.claims
    }
    assert ("segment", "b", True) in filled
    assert ("detection", "b", False) in filled
    alone = runtime().planner.plan(
        parsed, [cls(label_config=parsed.xml) for cls in classes if cls is not FloodBackend]
    )
    assert plan.version() == alone.version()
