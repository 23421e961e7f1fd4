"""What would fill a control tag that nobody fills: the nearest backend, or the nearest tag."""

from typing import ClassVar

import pytest

from shared.backend.base import Backend
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.nearest_tags import describe_nearest

TEXT = '<Text name="t" value="$t"/>'
IMAGE = '<Image name="t" value="$t"/>'


class _Kind(Backend):
    def infer(self, model, items):
        return items

    def regions(self, output, claim):
        return ()


class Spans(_Kind):
    name = "spans"
    fills = frozenset({("Labels", "Text"), ("Choices", "Text")})


class Rules(_Kind):
    name = "rules"
    fills = frozenset({("Labels", "Text")})
    opt_in = True


class Shapes(_Kind):
    name = "shapes"
    fills = frozenset(
        (f"{shape}{kind}", "Image")
        for shape in ("Rectangle", "Polygon", "Ellipse", "Brush", "Bitmask")
        for kind in ("", "Labels")
    )


class Tracks(_Kind):
    name = "tracks"
    fills = frozenset({("VideoRectangle", "Video"), ("TimelineLabels", "Video")})


class Clicks(_Kind):
    name = "clicks"
    fills = frozenset({("VideoRectangle", "Video")})


class Absent(_Kind):
    name = "absent"
    fills = frozenset({("Rating", "Text"), ("Pairwise", "Image")})
    modules = ("a_package_that_is_not_there",)


class Anything(_Kind):
    name = "anything"
    fills_rest: ClassVar[bool] = True


ALL = (Spans, Rules, Shapes, Absent, Anything)


@pytest.mark.parametrize(
    ("tags", "serving", "expected"),
    [
        pytest.param(
            TEXT + '<Labels name="a" toName="t"/>',
            [Spans],
            "spans fills Labels on Text, not this one",
            id="left-by-its-backend",
        ),
        pytest.param(
            TEXT + '<Labels name="a" toName="t"/>',
            [Rules],
            'rules fills Labels on Text where model_backend="rules" asks for it',
            id="attribute",
        ),
        pytest.param(
            TEXT + '<Labels name="a" toName="t"/>',
            [Shapes],
            "spans fills Labels on Text: add spans to the names after `prelabel serve` or"
            " `--backend`",
            id="not-named",
        ),
        pytest.param(
            TEXT + '<Rating name="a" toName="t"/>',
            [Spans, Anything],
            "absent fills Rating on Text: absent needs a_package_that_is_not_there: install what",
            id="not-installed",
        ),
        pytest.param(
            TEXT + '<Taxonomy name="a" toName="t"/><Taxonomy name="b" toName="t"/>',
            [Spans, Anything],
            "nearest to Taxonomy on Text is Choices (spans)",
            id="same-family-once",
        ),
        pytest.param(
            IMAGE + '<KeyPointLabels name="a" toName="t"/>',
            [Shapes, Anything],
            "nearest to KeyPointLabels on Image are BitmaskLabels, BrushLabels, EllipseLabels,"
            " PolygonLabels and 1 more (shapes)",
            id="few-names",
        ),
        pytest.param(
            IMAGE + '<VideoRectangle name="a" toName="t"/>',
            [Spans, Anything],
            "nearest to VideoRectangle on Image are Bitmask, Brush, Ellipse, Polygon and 1 more"
            " (shapes), which does not serve here",
            id="of-others",
        ),
        pytest.param(
            '<Video name="t" value="$t"/><BrushLabels name="a" toName="t"/>',
            [Tracks, Clicks, Anything],
            "nearest to BrushLabels on Video is VideoRectangle (tracks, clicks)",
            id="by-two-backends",
        ),
        pytest.param(
            TEXT + '<DateTime name="a" toName="t"/>',
            [Spans],
            "nearest to DateTime on Text is Choices (spans); anything fills what others leave: add"
            " anything to the names after `prelabel serve` or `--backend`",
            id="the-rest",
        ),
        pytest.param(
            '<Chat name="t" value="$t"/><Rating name="a" toName="t"/>',
            [Spans, Anything],
            "what serves here fills control tags on Text",
            id="no-such-object",
        ),
        pytest.param(
            TEXT + '<Labels name="a" toName="gone"/>',
            [Spans],
            "none of them is on an object tag",
            id="no-object",
        ),
        pytest.param(TEXT, [Spans], "", id="no-control-tag"),
        pytest.param(
            TEXT + '<Labels name="a" toName="t"/>', [], "no backend is running", id="none"
        ),
    ],
)
def test_nearest(tags: str, serving: list[type[Backend]], expected: str) -> None:
    config = LabelConfig.parse(f"<View>{tags}</View>")
    backends = [cls(label_config=config.xml, served=True) for cls in serving]
    found = describe_nearest(config, backends, lambda _, backend: not backend.opt_in, lambda: ALL)
    if "absent" in expected:  # how it is installed depends on where the tests run
        found = found[: len(expected)]
    assert found == expected
