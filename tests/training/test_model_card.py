"""The model card: read by Hugging Face's own classes, and free of what is private."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from shared.label_studio.label_config import LabelConfig
from shared.training.front_matter import render_front_matter
from shared.training.leavings import write_leavings
from shared.training.model_card import escape_markdown, sample_config

from .leaving import CONFIG, make_leavings


def write_card(folder: Path, **changes: Any) -> str:
    write_leavings(folder, make_leavings(folder / "job", **changes))
    return (folder / "README.md").read_text()


def test_hugging_face_reads_it(tmp_path: Path) -> None:
    write_card(tmp_path)
    card = ModelCard.load(tmp_path / "README.md")
    data = card.data
    assert data.pipeline_tag == "object-detection"
    assert data.tags == ["prelabel", "label-studio", "detection", "RectangleLabels"]
    assert data.model_name == "shape: RectangleLabels on Image, by detection"
    found = {result.metric_name: result for result in data.eval_results}
    assert {name: result.metric_value for name, result in found.items()} == {
        "precision": 0.96,
        "recall": 0.92,
        "F1": 0.94,
        "AP50": 0.9125,
    }
    ap50 = found["AP50"]
    assert (ap50.metric_type, ap50.task_type) == ("map", "object-detection")
    assert (ap50.dataset_type, ap50.dataset_split) == ("label-studio", "test")
    assert ap50.dataset_args == {"tasks": 10}
    card.validate = None  # asks huggingface.co
    assert ModelCard(str(card)).data.to_dict() == data.to_dict(), "written again it is the same"


def test_what_it_tells(tmp_path: Path) -> None:
    text = write_card(tmp_path)
    assert "| F1 | 0.940 (0.880–0.990) | 0.500 (0.300–0.700) |" in text
    assert "| figure | this model | the one before, v1-00000000 |" in text
    assert "changes by +0.400 on average (+0.250 to +0.500)" in text
    assert "It counts as better than the one before." in text
    assert "| Star | 25 | 25 | no cases | 0.960 |" in text
    assert "| Half\\|moon | 2 | 1 |" in text, "examples in train and test"
    assert "Fewer than 20 examples were learned of: Half\\|moon (2)." in text
    assert "fewer than 20 held-out cases of: Half\\|moon (1)." in text
    assert "were not learned: Cross." in text
    assert "train 10, test 2" in text
    assert "3 left out: no annotation." in text
    assert "| seed | 7 |" in text
    assert "prelabel models promote --project PROJECT --control shape VERSION" in text


def test_nothing_private_is_in_it(tmp_path: Path) -> None:
    text = write_card(tmp_path)
    private = ("storage.example", "task 911", "/srv", "photo.png", "900", "911", "annotator@")
    assert [word for word in private if word in text] == []


@pytest.mark.parametrize(
    ("config", "tag"),
    [
        (
            '<Text name="t" value="$t"/><Labels name="a" toName="t"><Label value="X"/></Labels>',
            "token-classification",
        ),
        (
            '<Text name="t" value="$t"/><Choices name="a" toName="t"><Choice value="X"/></Choices>',
            "text-classification",
        ),
        (
            '<TimeSeries name="t" value="$t"/>'
            '<TimeSeriesLabels name="a" toName="t"><Label value="X"/></TimeSeriesLabels>',
            None,
        ),
    ],
    ids=["spans", "choices", "no name for it"],
)
def test_pipeline_tag(config: str, tag: str | None, tmp_path: Path) -> None:
    write_card(tmp_path, config=f"<View>{config}</View>", labels=("X",))
    assert ModelCard.load(tmp_path / "README.md").data.pipeline_tag == tag


@pytest.mark.parametrize(
    ("base", "shown"),
    [
        ("urchade/gliner_small", "urchade/gliner_small"),
        ("/srv/models/net", None),
        ("yolo26n.pt", None),
    ],
    ids=["of the hub", "a folder", "a file"],
)
def test_base_model(base: str, shown: str | None, tmp_path: Path) -> None:
    write_card(tmp_path, settings={"base_model": base})
    assert ModelCard.load(tmp_path / "README.md").data.base_model == shown


def test_sample_config_is_one() -> None:
    config = LabelConfig.parse(CONFIG)
    control = config.controls[0]
    labels = ('Star "<&>', "Half|moon")
    read = LabelConfig.parse(sample_config(control, config.objects["image"], labels))
    assert tuple(read.controls[0].labels) == labels
    assert (read.controls[0].tag, read.objects["image"].key) == ("RectangleLabels", "photo")


NAMES = ["a: b", "- c", "1e-05", "yes", "\x85\u2028\ufeff\x7f", "\ud800", "😀 ü", "'\"\\", "#", ""]


def test_front_matter_is_yaml_whatever_names_hold() -> None:
    text = render_front_matter(
        {"tags": NAMES, "none": None, "value": 0.00001, "deep": [{"a": [1]}]}
    )
    assert text.startswith("---\n")
    known = yaml.safe_load(text.removesuffix("---\n"))
    assert known == {
        "tags": [name.replace("\ud800", "\ufffd") for name in NAMES],
        "value": 0.0,
        "deep": [{"a": [1]}],
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", "a\\|b"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("two\nlines", "two\\\\nlines"),
        ("R&D", "R&amp;D"),
    ],
    ids=["cell", "HTML", "line break", "entity"],
)
def test_names_in_markdown(name: str, shown: str) -> None:
    assert escape_markdown(name) == shown
