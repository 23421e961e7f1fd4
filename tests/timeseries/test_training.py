"""A model of series learns from annotations, and serves by the backend's own way."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ruptures")
pytest.importorskip("safetensors")

from backends.timeseries import TimeSeriesBackend
from backends.timeseries.series import Series
from backends.timeseries.training.labelled import LabelledSeries, read_part
from backends.timeseries.training.smoothing import most_likely_path
from shared.backend.training import TrainedWeights, TrainingError, TrainingRun
from shared.errors import ModelError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline import standalone
from shared.pipeline.runtime import reset_runtime
from tests.evaluation.dataset.building import build, task

from .drawing import (
    ACTIVITIES,
    Drawn,
    draw_activities,
    draw_spikes,
    label_config,
    span_f1,
)

Result = dict[str, Any]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    reset_runtime()
    yield
    reset_runtime()


def train(
    folder: Path, xml: str, raws: Sequence[Any], labels: Sequence[str], place: int = 0
) -> Path:
    """Train for the control tag at a place; return the folder of the weights."""
    dataset = build(folder, xml, raws, "series", split=(0.85, 0.15), near_duplicates=False)
    config, output = LabelConfig.parse(xml), folder / "weights"
    output.mkdir()
    told: list[dict[str, float]] = []

    def note(epoch: int, epochs: int, metrics: dict[str, float]) -> bool:
        told.append(metrics)
        return True

    control = config.controls[place]
    run = TrainingRun(config, control, tuple(labels), dataset.folder, None, output, on_epoch=note)
    TimeSeriesBackend(label_config=xml, served=True).train(run)
    assert told
    return output


def predict(xml: str, weights: Path, control: str, shown: Sequence[Drawn]) -> list[list[Result]]:
    own = {control: TrainedWeights("timeseries", weights, "v1-test")}
    backend = TimeSeriesBackend(label_config=xml, served=True, trained_weights=own)
    tasks = [{"id": number, "data": {"series": one.columns()}} for number, one in enumerate(shown)]
    answers = standalone.predict(backend, tasks)
    assert all("v1-test" in answer["model_version"] for answer in answers)
    return [answer["result"] for answer in answers]


def spans(results: Sequence[Result]) -> list[tuple[str, int, int]]:
    return [
        (
            one["value"]["timeserieslabels"][0],
            round(one["value"]["start"] * 2),
            round(one["value"]["end"] * 2),
        )
        for one in results
    ]


@pytest.mark.parametrize(
    ("draw", "labels", "channels", "least"),
    [
        pytest.param(draw_activities, ACTIVITIES, 2, 0.9, id="activities"),
        pytest.param(draw_spikes, ["Spike"], 1, 0.8, id="instants"),
    ],
)
def test_spans_are_learned(
    draw: Any, labels: Sequence[str], channels: int, least: float, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    shown = [draw(random, 600) for _ in range(12)]
    xml = label_config(labels, channels)
    raws = [task(n, {"series": one.columns()}, one.results()) for n, one in enumerate(shown, 1)]
    weights = train(tmp_path, xml, raws, labels)
    unseen = [draw(random, 600) for _ in range(10)]
    found = [spans(results) for results in predict(xml, weights, "label", unseen)]
    assert span_f1(found, [one.spans for one in unseen]) >= least
    assert json.loads((weights / "series.json").read_text())["classes"] == list(labels)


ANSWERS = (
    '<Choices name="kind" toName="series"><Choice value="Slow"/><Choice value="Fast"/></Choices>'
    '<Rating name="stars" toName="series" maxRating="5"/>'
)


def draw_wave(random: np.random.Generator, fast: int) -> Drawn:
    places = np.arange(300)
    wave = np.sin(places / (2 if fast else 9) + random.uniform(0, 6))
    return Drawn((wave + random.normal(size=300) * 0.3)[:, None], ())


def answered(number: int, one: Drawn, fast: int) -> Any:
    common = {"to_name": "series", "id": f"a{number}"}
    results = [
        common
        | {
            "from_name": "kind",
            "type": "choices",
            "value": {"choices": ["Slow", "Fast"][fast : fast + 1]},
        },
        common
        | {"id": "b", "from_name": "stars", "type": "rating", "value": {"rating": 1 + 4 * fast}},
    ]
    return task(number, {"series": one.columns()}, results)


@pytest.mark.parametrize(
    ("place", "labels", "control"), [(1, ("Slow", "Fast"), "kind"), (2, (), "stars")]
)
def test_answers_about_the_whole_are_learned(
    place: int, labels: Sequence[str], control: str, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    xml = label_config(["Run"], 1, ANSWERS)
    kinds = [number % 2 for number in range(16)]
    raws = [answered(n + 1, draw_wave(random, kind), kind) for n, kind in enumerate(kinds)]
    weights = train(tmp_path, xml, raws, labels, place)
    results = predict(xml, weights, control, [draw_wave(random, kind) for kind in kinds])
    own = [[one for one in some if one["from_name"] == control] for some in results]
    values = [one["value"] for [one] in own]
    if control == "kind":
        assert [value["choices"] for value in values] == [
            [("Slow", "Fast")[kind]] for kind in kinds
        ]
    else:
        assert all(
            abs(value["rating"] - 1 - 4 * kind) <= 1
            for value, kind in zip(values, kinds, strict=True)
        )


def test_series_with_other_channels_are_refused(tmp_path: Path) -> None:
    xml = label_config(["Spike"], 1).replace('<Channel column="c0"/>', "")
    random = np.random.default_rng(0)
    raws = []
    for number in range(1, 7):
        one = draw_spikes(random, 200)
        columns = one.columns()
        columns[f"c{number % 2}"] = columns["c0"]
        raws.append(task(number, {"series": columns}, one.results()))
    with pytest.raises(TrainingError, match="name those to learn from by Channel tags"):
        train(tmp_path, xml, raws, ["Spike"])


def test_without_spans_nothing_is_learned(tmp_path: Path) -> None:
    xml = label_config(["Spike"], 1)
    one = Drawn(np.zeros((50, 1)), ())
    raws = [task(number, {"series": one.columns()}, []) for number in range(1, 4)]
    with pytest.raises(TrainingError, match="has a span"):
        train(tmp_path, xml, raws, ["Spike"])


def test_weights_that_are_none_are_named(tmp_path: Path) -> None:
    from backends.timeseries.training.train import load_model

    (tmp_path / "series.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(tmp_path)


def test_of_a_long_series_the_part_with_the_labels_is_learned() -> None:
    series = Series(np.arange(100.0), np.arange(100.0)[:, None], ("v",))
    one = LabelledSeries(series, [("a", 2, 3), ("a", 50, 59), ("b", 68, 72)], "x")
    part = one.crop(20)
    assert part.series.times[[0, -1]].tolist() == [50, 69]
    assert part.spans == [("a", 0, 9), ("b", 18, 19)]
    assert part.answer == "x"
    assert one.crop(100) is one


def test_the_likeliest_path_has_no_dust() -> None:
    """Two states that stay with 0.9; a doubtful step among sure ones is no change."""
    transitions = np.log(np.array([[0.9, 0.1], [0.1, 0.9]]))
    chances = np.array([0.9, 0.9, 0.4, 0.9, 0.1, 0.1, 0.1])
    emissions = np.log(np.column_stack([chances, 1 - chances]))
    assert most_likely_path(emissions, transitions).tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_an_instant_in_a_series_of_one_row_is_that_row(tmp_path: Path) -> None:
    xml = label_config(["A"], 1)
    drawn = Drawn(np.zeros((1, 1)), [("A", 0, 0)])
    late = [{**one, "value": {**one["value"], "start": 7, "end": 7}} for one in drawn.results()]
    raws = [task(n, {"series": drawn.columns()}, late) for n in range(1, 5)]
    dataset = build(tmp_path, xml, raws, "series", split=(0.5, 0.5), near_duplicates=False)
    config = LabelConfig.parse(xml)
    run = TrainingRun(config, config.controls[0], ("A",), dataset.folder, None, tmp_path)
    series = [one for part in ("train", "val") for one in read_part(run, part, 10)]
    assert series
    assert all(one.label_rows(["A"]).tolist() == [1] for one in series)
