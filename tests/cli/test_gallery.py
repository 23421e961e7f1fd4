"""`prelabel gallery`: Label Studio's own templates, predicted with data made for them."""

import json

import pytest

from tests.editor.conftest import label_studio_folder

from .conftest import Command


@pytest.fixture(autouse=True)
def _templates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_ASSETS", str(label_studio_folder()))


def test_who_fills_what_and_why_nothing_is_filled(prelabel: Command) -> None:
    ran = prelabel(
        "gallery", "relation-extraction", "keypoints", "--backend", "pattern", "--format", "json"
    )
    assert (ran.status, ran.err) == (0, "")
    points, relations = map(json.loads, ran.out.splitlines())
    assert points["template"] == "computer-vision/keypoints"
    assert points["controls"] == [
        {"name": "kp-1", "tag": "KeyPointLabels", "backend": None, "results": 0}
    ]
    assert "KeyPointLabels" in points["problems"][-1]
    assert relations["template"] == "natural-language-processing/relation-extraction"
    # its sample text has one date, and "Angela Berg met Thomas Hill at Northwind Systems"
    [control] = relations["controls"]
    assert control["backend"] == "pattern"


def test_a_prediction_is_compared_with_the_editor(prelabel: Command) -> None:
    ran = prelabel("gallery", "named-entity", "--backend", "ner:starter", "--editor")
    assert ran.status == 0, ran.out
    assert "named-entity-recognition" in ran.out
    assert "Templates: 1. Control tags: 1, with a backend: 1, filled: 1" in ran.out


BAD = {
    "no such template": (("nothing-like-it",), 'No template of Label Studio has "nothing-like-it"'),
    "no such backend": (("keypoints", "--backend", "nothing"), "Unknown backend nothing"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_argument_is_named(arguments: tuple[str, ...], message: str, prelabel: Command) -> None:
    ran = prelabel("gallery", *arguments)
    assert ran.status == 2
    assert message in ran.err
