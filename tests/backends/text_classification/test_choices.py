"""Text classification: the classes of a model, or those that the label config names."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")

from backends.text_classification import TextClassificationBackend
from backends.text_classification.sequence_classifier import Classification
from shared.backend.choices import class_names, select_choices
from shared.backend.claim import Claim, ModelSpec
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task import Task
from shared.label_studio.task_labels import with_task_labels
from shared.pipeline.runtime import runtime
from shared.settings import read_settings

CHOICES = "".join(f'<Choice value="{name}"/>' for name in ("Sports", "Food", "Weather"))
ONE = f"""<View><Choices name="c" toName="t" ATTRS>{CHOICES}</Choices>
<Text name="t" value="$t"/></View>"""
TREE = """<View><Taxonomy name="c" toName="t" ATTRS>
  <Choice value="Free time"><Choice value="Sports"/><Choice value="Food"/></Choice>
  <Choice value="Weather"/>
</Taxonomy><Text name="t" value="$t"/></View>"""


def said(xml: str, scores: dict[str, float], one: bool, attrs: str = "") -> Any:
    config = LabelConfig.parse(xml.replace("ATTRS", attrs))
    [(control, target)] = config.tag_pairs()
    claim = Claim((control,), target, ModelSpec("x", "x"), {"score_threshold": 0.5})
    found = select_choices(scores, claim, one)
    return None if found is None else (found.answer, round(found.score, 3))


MANY = 'choice="multiple"'


@pytest.mark.parametrize(
    ("xml", "attrs", "scores", "one", "expected"),
    [
        pytest.param(ONE, "", {"sports": 0.7, "FOOD": 0.3}, True, (["Sports"], 0.7), id="surest"),
        pytest.param(ONE, "", {"sports": 0.4, "food": 0.3}, True, None, id="below the threshold"),
        pytest.param(ONE, "", {"news": 0.6, "food": 0.55}, True, None, id="surest has no label"),
        pytest.param(ONE, "", {}, True, None, id="nothing said"),
        pytest.param(
            ONE, MANY, {"sports": 0.6, "food": 0.9, "weather": 0.2}, False,
            (["Food", "Sports"], 0.9), id="several above the threshold",
        ),
        pytest.param(
            TREE, "", {"sports": 0.8, "weather": 0.6}, False,
            ([["Free time", "Sports"], ["Weather"]], 0.8), id="ways in a tree",
        ),
        pytest.param(
            TREE, 'maxUsages="1"', {"sports": 0.8, "weather": 0.6}, False,
            ([["Free time", "Sports"]], 0.8), id="one way in a tree",
        ),
    ],
)  # fmt: skip
def test_answers(xml: str, attrs: str, scores: dict[str, float], one: bool, expected: Any) -> None:
    assert said(xml, scores, one, attrs) == expected


def test_scores_of_classes_that_share_a_choice_add_up() -> None:
    xml = ONE.replace('"Food"/>', '"Food" predicted_values="soup,bread"/>')
    assert said(xml, {"soup": 0.35, "bread": 0.3, "sports": 0.35}, True) == (["Food"], 0.65)


def test_scores() -> None:
    one = Classification(("a", "b"), np.array([0.0, 0.0], np.float32), "one")
    assert one.score_classes(["a"], several=False) == {"a": 0.5}
    several = Classification(("a", "b"), np.array([0.0, 9.0], np.float32), "several")
    assert several.score_classes(["a", "b"], several=True) == pytest.approx(
        {"a": 0.5, "b": 1}, abs=1e-3
    )
    named = Classification(("a", "b"), np.array([[0, 0], [0, 9]], np.float32), "named")
    assert named.score_classes(["a"], several=True) == {"a": 0.5}
    assert named.score_classes(["a", "b"], several=False) == pytest.approx(
        {"a": 0, "b": 1}, abs=1e-3
    )


def test_names_of_nested_choices_are_the_innermost() -> None:
    [control] = LabelConfig.parse(TREE.replace("ATTRS", "")).controls
    assert class_names(control) == ("Sports", "Food", "Weather")


def test_choices_of_a_task_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT_CLASSIFICATION_MODEL", "starter")
    xml = '<View><Choices name="c" toName="t" value="$c"/><Text name="t" value="$t"/></View>'
    backend = TextClassificationBackend(label_config=xml, served=True)
    [step] = runtime().planner.plan(backend.config, [backend]).steps
    for names_of in (("Sports", "The news"), ("Food",)):
        data = {"t": "a text", "c": [{"value": name, "alias": name[:1]} for name in names_of]}
        [claim] = step.for_task(with_task_labels(backend.config, data)).claims
        assert backend.read(Task(1, data), claim, None).class_names == names_of


def test_error_without_a_model_names_the_setting() -> None:
    read_settings.cache_clear()
    backend = TextClassificationBackend(label_config=ONE.replace("ATTRS", ""), served=True)
    route = runtime().planner.plan(backend.config, [backend], [backend.name])
    assert 'Choices "c" needs a model: set TEXT_CLASSIFICATION_MODEL' in route.problems[0]
