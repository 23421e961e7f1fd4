"""What to label next, by each strategy."""

import math
import time
from collections.abc import Sequence

import numpy as np
import pytest

from shared.backend.embedding import describe_content, describe_image, describe_text
from shared.errors import SettingError
from shared.evaluation.annotated_task import AnnotatedTask, StoredPrediction
from shared.evaluation.labeling_order.disagreement import DisagreementStrategy
from shared.evaluation.labeling_order.diversity import DiversityStrategy
from shared.evaluation.labeling_order.embedder import EmbeddedTask, TaskEmbedder
from shared.evaluation.labeling_order.k_centre import order_by_k_centre
from shared.evaluation.labeling_order.strategy import RankedTask, Strategy
from shared.evaluation.labeling_order.uncertainty import UncertaintyStrategy
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.media.image import Image
from shared.pipeline.command_plans import load_plans
from shared.pipeline.runtime import Runtime
from shared.results import ParsedRegion

from .annotations import annotation, answer, box, task


def predicted(
    *regions: ParsedRegion, version: str = "v1", score: float | None = None
) -> StoredPrediction:
    return StoredPrediction(regions, version, score=score)


def ranked(
    strategy: Strategy[AnnotatedTask], tasks: Sequence[AnnotatedTask]
) -> list[tuple[int, float | None]]:
    """Return the ids in their order, with their scores."""
    for one in tasks:
        strategy.add(one)
    order = strategy.rank()
    assert [one.rank for one in order] == list(range(1, len(order) + 1))
    return [(one.task, one.score) for one in order]


def test_uncertainty_is_the_margin_of_the_least_decided_region() -> None:
    problems = ProblemLog()
    tasks = [
        task(number=0, predictions=[predicted(box(0, score=0.9))]),  # |2·0.9 - 1| = 0.8
        task(number=1, predictions=[predicted(box(0, score=0.99), box(20, score=0.55))]),  # 0.1
        task(number=2, predictions=[predicted(box(0, score=0.3))]),  # 0.4
        task(annotation(box(0)), number=3, predictions=[predicted(box(0, score=0.5))]),
        task(number=4, predictions=[predicted(box(0, score=0.5)), predicted(box(0, score=1.0))]),
    ]
    found = ranked(UncertaintyStrategy(problems), tasks)
    assert found == [
        (1, pytest.approx(0.1)),
        (2, pytest.approx(0.4)),
        (0, pytest.approx(0.8)),
        (4, 1),  # the last prediction counts
    ]
    assert not list(problems)


def test_what_is_known_less_of_comes_later_and_is_said() -> None:
    problems = ProblemLog()
    tasks = [
        task(number=0),
        task(number=1, predictions=[predicted()]),
        task(number=2, predictions=[predicted(box(0), score=0.8)]),
        task(number=3, predictions=[predicted(box(0), score=0.2)]),
        task(number=4, predictions=[predicted(box(0, score=1.0))]),
    ]
    found = ranked(UncertaintyStrategy(problems), tasks)
    assert found == [(4, 1), (3, 0.2), (2, 0.8), (1, None), (0, None)]
    assert [(str(one.count), one.tasks) for one in problems] == [
        ("1", ["task 0"]),
        ("1", ["task 1"]),
        ("2", ["task 2", "task 3"]),
    ]


def test_scores_out_of_range_are_ignored_and_said() -> None:
    problems = ProblemLog()
    tasks = [
        task(number=0, predictions=[predicted(box(0, score=11.0))]),
        task(number=1, predictions=[predicted(box(0, score=-3.0), box(20, score=0.8))]),  # 0.6
        task(number=2, predictions=[predicted(box(0, score=0.0))]),  # 1
    ]
    found = ranked(UncertaintyStrategy(problems), tasks)
    assert found == [(1, pytest.approx(0.6)), (2, 1), (0, None)]
    said = {one.message: one.tasks for one in problems}
    assert next(tasks for said, tasks in said.items() if "from 0 to 1" in said) == [
        "task 0",
        "task 1",
    ]


def test_uncertainty_of_a_named_version() -> None:
    tasks = [
        task(
            number=number,
            predictions=[
                predicted(box(0, score=old), version="old"),
                predicted(box(0, score=new), version="new"),
            ],
        )
        for number, (old, new) in enumerate([(0.5, 0.9), (0.9, 0.5)])
    ]
    for version, first in (("old", 0), ("new", 1)):
        assert ranked(UncertaintyStrategy(ProblemLog(), [version]), tasks)[0][0] == first
    with pytest.raises(SettingError, match="prediction of version 'other'"):
        ranked(UncertaintyStrategy(ProblemLog(), ["other"]), tasks)


def test_disagreement_of_versions() -> None:
    old, new = {"version": "old"}, {"version": "new"}
    tasks = [
        task(number=0, predictions=[predicted(box(0), **old), predicted(box(1), **new)]),
        task(number=1, predictions=[predicted(box(0), **old), predicted(**new)]),
        # Boxes: one of one and two is the same, 1 - 2/3; classes differ: 1. The mean is 2/3.
        task(
            number=2,
            predictions=[
                predicted(box(0), answer("class", ["A"]), **old),
                predicted(box(0), box(50), answer("class", ["B"]), **new),
            ],
        ),
        task(number=3, predictions=[predicted(**old), predicted(**new)]),
        task(number=4, predictions=[predicted(box(0), **old)]),
        task(
            annotation(box(0)),
            number=5,
            predictions=[predicted(box(0), **old), predicted(**new)],
        ),
    ]
    problems = ProblemLog()
    found = ranked(DisagreementStrategy(problems), tasks)
    assert found == [(1, 1), (2, pytest.approx(2 / 3)), (0, 0), (3, 0), (4, None)]
    assert [one.tasks for one in problems] == [["task 4"]]


@pytest.mark.parametrize("versions", [(), ("old", "gone")], ids=["one is stored", "one is gone"])
def test_disagreement_needs_two_versions(versions: Sequence[str]) -> None:
    tasks = [task(number=0, predictions=[predicted(box(0), version="old")])]
    with pytest.raises(SettingError, match=r'stored are: "old"\. Store another one with'):
        ranked(DisagreementStrategy(ProblemLog(), versions), tasks)


def test_k_centre_by_hand() -> None:
    points = np.array([[0], [1], [10], [4], [10]], np.float32)
    none = points[:0]
    # The mean is 5: the point at 4 is nearest. Then 10 (6 away; the first of two), 0 (4), 1 (1),
    # and last the second one at 10.
    found = order_by_k_centre(points, none, 5)
    assert found.places.tolist() == [3, 2, 0, 1, 4]
    assert found.distances.tolist() == [math.inf, 6, 4, 1, 0]
    # With one at 9 known: 0 is 9 away; then 4 (4), 10 (1; the first of two is as far as 1: 1).
    found = order_by_k_centre(points, np.array([[9]], np.float32), 5)
    assert found.places.tolist() == [0, 3, 1, 2, 4]
    assert found.distances.tolist() == [9, 4, 1, 1, 0]
    # Two are chosen; the others follow by their distance to these.
    found = order_by_k_centre(points, none, 2)
    assert found.places.tolist() == [3, 2, 0, 1, 4]
    assert found.distances.tolist() == [math.inf, 6, 4, 3, 0]
    assert order_by_k_centre(none, none, 5).places.tolist() == []


def test_near_duplicates_come_last() -> None:
    numbers = np.random.default_rng(0)
    originals = numbers.standard_normal((50, 16)).astype(np.float32)
    copies = originals + numbers.normal(0, 0.01, originals.shape).astype(np.float32)
    found = order_by_k_centre(np.concatenate([originals, copies]), originals[:0], 100)
    assert sorted(place % 50 for place in found.places[:50]) == list(range(50))


def test_ten_thousand_tasks_are_quick() -> None:
    numbers = np.random.default_rng(0)
    points = numbers.standard_normal((10_000, 128), np.float32)
    start = time.process_time()
    found = order_by_k_centre(points, points[:100], 500)
    assert time.process_time() - start < 10
    assert sorted(found.places.tolist()) == list(range(10_000))
    # The known ones are as near as can be to themselves.
    assert set(found.places[-100:].tolist()) == set(range(100))


def test_descriptions_of_near_duplicates_are_close() -> None:
    text = "The quick brown fox jumps over the lazy dog near the river bank."
    same, other = text.replace("quick", "Quick  "), "Quarterly revenue rose by five percent in May."
    vectors = [
        describe_text(one) / np.linalg.norm(describe_text(one)) for one in (text, same, other)
    ]
    assert np.linalg.norm(vectors[0] - vectors[1]) < 0.6 < np.linalg.norm(vectors[0] - vectors[2])
    numbers = np.random.default_rng(0)
    blocks = [numbers.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(2)]
    images = [np.kron(block, np.ones((20, 20, 1), np.uint8)) for block in blocks]
    noise = numbers.integers(0, 10, images[0].shape, np.uint8)
    brighter = np.minimum(images[0], 245) + noise
    described = [describe_image(one) for one in (images[0], brighter[:-3, 2:], images[1])]
    assert np.linalg.norm(described[0] - described[1]) < 0.6
    assert np.linalg.norm(described[0] - described[2]) > 0.9


def test_anything_can_be_described() -> None:
    image = Image(np.zeros((4, 4, 3), np.uint8))
    items = ["", "\ud800", image, (image, "text", None), {"a": [1.5]}, b"\x00\xff", object()]
    items += [np.arange(5.0), np.array([np.nan]), ["a", ["b", ["c"]]]]
    vectors = np.stack([describe_content(item) for item in items])
    assert np.isfinite(vectors).all()
    assert vectors[3].any(), "what is inside a tuple counts"


PATTERN = """<View>
  <Labels name="label" toName="text"><Label value="Date"/><Label value="Money"/></Labels>
  <Text name="text" value="$text"/>
</View>"""


def diverse_order(
    backend: str, xml: str, texts: Sequence[str], labelled: Sequence[int] = ()
) -> list[int | None]:
    """Return the places of texts in their diverse order; None stands for one without a vector."""
    from shared.backend.process_resources import shared_resources

    config = LabelConfig.parse(xml)
    problems = ProblemLog()
    runtime = Runtime(shared_resources())
    try:
        plans = load_plans(runtime, config, [backend])
        strategy = DiversityStrategy(len(texts))
        tasks = (
            AnnotatedTask(n, n, {"text": text}, config, (annotation(),) if n in labelled else ())
            for n, text in enumerate(texts)
        )
        for embedded in TaskEmbedder(plans, runtime.models, problems).embed(tasks):
            strategy.add(embedded)
        return [one.task for one in strategy.rank()]
    finally:
        runtime.close()


TEXTS = [
    "On 3 May 2024 we paid $5 million to the builders.",
    "On 3 May 2024 we paid $5 million to the builder.",
    "Nobody has seen the cat since Tuesday.",
    "Nobody has seen the cat since tuesday!",
    "The orchestra plays in the town hall.",
]


def test_every_backend_can_embed_pattern_included() -> None:
    order = diverse_order("pattern", PATTERN, TEXTS)
    assert sorted(place // 2 for place in order[:3] if place is not None) == [0, 1, 2]
    after = diverse_order("pattern", PATTERN, TEXTS, labelled=[0, 2])
    assert after[0] == 4, "1 and 3 are like tasks with annotations"
    assert sorted(place for place in after[1:] if place is not None) == [1, 3]


def test_tasks_without_a_vector_come_last() -> None:
    strategy = DiversityStrategy(10)
    strategy.add(EmbeddedTask(task(number=0), None))
    with pytest.raises(SettingError, match="could be read by a model"):
        strategy.rank()
    strategy.add(EmbeddedTask(task(number=1), np.ones(4, np.float32)))
    strategy.add(EmbeddedTask(task(annotation(), number=2), None))
    assert strategy.rank() == [RankedTask(1, 1, 1, None), RankedTask(2, 0, 0, None)]
