"""Results in which anything may stand: what cannot be used costs only itself."""

import random
import warnings
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest

from shared.evaluation.evaluation import Evaluation
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from tests.e2e.every_type import ROWS, SCENES, Row
from tests.evaluation.tasks import annotation, prediction, raw_task, read_task

ODD = [
    *(None, "x", "5", -1, 0, 0.5, 1e308, -1e308, 10**30, 10**400, True, [], {}, [None], [[1]]),
    *({"a": 1}, "\ud800"),
]
CHANGES = 6


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything in a JSON value, outer parts first."""
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield (*path, key)
        yield from places_in(value[key], (*path, key))


def change(results: list[Any], generator: random.Random) -> None:
    """Put something odd at any place, long lists of numbers aside, or leave a key out."""
    path = generator.choice([one for one in places_in(results) if "rle" not in one[:-1]])
    part: Any = results
    for key in path[:-1]:
        part = part[key]
    if isinstance(part, dict) and generator.random() < 0.2:
        del part[path[-1]]
    else:
        part[path[-1]] = deepcopy(generator.choice(ODD))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_odd_results_cost_only_themselves(row: Row) -> None:
    scene, generator = SCENES[row.scene], random.Random(row.name)
    built = [one for one in row.regions() if one.results[0]["type"] != "relation"]
    whole = raw_task(scene.data(), [annotation(built)], [prediction(built)])
    config = LabelConfig.parse(scene.config)
    for number in range(CHANGES):
        raw = deepcopy(whole)
        change(raw[("annotations", "predictions")[number % 2]][0]["result"], generator)
        evaluation = Evaluation(config)
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            evaluation.add(read_task(raw, config, ProblemLog()))
            report = evaluation.report()
        assert b"NaN" not in orjson.dumps(report)
        assert report["tasks"] == {"read": 1, "annotated": 1}
