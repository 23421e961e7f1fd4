"""Who fills a shape is decided by whose classes match its labels."""

from typing import Any, ClassVar

import pytest

from shared.backend.claim import Claim
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime
from tests.tiny import BrokenBackend, PromptBackend, WordBackend, made, tasks


class WideBackend(PromptBackend):
    """Fills Labels and TextArea together, and knows some of the labels beforehand."""

    name = "wide"
    knows: ClassVar[int | None] = 1

    def claim(self, config: LabelConfig) -> list[Claim]:
        wanted = tuple(c for c in config.controls if c.tag in {"Labels", "TextArea"})
        if {control.tag for control in wanted} != {"Labels", "TextArea"}:
            return []
        spec = self.spec(wanted[0])
        return [Claim(wanted, config.objects["text"], spec, known_label_count=self.knows)]


class NarrowBackend(WordBackend):
    """Its model knows labels, as is found out when it is loaded."""

    name = "narrow"
    label = "Other"
    knows: ClassVar[int] = 2

    def load(self, spec: Any) -> int:
        return self.knows

    def count_known_labels(self, model: int, claim: Claim) -> int:
        return model


class BrokenNarrowBackend(BrokenBackend):
    fills = NarrowBackend.fills


XML = """<View><Text name="text" value="$text"/>
<Labels name="label" toName="text"><Label value="Word"/><Label value="Other"/></Labels>
<TextArea name="area" toName="text"/></View>"""


def route(*classes: type[Any], xml: str = XML) -> PredictionPlan:
    return runtime().planner.plan(LabelConfig.parse(xml), [made(cls, xml) for cls in classes])


def label(found: PredictionPlan, context: Any = None) -> str:
    """The label of the one region."""
    [outcome] = runtime().pipeline.run(found, tasks("first"), context)
    assert outcome.prediction is not None, outcome.error
    [result] = outcome.prediction.results
    [name] = result["value"]["labels"]
    return str(name)


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [(1, 2, "Other"), (0, 1, "Other"), (1, 1, "Word"), (0, 0, "Word"), (2, 2, "Word")],
)
def test_whose_model_knows_more_of_the_labels(
    monkeypatch: pytest.MonkeyPatch, wide: int, narrow: int, expected: str
) -> None:
    monkeypatch.setattr(WideBackend, "knows", wide)
    monkeypatch.setattr(NarrowBackend, "knows", narrow)
    assert label(route(WideBackend, NarrowBackend)) == expected


def test_where_a_claim_knows_all_labels_no_other_model_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for known in (None, 2):
        monkeypatch.setattr(WideBackend, "knows", known)
        found = route(WideBackend, NarrowBackend)
        assert [step.backend.name for step in found.steps] == ["wide"]
        assert found.rivals == {}


def test_the_version_does_not_change_when_the_models_are_loaded() -> None:
    found = route(WideBackend, NarrowBackend)
    before = found.version()
    assert sorted(part.split("-")[0] for part in before.split("+")) == ["narrow", "wide"]
    [outcome] = runtime().pipeline.run(found, tasks("first"))
    assert outcome.prediction is not None
    assert outcome.prediction.version == before == found.version()


def test_the_status_says_who_fills_what_once_that_is_known() -> None:
    found = route(WideBackend, NarrowBackend)
    assert found.filled_by() == {"label": "wide or narrow", "area": "wide"}
    assert label(found) == "Other"
    assert found.filled_by() == {"label": "narrow"}
    [note] = [report for claim in found.all_claims() for report in claim.mapping_report()]
    assert note == (
        'Labels "label" is left to narrow, which knows more of its labels, and so TextArea "area"'
        ' stays empty; model_backend="wide" on it decides otherwise'
    )


def test_who_answers_users_does_so_whoever_knows_more() -> None:
    drawn = {"result": [{"type": "labels", "value": {}}]}
    assert label(route(WideBackend, NarrowBackend), drawn) == "Word"


def test_a_model_that_cannot_be_loaded_takes_nothing() -> None:
    found = route(WideBackend, BrokenNarrowBackend)
    assert label(found) == "Word"
    assert found.filled_by() == {"label": "wide", "area": "wide"}


def test_of_two_rivals_the_first_comes_into_question() -> None:
    class ThirdBackend(NarrowBackend):
        name = "third"

    found = route(WideBackend, NarrowBackend, ThirdBackend)
    assert [step.backend.name for step in found.steps] == ["wide", "narrow"]


def test_model_backend_decides_by_hand() -> None:
    xml = XML.replace('name="label"', 'name="label" model_backend="wide"')
    assert label(route(WideBackend, NarrowBackend, xml=xml)) == "Word"
    xml = XML.replace('name="label"', 'name="label" model_backend="narrow"')
    assert label(route(WideBackend, NarrowBackend, xml=xml)) == "Other"
