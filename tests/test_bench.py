"""The table of `make bench`: ratios of rounds that took turns, and bounds."""

import os
import subprocess
import sys
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

from backends.detection.starter.shapes import CLASSES, draw_picture
from backends.detection.starter.train import WEIGHTS
from tests.bench.__main__ import main, names
from tests.bench.page import PAGE, merge
from tests.bench.table import HEAD, Row, in_turns
from tests.bench.trained_yolo import grow

# Those that are run as users run them: they import little, or leave signal handlers (Ray does).
COMMANDED = ("ray_engine", "timeseries", "training")


@pytest.mark.parametrize(
    ("row", "held"),
    [
        (Row("x", "/s", (8.0, 9.0), (2.0, 2.0), at_least=4), True),
        (Row("x", "/s", (8.0, 9.0), (2.0, 3.0), at_least=4), False),
        (Row("x", "ms", (2.0, 9.0, 3.0), (1.0, 1.0, 1.0), at_most=3), True),
        (Row("x", "/s", (4000.0,), at_least=5000), False),
        (Row("x", "/s", (3.0,), (1.0,), at_least=4, ceiling=(5.0,)), False),
        (Row("x", "/s", (3.0,), (1.0,), at_least=4, ceiling=(4.0,)), True),
        (Row("x", "ms", (2.0,), (1.0,), at_most=1.2, ceiling=(1.0,)), False),
        (Row("x", "ms", (2.0,), (1.0,), at_most=1.2, ceiling=(1.9,)), True),
        (Row("x", "%", (0.0,), (0.0,), at_most=0), True),
        (Row("x", "/s", (1.0,)), True),
        (Row("x", "/s", (2500.0, 4000.0, 5100.0), at_least=5100, slowness=(2.1, 1.3, 1.0)), True),
        (Row("x", "/s", (2500.0, 4000.0, 5100.0), at_least=5150, slowness=(2.1, 1.2, 1.0)), False),
        (Row("x", "s", (0.5,), at_most=0.4, slowness=(1.3,)), True),
        (Row("x", "s", (0.5,), at_most=0.4, slowness=(1.2,)), False),
    ],
)
def test_a_bound_is_of_the_median_ratio_or_of_ours_alone(row: Row, held: bool) -> None:
    assert row.held is held
    assert len(row.cells()) == 5


def test_a_bound_above_what_the_engine_gives_is_said_to_be_out_of_reach() -> None:
    row = Row("x", "/s", (3.0,), (1.0,), "theirs", at_least=4, ceiling=(3.4,))
    assert row.cells()[-1] == "≥ 4 is out of reach: the engine gives 3.40"


def test_the_machines_slowness_is_said_where_the_bound_is_missed_as_it_is() -> None:
    row = Row("x", "s", (0.5,), at_most=0.4, slowness=(1.3,))
    assert row.cells()[-1] == "≤ 0.4 × 1.30 ✓"
    assert replace(row, ours=(0.6,)).cells()[-1] == "≤ 0.4 × 1.30 ✗"
    assert replace(row, ours=(0.4,)).cells()[-1] == "≤ 0.4 ✓"
    assert replace(row, at_least=1, at_most=None).cells()[-1] == "≥ 1 / 1.30 ✗"


def test_rounds_take_turns_and_the_first_is_not_counted() -> None:
    calls: list[str] = []

    def said(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    ours, theirs = in_turns(2, lambda: said("a"), lambda: said("b"))
    assert calls == ["b", "a", "a", "b", "b", "a"]
    assert (ours, theirs) == ((3.0, 6.0), (4.0, 5.0))


def test_rows_go_into_the_page_of_benchmarks() -> None:
    page = PAGE.read_text("utf-8")
    first = Row("x", "1/s", (4.0,), (2.0,), "theirs", at_least=3)
    once = merge(page, "1 core of Z80", "1 May 1977, abc", [first, Row("y", "s", (5.0,))])
    assert "| x | 4.00 1/s | 2.00 theirs | 2.00 (2.00–2.00) | ≥ 3 ✗ | 1 May 1977, abc |" in once
    twice = merge(once, "1 core of Z80", "2 May 1977, abd", [replace(first, ours=(8.0,))])
    assert (
        "| x | 8.00 1/s | 2.00 theirs | 4.00 (4.00–4.00) | ≥ 3 ✓ | 2 May 1977, abd |\n"
        "| y | 5.00 s |  |  |  | 1 May 1977, abc |\n"
    ) in twice
    assert twice.count("Z80") == 1
    assert [line for line in page.splitlines() if line not in twice] == []


def test_an_unknown_name_says_which_there_are() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", "nothing"], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 2
    assert ", ".join(names()) in run.stderr
    assert "ocr" in names()
    assert all(not name.startswith("__") for name in names())


def assert_table(text: str) -> None:
    head, _, *rows = text.splitlines()
    assert rows, head
    for row in rows:
        assert len(row.split(" | ")) == len(HEAD), row


def test_the_network_of_published_size_begins_with_what_the_starter_finds() -> None:
    torch, ultralytics = pytest.importorskip("torch"), pytest.importorskip("ultralytics")
    starter = ultralytics.YOLO(WEIGHTS).model.float().eval()
    wide = ultralytics.YOLO("yolo11n.yaml").model.eval()
    grow(starter.state_dict(), wide)
    drawn = draw_picture(np.random.default_rng(3), (320, 256)).image
    pixels = torch.from_numpy(drawn).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        expected, found = (network(pixels)[0][0].numpy() for network in (starter, wide))
    classes = 4 + len(CLASSES)
    assert expected[4:].max() > 0.5
    assert np.abs(found[4:classes] - expected[4:]).max() < 1e-3
    assert np.abs(found[:4] - expected[:4]).max() < 0.5
    assert found[classes:].max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in names() if name not in COMMANDED])
def test_each_benchmark_runs_at_its_smallest(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process, which has imported already what takes others longer than the benchmark."""
    with patch.dict(os.environ):
        assert main("--smallest", "--markdown", name) == 0
    assert_table(capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDED)
def test_the_command_runs_one(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--smallest", "--markdown", name],
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert_table(run.stdout)
