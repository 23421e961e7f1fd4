import pytest

from shared.evaluation.annotated_task import value_of
from shared.evaluation.annotation_choice import AnnotationChoice
from shared.evaluation.truth import read_truths
from shared.label_studio.label_config import LabelConfig
from shared.results import whole_task
from tests.evaluation.tasks import Raw, annotation, raw_task, read_task

CONFIG = LabelConfig.parse(
    '<View><Text name="text" value="$text"/><Choices name="choice" toName="text">'
    '<Choice value="a"/><Choice value="b"/><Choice value="c"/></Choices></View>'
)
LATEST, CONSENSUS, ALL = AnnotationChoice


def chosen(choice: str, **keys: object) -> Raw:
    return annotation([whole_task(CONFIG.controls[0], choice)], **keys)


def at(minute: int) -> str:
    return f"2026-11-28T10:{minute:02d}:00Z"


@pytest.mark.parametrize(
    ("annotations", "choice", "truths"),
    [
        ([], LATEST, []),
        ([], ALL, []),
        ([annotation()], LATEST, [[]]),
        ([chosen("a", was_cancelled=True)], LATEST, []),
        ([chosen("a", updated_at=at(2)), chosen("b", updated_at=at(1))], LATEST, [["a"]]),
        ([chosen("a"), chosen("b")], LATEST, [["b"]]),
        ([chosen("a", created_at=at(2)), chosen("b", created_at=at(1))], LATEST, [["a"]]),
        (
            [
                chosen("a", updated_at=at(1), ground_truth=True),
                chosen("b", updated_at=at(2)),
                chosen("c", updated_at=at(3), ground_truth=True, was_cancelled=True),
            ],
            LATEST,
            [["a"]],
        ),
        ([chosen("a"), chosen("b"), chosen("a")], ALL, [["a"], ["b"], ["a"]]),
        ([chosen("a", ground_truth=True), chosen("b")], ALL, [["a"]]),
        ([chosen("a"), chosen("b"), chosen("a")], CONSENSUS, [["a"]]),
        ([chosen("a")], CONSENSUS, [["a"]]),
        ([chosen("a"), annotation(), annotation()], CONSENSUS, [[]]),
    ],
    ids=[
        "no annotation: unknown",
        "no annotation, all",
        "an empty annotation: a true negative",
        "skipped: unknown",
        "latest by the update",
        "latest in order where no time is known",
        "latest by the creation where no update is known",
        "ground truth before later ones",
        "all",
        "all ground truth",
        "consensus",
        "consensus of one",
        "consensus on nothing",
    ],
)
def test_truth(annotations: list[Raw], choice: AnnotationChoice, truths: list[list[str]]) -> None:
    task = read_task(raw_task({"text": "x"}, annotations), CONFIG)
    found = [
        [name for region in truth.regions for name in value_of(region, "choice")]
        for truth in read_truths(task, choice)
    ]
    assert found == truths
