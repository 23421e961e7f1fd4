import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.backend.base import Backend
from shared.backend.claim import Claim
from shared.backend.training import TrainedWeights
from shared.label_studio.label_config import Control, LabelConfig
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime
from tests.tiny import WordBackend, made

TEXT = '<Text name="text" value="$text"/>'


class FirstBackend(WordBackend):
    name = "first"
    fills = frozenset({("Labels", "Text"), ("Choices", "Text")})


class SecondBackend(WordBackend):
    name = "second"


class WideBackend(WordBackend):
    """Fills Labels and TextArea together, as OCR does."""

    name = "wide"
    fills = frozenset({("TextArea", "Text")})

    def claim(self, config: LabelConfig) -> list[Claim]:
        wanted = tuple(c for c in config.controls if c.tag in {"Labels", "TextArea"})[:2]
        if {control.tag for control in wanted} != {"Labels", "TextArea"}:
            return []
        return [Claim(wanted, config.objects["text"], self.spec(wanted[0]))]


class ShyBackend(WordBackend):
    name = "shy"
    opt_in = True


class ThresholdBackend(WordBackend):
    name = "threshold"

    def options(self, control: Control) -> Mapping[str, Any]:
        return {"threshold": control.get_number("model_score_threshold", 0.5, 0, 1)}


def labels(name: str, **attrs: str) -> str:
    more = "".join(f' {key}="{value}"' for key, value in attrs.items())
    return f'<Labels name="{name}" toName="text"{more}><Label value="Word"/></Labels>'


AREA = '<TextArea name="area" toName="text"/>'


def built(
    *inside: str, backends: list[type[Backend]], named: tuple[str, ...] = ()
) -> PredictionPlan:
    xml = f"<View>{TEXT}{''.join(inside)}</View>"
    return runtime().planner.plan(
        LabelConfig.parse(xml), [made(cls, xml) for cls in backends], named
    )


def filled(route: PredictionPlan) -> dict[str, str]:
    """The backend of each control tag that is filled."""
    return {
        control.name: step.backend.name
        for step in route.steps
        for claim in step.claims
        for control in claim.controls
    }


BOTH: list[type[Backend]] = [FirstBackend, SecondBackend]


@pytest.mark.parametrize(
    ("inside", "backends", "named", "expected"),
    [
        pytest.param([labels("a")], BOTH, (), {"a": "first"}, id="first-backend"),
        pytest.param([labels("a")], BOTH[::-1], (), {"a": "second"}, id="order-of-the-backends"),
        pytest.param(
            [labels("a", model_backend="second")], BOTH, (), {"a": "second"}, id="model-backend"
        ),
        pytest.param(
            [labels("a", model_backend=" second ")], BOTH, (), {"a": "second"}, id="with-blanks"
        ),
        pytest.param([labels("a", model_backend="")], BOTH, (), {"a": "first"}, id="named-empty"),
        pytest.param([labels("a", model_backend="third")], BOTH, (), {}, id="unknown-backend"),
        pytest.param(
            [labels("a", model_backend="second"), labels("b")],
            BOTH,
            (),
            {"a": "second", "b": "first"},
            id="two-controls-two-backends",
        ),
        pytest.param(
            [labels("a", model_skip="true"), labels("b")], BOTH, (), {"b": "first"}, id="skip"
        ),
        pytest.param(
            [labels("a", model_skip="false")], BOTH, (), {"a": "first"}, id="skip-is-false"
        ),
        pytest.param(
            [labels("a", model_skip="true", model_backend="second")],
            BOTH,
            (),
            {},
            id="skip-before-backend",
        ),
        pytest.param(
            [labels("a"), AREA],
            [FirstBackend, WideBackend],
            (),
            {"a": "wide", "area": "wide"},
            id="widest-claim-wins",
        ),
        pytest.param(
            [labels("a", model_backend="first"), AREA],
            [FirstBackend, WideBackend],
            (),
            {"a": "first"},
            id="model-backend-before-width",
        ),
        pytest.param([labels("a")], [ShyBackend], (), {}, id="on-request-and-not-asked"),
        pytest.param([labels("a")], [ShyBackend], ("shy",), {"a": "shy"}, id="on-request-named"),
        pytest.param(
            [labels("a", model_backend="shy"), labels("b")],
            [ShyBackend, SecondBackend],
            (),
            {"a": "shy", "b": "second"},
            id="on-request-by-the-control",
        ),
        pytest.param(['<Choices name="c" toName="gone"/>'], BOTH, (), {}, id="no-such-object"),
        pytest.param([labels("a")], [], (), {}, id="no-backends"),
    ],
)
def test_who_fills_what(
    inside: list[str],
    backends: list[type[Backend]],
    named: tuple[str, ...],
    expected: dict[str, str],
) -> None:
    assert filled(built(*inside, backends=backends, named=named)) == expected


REPEATER = """<Repeater on="$pages" indexFlag="{{idx}}">
  <Text name="page_{{idx}}" value="$pages[{{idx}}].text"/>
  <Labels name="a_{{idx}}" toName="page_{{idx}}"><Label value="Word"/></Labels>
</Repeater>"""


def test_what_is_repeated_is_not_filled_and_said_so() -> None:
    route = built(REPEATER, labels("b"), backends=BOTH)
    assert filled(route) == {"b": "first"}
    [problem] = route.problems
    assert problem == (
        'Labels "a_{{idx}}" is inside <Repeater>, whose control tags are not filled: show images'
        " as one list (valueList on an Image tag), or write each object tag with a control tag of"
        " its own"
    )
    _, nothing = built(REPEATER, backends=BOTH).problems
    assert 'it has Labels "a_{{idx}}" on Text inside <Repeater>' in nothing
    skipped = REPEATER.replace("toName", 'model_skip="true" toName')
    assert built(skipped, labels("b"), backends=BOTH).problems == ()


def test_claims_of_one_model_on_one_object_are_one_step() -> None:
    route = built(labels("a"), labels("b"), backends=[FirstBackend])
    [step] = route.steps
    assert [claim.control.name for claim in step.claims] == ["a", "b"]
    assert list(route.all_claims()) == list(step.claims)
    two = built(
        '<Text name="other" value="$other"/>',
        labels("a"),
        '<Labels name="b" toName="other"><Label value="Word"/></Labels>',
        backends=[FirstBackend],
    )
    assert len(two.steps) == 2


def test_a_backend_sees_only_what_it_is_offered() -> None:
    seen: list[LabelConfig] = []

    class Curious(SecondBackend):
        def claim(self, config: LabelConfig) -> list[Claim]:
            seen.append(config)
            return super().claim(config)

    relations = '<Relations><Relation value="r"/></Relations>'
    built(labels("a", model_skip="1"), labels("b"), relations, backends=[Curious])
    [config] = seen
    assert [control.name for control in config.controls] == ["b"]
    assert config.objects.keys() == {"text"}
    assert config.relation_labels == ("r",)


@pytest.mark.parametrize(
    ("inside", "backends", "problems"),
    [
        pytest.param([labels("a")], BOTH, [], id="none"),
        pytest.param(
            ['<Rating name="r" toName="text"/>'],
            BOTH,
            [
                'Nothing in this label config can be filled: it has Rating "r" on Text; nearest to'
                " Rating on Text is Choices (first); prompt fills what others leave: add prompt to"
                " the names after `prelabel serve` or `--backend`"
            ],
            id="nothing-to-fill",
        ),
        pytest.param(
            [],
            [],
            [
                "Nothing in this label config can be filled: it has no control tags;"
                " no backend is running"
            ],
            id="nothing-at-all",
        ),
        pytest.param(
            ['<Image name="image" value="$image"/><Rating name="r" toName="image"/>'],
            BOTH,
            [
                'Nothing in this label config can be filled: it has Rating "r" on Image; nearest to'
                " Rating on Image is TextArea (ocr), which does not serve here; prompt fills what"
                " others leave: add prompt to the names after `prelabel serve` or `--backend`"
            ],
            id="object-tags-of-the-config",
        ),
        pytest.param(
            [labels("a", model_backend="third"), labels("b")],
            BOTH,
            ['Labels "a" is left to the backend "third", which does not serve here'],
            id="unknown-backend",
        ),
        pytest.param(
            [labels("a", model_score_threshold="high"), '<Choices name="c" toName="text"/>'],
            [ThresholdBackend, FirstBackend],
            ['threshold: Labels "a": model_score_threshold="high" should be a number from 0 to 1'],
            id="attribute-that-is-no-number",
        ),
    ],
)
def test_problems(
    inside: list[str],
    backends: list[type[Backend]],
    problems: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "shared.pipeline.plan"):
        route = built(*inside, backends=backends)
    assert list(route.problems) == problems
    assert [record.getMessage() for record in caplog.records] == problems


# Versions


def version(*inside: str, backends: list[type[Backend]]) -> str:
    return built(*inside, backends=backends).version()


def test_an_explanation_that_fails_costs_no_other() -> None:
    class Explaining(ThresholdBackend):
        fills = frozenset()

        def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
            for control in config.controls:
                yield f"{control} is left, threshold {self.options(control)['threshold']:g}"

    backends = [made(Explaining, f"<View>{TEXT}{AREA}</View>")]
    found = runtime().planner.plan(LabelConfig.parse(f"<View>{TEXT}{AREA}</View>"), backends)
    assert [one for one in found.problems if "threshold" in one] == [
        'TextArea "area" is left, threshold 0.5'
    ]
    bad = AREA.replace("toName", 'model_score_threshold="2" toName')
    found = runtime().planner.plan(LabelConfig.parse(f"<View>{TEXT}{bad}</View>"), backends)
    [said] = [one for one in found.problems if "threshold" in one]
    assert said.startswith('threshold: TextArea "area": model_score_threshold="2" should be')


def test_version_is_stable() -> None:
    one = version(labels("a"), backends=BOTH)
    assert one == version(labels("a"), backends=BOTH)
    assert one.startswith("first-")


def test_version_does_not_change_with_looks_or_labels() -> None:
    one = version(labels("a"), backends=BOTH)
    assert version('<Header value="Hi"/>', labels("a", strokeWidth="3"), backends=BOTH) == one


def test_version_names_every_model_once() -> None:
    both = version(labels("a", model_backend="second"), labels("b"), backends=BOTH)
    assert sorted(part.split("-")[0] for part in both.split("+")) == ["first", "second"]
    assert "+" not in version(labels("a"), labels("b"), backends=BOTH)


def test_version_changes_with_a_threshold() -> None:
    half = version(labels("a"), backends=[ThresholdBackend])
    assert version(labels("a", model_score_threshold="0.5"), backends=[ThresholdBackend]) == half
    assert version(labels("a", model_score_threshold="0.6"), backends=[ThresholdBackend]) != half


def test_version_of_nothing() -> None:
    assert version(labels("a", model_skip="true"), backends=BOTH) == "none"


@pytest.mark.parametrize(
    ("attrs", "expected"),
    [
        pytest.param({}, "second", id="its backend"),
        pytest.param({"model_backend": "first"}, "first", id="another that the tag names"),
    ],
)
def test_own_weights_go_to_the_backend_that_trained_them(
    attrs: dict[str, str], expected: str
) -> None:
    config = LabelConfig.parse(f"<View>{TEXT}{labels('a', **attrs)}</View>")
    own = {"a": TrainedWeights("second", Path("weights"), "v1-1a2b3c4d")}
    [plan] = runtime().planner.plan_all(config, BOTH, (), own)
    assert plan.filled_by() == {"a": expected}
