"""The cluster of a run: which actors fit it, and what is said where there is none."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.bulk.ray_engine.cluster import ActorPool, choose_pool, connected
from shared.errors import SettingError
from tests.cli.conftest import TEXT_CONFIG, Command

PATTERN = ("--label-config", TEXT_CONFIG, "--backend", "pattern", "--engine", "ray")


def nodes(*resources: tuple[float, float]) -> SimpleNamespace:
    """What Ray says of nodes with so many cores and GPUs; one more is dead."""
    found = [{"Alive": True, "Resources": {"CPU": cpu, "GPU": gpu}} for cpu, gpu in resources]
    dead = {"Alive": False, "Resources": {"CPU": 512.0, "GPU": 8.0}}
    return SimpleNamespace(nodes=lambda: [*found, dead])


TWO, SMALL, GPUS = (64.0, 0.0), (2.0, 0.0), (16.0, 4.0)


@pytest.mark.parametrize(
    ("machines", "actors", "gpus", "inline", "expected"),
    [
        ([TWO, TWO], None, 0, True, ActorPool(128, 1, 0)),
        ([TWO, SMALL], None, 0, False, ActorPool(16, 4, 0)),
        ([SMALL], None, 0, False, ActorPool(1, 2, 0)),
        ([SMALL], 2, 0, False, ActorPool(2, 1, 0)),
        ([SMALL], 8, 0, True, ActorPool(8, 1, 0)),
        ([TWO, TWO], 4, 0, False, ActorPool(4, 32, 0)),
        ([GPUS, GPUS], None, 1, False, ActorPool(8, 1, 1)),
        ([GPUS, TWO], None, 0.5, False, ActorPool(8, 1, 0.5)),
        ([GPUS, TWO], 2, 1, False, ActorPool(2, 1, 1)),
    ],
    ids=[
        "one core where models run in one thread",
        "four cores where they run in several, of which a small node has too few",
        "a small machine",
        "cores are shared among the actors that are asked for",
        "more actors than cores",
        "no more cores than are asked to be shared",
        "a GPU each",
        "half a GPU each",
        "fewer than fit",
    ],
)
def test_actors_fill_the_cluster(
    machines: list[tuple[float, float]],
    actors: int | None,
    gpus: float,
    inline: bool,
    expected: ActorPool,
) -> None:
    assert choose_pool(nodes(*machines), actors, gpus, inline) == expected


@pytest.mark.parametrize(
    ("machines", "gpus", "message"),
    [
        ([TWO], 1, "--gpus-per-actor is 1: no machine of the cluster has more than 0"),
        ([GPUS], 8, "--gpus-per-actor is 8: no machine of the cluster has more than 4"),
        ([(0.0, 0.0)], 0, r"No machine of the Ray cluster has a core that actors may use"),
    ],
)
def test_a_cluster_without_what_an_actor_needs(
    machines: list[tuple[float, float]], gpus: float, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        choose_pool(nodes(*machines), None, gpus, False)


def test_ray_is_not_installed(
    prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.jsonl").write_text('{"text":"3 May"}\n')
    monkeypatch.setitem(sys.modules, "ray", None)
    ran = prelabel("predict", "in.jsonl", *PATTERN, "-o", "out.json")
    assert ran.status == 2
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    assert "ray is not installed: install the extra, e.g. " in ran.err


def test_ray_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is too busy to start a node in time is told by a bare Exception of Ray."""
    ray = pytest.importorskip("ray")

    def start(**_: object) -> None:
        raise Exception("The current node timed out during startup.\nMore")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", start)
    message = r"^Ray cannot be started: The current node timed out during startup\.$"
    with pytest.raises(SettingError, match=message), connected(None):
        pass


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-",), "--engine ray cannot read standard input: name a file"),
        (("gone.jsonl",), "gone.jsonl: file not found"),
        (("--project", "1"), "--engine ray predicts files and folders, not --project"),
    ],
)
def test_what_this_engine_cannot_read(
    words: tuple[str, ...], message: str, prelabel: Command
) -> None:
    ran = prelabel("predict", *words, *PATTERN, "-o", "out.json")
    assert ran.status == 2
    assert message in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "No Ray cluster answers at 127.0.0.1:1: Connection refused"),
        ("127.0.0.1:x", "No Ray cluster answers at 127.0.0.1:x: Port could not be cast to integer"),
        ("ray://127.0.0.1:1", "No Ray cluster answers at ray://127.0.0.1:1: Connection refused"),
    ],
)
@pytest.mark.usefixtures("local_ray")
def test_no_cluster_at_the_address(
    address: str, message: str, prelabel: Command, tmp_path: Path
) -> None:
    """A process that is connected to another cluster does not take that one in its place."""
    (tmp_path / "in.jsonl").write_text('{"text":"3 May"}\n')
    ran = prelabel("predict", "in.jsonl", *PATTERN, "--ray-address", address, "-o", "out")
    assert ran.status == 2
    assert message in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
