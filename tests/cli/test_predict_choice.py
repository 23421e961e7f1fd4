"""Which tasks `prelabel predict` predicts: --only, --sample, --replace, --min-score, --dry-run."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.backend import registry
from shared.backend.base import Backend
from shared.backend.claim import Claim
from shared.cli.progress import format_bytes
from shared.errors import TaskError
from shared.results import Region, TextSpan, region

from .conftest import Command

CONFIG = """<View><Labels name="label" toName="text"><Label value="Word"/></Labels>
<Text name="text" value="$text"/></View>"""
ANNOTATION = {"result": [], "completed_by": 1}


class WordBackend(Backend):
    """Marks each word, the surer the longer it is; a text of "fail" fails while `broken`."""

    name = "words"
    fills = frozenset({("Labels", "Text")})
    broken = True

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return [TaskError("no") if self.broken and text == "fail" else text for text in items]

    def regions(self, output: str, claim: Claim) -> Iterable[Region]:
        end = 0
        for word in output.split():
            start = output.index(word, end)
            end = start + len(word)
            span, score = TextSpan(start, end), len(word) / 10
            yield region(span, {claim.control: ["Word"]}, source=output, score=score)


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A backend of words, and a label config for it."""
    monkeypatch.setattr(registry, "find_backends", lambda: {"words": WordBackend})
    monkeypatch.setattr(WordBackend, "broken", True)
    monkeypatch.setenv("ANSWER_CACHE_MB", "0")
    monkeypatch.chdir(tmp_path)
    Path("config.xml").write_text(CONFIG)


def write(tasks: Iterable[dict[str, Any]], name: str = "in.jsonl") -> str:
    Path(name).write_text("".join(json.dumps(task) + "\n" for task in tasks))
    return name


def texts(*found: str) -> list[dict[str, Any]]:
    return [{"data": {"text": text}} for text in found]


def predict(prelabel: Command, *words: Any, status: int = 0) -> str:
    ran = prelabel("predict", *words, "--label-config", "config.xml")
    assert ran.status == status, ran
    return ran.out + ran.err


def read(name: str = "out.json") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(name).read_text())
    return found


def labelled(task: dict[str, Any]) -> list[str]:
    """The words that the last prediction of a task marks."""
    return [result["value"]["text"] for result in task["predictions"][-1]["result"]]


def test_low_scores(prelabel: Command) -> None:
    tasks = write(texts("a bcdefgh ij"))
    predict(prelabel, tasks, "-o", "all.json")
    predict(prelabel, tasks, "-o", "out.json", "--min-score", "0.2")
    assert labelled(read()[0]) == ["bcdefgh", "ij"]
    [prediction] = read()[0]["predictions"]
    assert prediction["score"] == 0.45
    assert prediction["model_version"] != read("all.json")[0]["predictions"][0]["model_version"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--min-score", "1.5"), "--min-score should be from 0 to 1, and is 1.5"),
        (("--sample", "0"), "--sample should be 1 or more, and is 0"),
        (("--only", "all"), "'all' is not one of 'missing', 'unannotated', 'failed'"),
    ],
)
def test_wrong_values(prelabel: Command, given: Sequence[str], said: str) -> None:
    out = predict(prelabel, write(texts("a")), "-o", "out.json", *given, status=2)
    assert said in " ".join(out.replace("│", " ").split())
    assert not Path("out.json").exists()


def test_sample_is_the_same_each_time_and_in_order(prelabel: Command) -> None:
    tasks = write(texts(*(f"text {number}" for number in range(100))))
    for name in ("one.json", "two.json"):
        predict(prelabel, tasks, "-o", name, "--sample", "10")
    assert read("one.json") == read("two.json")
    numbers = [int(task["data"]["text"].split()[1]) for task in read("one.json")]
    assert len(numbers) == 10
    assert numbers == sorted(numbers) != list(range(10))
    more = write(texts(*(f"text {number}" for number in range(105))), "more.jsonl")
    predict(prelabel, more, "-o", "more.json", "--sample", "10")
    kept = [task for task in read("more.json") if task in read("one.json")]
    assert len(kept) >= 8, "nearly all of a sample stays when tasks are added"


def test_sample_larger_than_the_input(prelabel: Command) -> None:
    predict(prelabel, write(texts("a", "b")), "-o", "out.json", "--sample", "10")
    assert [task["data"]["text"] for task in read()] == ["a", "b"]


def test_only_unannotated(prelabel: Command) -> None:
    bare, done, skipped, numbered = texts("bare", "done", "skipped", "numbered")
    tasks = write(
        [
            bare,
            {**done, "annotations": [ANNOTATION]},
            {**skipped, "annotations": [{**ANNOTATION, "was_cancelled": True}]},
            {**numbered, "annotations": [7]},
        ]
    )
    predict(prelabel, tasks, "-o", "out.json", "--only", "unannotated")
    assert [task["data"]["text"] for task in read()] == ["bare", "skipped"]


def test_only_missing(prelabel: Command) -> None:
    predict(prelabel, write(texts("old")), "-o", "old.json")
    other = {"data": {"text": "other"}, "predictions": [{"model_version": "x", "result": []}]}
    tasks = write([*read("old.json"), other, *texts("new")])
    predict(prelabel, tasks, "-o", "out.json", "--only", "missing")
    assert [task["data"]["text"] for task in read()] == ["other", "new"]
    assert len(read()[0]["predictions"]) == 2


def test_replace_removes_older_versions_of_the_same_backends(prelabel: Command) -> None:
    versions = ("words:words-00000000", "words-11111111-abcd", "other-00000000", "mine", None)
    before = [{"model_version": version, "result": []} for version in versions]
    tasks = write([{"data": {"text": "a"}, "predictions": before}])
    predict(prelabel, tasks, "-o", "all.json")
    assert len(read("all.json")[0]["predictions"]) == 6
    predict(prelabel, tasks, "-o", "out.json", "--replace")
    kept = [found.get("model_version") for found in read()[0]["predictions"]]
    assert kept[:-1] == ["other-00000000", "mine", None]
    assert str(kept[-1]).startswith("words")


def test_only_failed_predicts_these_again_in_their_places(
    prelabel: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [*texts("a", "fail", "b"), {"data": "no object"}, *texts("fail", "c")]
    tasks = write(lines)
    predict(prelabel, tasks, "-o", "out.json", status=1)
    first = read()
    assert [len(task["predictions"]) for task in first] == [1, 0, 1, 0, 1]
    predict(prelabel, tasks, "-o", "out.json", "--only", "failed", status=1)
    assert read() == first, "all fail again"
    assert len(Path("out.json.failures.jsonl").read_text().splitlines()) == 3
    monkeypatch.setattr(WordBackend, "broken", False)
    lines[3] = texts("mended")[0]
    predict(prelabel, write(lines), "-o", "out.json", "--only", "failed")
    assert [labelled(task) for task in read()] == [
        ["a"],
        ["fail"],
        ["b"],
        ["mended"],
        ["fail"],
        ["c"],
    ]
    assert sorted(path.name for path in Path().glob("out*")) == ["out.json"]
    out = predict(prelabel, tasks, "-o", "out.json", "--only", "failed", status=2)
    assert "no task failed in out.json" in out


def test_only_failed_with_another_input(prelabel: Command) -> None:
    predict(prelabel, write(texts("a", "fail")), "-o", "out.json", status=1)
    before = read()
    out = predict(
        prelabel, write(texts("x", "fail")), "-o", "out.json", "--only", "failed", status=2
    )
    assert "in.jsonl: task 0 (line 1) is not what out.json was made of" in " ".join(out.split())
    assert read() == before


def test_only_failed_without_an_earlier_run(prelabel: Command) -> None:
    out = predict(prelabel, write(texts("a")), "-o", "o.json", "--only", "failed", status=2)
    assert "--only failed continues a finished run, and o.json is not there" in out


def test_dry_run_writes_nothing(prelabel: Command) -> None:
    tasks = write([*texts(*["abc def"] * 498, "fail"), {"data": 1}])
    before = sorted(Path().iterdir())
    out = predict(prelabel, tasks, "--dry-run", status=1)
    assert out.startswith("499 tasks to predict as words")
    assert "1 more cannot be read as tasks" in out
    assert sorted(Path().iterdir()) == before


def test_dry_run_tells_how_large_the_output_will_be(prelabel: Command) -> None:
    for count, unit in ((1, "kB"), (3000, "MB")):
        tasks = write(texts(*["abc def " * 40] * count))
        out = predict(prelabel, tasks, "--dry-run")
        size, shown = out.partition(" of output")[0].split()[-2:]
        assert shown == unit
        predict(prelabel, tasks, "-o", f"{count}.jsonl")
        in_bytes = float(size) * {"kB": 1e3, "MB": 1e6}[unit]
        assert in_bytes == pytest.approx(Path(f"{count}.jsonl").stat().st_size, rel=0.05)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (812, "812 bytes"),
        (999.7, "1.0 kB"),
        (4_210, "4.2 kB"),
        (36_400_000, "36 MB"),
        (999_600_000, "1.0 GB"),
        (2_345e9, "2,345 GB"),
    ],
)
def test_sizes_have_the_units_that_people_read(size: float, said: str) -> None:
    assert format_bytes(size) == said
