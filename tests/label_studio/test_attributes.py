"""Attributes are found in any spelling: Label Studio's editor writes their names in lower case."""

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from shared.backend.choices import allows_several
from shared.backend.label_map import LabelMap
from shared.label_studio.attributes import Attributes
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task import Task
from shared.results import Dialogue
from shared.results.video import frame_rate
from tests.e2e.every_type import SCENES

ROOT = Path(__file__).parents[2]
BACKENDS = sorted((ROOT / "backends").glob("*/label_config.xml"))
CONFIGS = {path.parent.name: path.read_text(encoding="utf-8") for path in BACKENDS} | {
    name: scene.config for name, scene in SCENES.items()
}
NAME = re.compile(r"""(?<=\s)([A-Za-z_]\w*)(?==["'])""")


def test_every_spelling_is_one_attribute() -> None:
    attrs = Attributes({"frameRate": "25.0", "value": "$video"})
    assert {attrs["framerate"], attrs["FRAMERATE"], attrs.get("frameRate")} == {"25.0"}
    assert "FrameRate" in attrs
    assert "muted" not in attrs
    assert attrs.get("muted", "no") == "no"
    assert list(attrs) == ["framerate", "value"]
    assert attrs == {"value": "$video", "frameRate": "25.0"}
    assert attrs != {"value": "$video"}
    with pytest.raises(KeyError):
        attrs["muted"]


def test_the_last_of_two_spellings_counts() -> None:
    assert dict(Attributes([("perRegion", "true"), ("perregion", "false")])) == {
        "perregion": "false"
    }


def view(config: LabelConfig) -> list[dict[str, Any]]:
    parts = (*config.controls, *config.objects.values())
    return [{f.name: getattr(part, f.name) for f in fields(part)} for part in parts]


@pytest.mark.parametrize("spelled", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_label_config_means_the_same_in_every_spelling(
    name: str, spelled: Callable[[str], str]
) -> None:
    xml = CONFIGS[name]
    other = NAME.sub(lambda found: spelled(found[0]), xml)
    assert other != xml
    read, expected = LabelConfig.parse(other), LabelConfig.parse(xml)
    assert view(read) == view(expected)
    assert read.relation_labels == expected.relation_labels


Probe = Callable[[LabelConfig], Any]
DIALOGUE = '<Paragraphs name="o" value="$d" NAMEKEY="who" textkey="says"/>'


@pytest.mark.parametrize(
    ("inside", "probe", "expected"),
    [
        pytest.param(
            '<Video name="o" value="$v" framerate="10"/>',
            lambda config: frame_rate(config.objects["o"], Task(1, {})),
            10,
            id="frameRate",
        ),
        pytest.param(
            '<TextArea name="c" toname="o" PerRegion="true"/><Image name="o" VALUE="$i"/>',
            lambda config: [control.per_region for control, _ in config.tag_pairs()],
            [True],
            id="perRegion-toName-value",
        ),
        pytest.param(
            '<Image name="o" valuelist="$pages"/>',
            lambda config: (config.objects["o"].is_list, config.objects["o"].key),
            (True, "pages"),
            id="valueList",
        ),
        pytest.param(
            '<Taxonomy name="c" toName="o" MAXUSAGES="1"/>',
            lambda config: allows_several(config.controls[0]),
            False,
            id="maxUsages",
        ),
        pytest.param(
            '<Labels name="c" toName="o"><Label Value="Car" ALIAS="c" Predicted_Values="auto"/>'
            "</Labels>",
            lambda config: LabelMap.build(config.controls[0], ["auto"], {}).to_label,
            {"auto": "c"},
            id="alias-predicted_values",
        ),
        pytest.param(
            '<Labels name="c" toName="o" Model_Score_Threshold="0.7"/>',
            lambda config: config.controls[0].get_number("model_score_threshold", 0.5, 0, 1),
            0.7,
            id="model_score_threshold",
        ),
        pytest.param(
            DIALOGUE,
            lambda config: (
                Dialogue.from_paragraphs(config.objects["o"], [{"who": "A", "says": "B"}]).texts
            ),
            ("B",),
            id="nameKey-textKey",
        ),
        pytest.param(
            '<Choices name="c" toName="o" apiurl="http://labels"/>',
            lambda config: config.controls[0].dynamic,
            True,
            id="apiUrl",
        ),
        pytest.param(
            '<Ranker name="c" toName="o"><Bucket Name="best"/></Ranker>',
            lambda config: config.controls[0].buckets,
            ("best",),
            id="bucket",
        ),
        pytest.param(
            '<Relations><Relation VALUE="before"/></Relations>',
            lambda config: config.relation_labels,
            ("before",),
            id="relation",
        ),
    ],
)
def test_what_is_read_of_another_spelling(inside: str, probe: Probe, expected: Any) -> None:
    assert probe(LabelConfig.parse(f"<View>{inside}</View>")) == expected
