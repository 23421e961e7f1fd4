"""Building: what is left out, what is refused, being stopped anywhere, and the manifest."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import SettingError
from shared.evaluation.annotation_choice import AnnotationChoice
from shared.evaluation.dataset import workspace
from shared.evaluation.dataset.options import parse_split
from tests.media.web import Web, says, web

from .building import box, build, data_url, noise, task
from .test_hugging_face import TEXTS, answer, span
from .test_yolo import BOXES, CLASSES, OUTLINES, SIZE, choice

LOCAL = {"allowed_networks": "127.0.0.1"}


def png(seed: int) -> bytes:
    return base64.b64decode(data_url(noise(seed)).partition(",")[2])


def served(server: Web, count: int) -> list[dict[str, Any]]:
    """Tasks whose pictures a server has."""
    tasks = []
    for number in range(count):
        server.pages[f"/{number}.png"] = says(png(number))
        url = f"{server.url}/{number}.png"
        tasks.append(task(number, {"image": url}, [box("Red", (0, 0, 6, 4), SIZE)]))
    return tasks


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_what_cannot_be_fetched_costs_only_itself(tmp_path: Path) -> None:
    with web() as server:
        tasks = served(server, 3)
        del server.pages["/1.png"]
        server.pages["/2.png"] = says(b"no picture")
        built = build(tmp_path, BOXES, tasks, "yolo", LOCAL)
    assert [path.name for path in (built.folder / "images/train").iterdir()] == ["task-0.png"]
    assert built.manifest.left_out == {"media cannot be fetched": 2}
    assert built.manifest.failed_media == 2
    lines = (built.folder / "failures.jsonl").read_text().splitlines()
    failures = [json.loads(line) for line in lines]
    assert [(one["task"], one["reason"]) for one in failures] == [
        ("task 1", "fetch"),
        ("task 2", "decode"),
    ]
    assert "404" in failures[0]["message"]
    assert ["(task 1)" in built.problems[0], "(task 2)" in built.problems[1]] == [True, True]


def test_the_media_fetcher_keeps_its_doors_closed(tmp_path: Path) -> None:
    with web() as server:
        built = build(tmp_path, BOXES, served(server, 1), "yolo")
        assert server.visits == []
    assert built.manifest.failed_media == 1


def test_each_medium_is_fetched_once(tmp_path: Path) -> None:
    with web() as server:
        tasks = [*served(server, 1), task(8, {"image": f"{server.url}/0.png"}, [])]
        built = build(tmp_path, BOXES, tasks, "yolo", LOCAL, split=(0.5, 0.5))
        assert len(server.visits) == 1
    assert len(set(built.parts().values())) == 1, "equal pictures stay together"


def test_turned_in_the_editor(tmp_path: Path) -> None:
    turned = box("Red", (0, 0, 6, 4), SIZE) | {"image_rotation": 90}
    tasks = [task(4, {"image": data_url(noise(1))}, [turned])]
    tasks.append(task(5, {"image": data_url(noise(2))}, []))
    built = build(tmp_path, BOXES, tasks, "yolo")
    assert built.manifest.left_out == {"turned in the editor": 1}
    assert "turned by 90 degrees" in built.problems[0]


class StoppedError(Exception):
    """What stops a build in a test."""


@pytest.mark.parametrize("fetched", [0, 1, 5, 9])
def test_stopped_while_fetching(
    fetched: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is fetched, what is there is not, and the dataset is the same."""
    with web() as server:
        tasks = served(server, 10)
        whole = build(tmp_path, BOXES, tasks, "yolo", LOCAL, output=tmp_path / "whole")
        server.visits.clear()
        with monkeypatch.context() as patch:
            patch.setattr("shared.evaluation.dataset.media_store.FETCH_THREADS", 1)
            patch.setattr("shared.evaluation.dataset.media_store.QUEUED_MEDIA", 1)
            write, written = workspace.write_file, []

            def stop(path: Path, data: bytes) -> None:
                if path.suffix == ".png":
                    written.append(path)
                    if len(written) > fetched:
                        raise StoppedError
                write(path, data)

            patch.setattr("shared.evaluation.dataset.media_store.write_file", stop)
            with pytest.raises(StoppedError):
                build(tmp_path, BOXES, tasks, "yolo", LOCAL)
        first = {path for path, _ in server.visits}
        assert len(first) == fetched + 1
        with pytest.raises(SettingError, match="was interrupted: continue with --resume"):
            build(tmp_path, BOXES, tasks, "yolo", LOCAL)
        with pytest.raises(SettingError, match="begun with another label config or other options"):
            build(tmp_path, BOXES, tasks, "yolo", LOCAL, resume=True, seed=3)
        server.visits.clear()
        built = build(tmp_path, BOXES, tasks, "yolo", LOCAL, resume=True)
        assert len(server.visits) == 10 - fetched, "the one that was stopped comes again"
    assert content(built.folder) == content(whole.folder)


@pytest.mark.parametrize("moved", range(4))
def test_stopped_while_moving(moved: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [task(1, {"image": data_url(noise(1))}, [])]
    whole = build(tmp_path, BOXES, tasks, "yolo", output=tmp_path / "whole")
    with monkeypatch.context() as patch:
        replace, done = Path.replace, []

        def stop(path: Path, target: Path) -> Path:
            if path.parent.name == "made" and Path(target).parent.name == "dataset":
                done.append(path)
                if len(done) > moved:
                    raise StoppedError
            return replace(path, target)

        patch.setattr(Path, "replace", stop)
        with pytest.raises(StoppedError):
            build(tmp_path, BOXES, tasks, "yolo")
    built = build(tmp_path, BOXES, tasks, "yolo", resume=True)
    assert content(built.folder) == content(whole.folder)


@pytest.mark.parametrize("name", ["mine.txt", "manifest.json"])
def test_a_folder_with_something_else_is_refused(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / name).write_text("{}")
    with pytest.raises(SettingError, match=r"dataset holds (other files|a dataset already)"):
        build(tmp_path, BOXES, [], "yolo", resume=name == "mine.txt")
    assert content(folder) == {name: b"{}"}


def test_version_is_of_the_content(tmp_path: Path) -> None:
    """The order of tasks and of keys, and where it is built, does not matter; the rest does."""
    given = [
        task(number, {"text": f"Text {number}", "more": number}, [span("City", 0, 4)])
        for number in range(5)
    ]
    other = [dict(reversed(list(one.items()))) for one in reversed(given)]
    changed = json.loads(json.dumps(given))
    changed[2]["annotations"][0]["result"] = []

    def version(name: str, tasks: list[dict[str, Any]], **options: Any) -> str:
        output = tmp_path / name
        return build(tmp_path, TEXTS, tasks, "jsonl", output=output, **options).manifest.version

    whole = version("a", given)
    assert version("b", other) == whole
    assert version("c", changed) != whole
    assert version("d", given[:4]) != whole
    assert version("e", given, seed=1) != whole
    written = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert written["version"] == whole
    assert written["label_config"] == TEXTS
    assert written["splits"] == {"train": 5}
    assert written["labels"] == {"entity": {"City": {"train": 5}}}
    assert [one["id"] for one in written["tasks"]] == [0, 1, 2, 3, 4]


def test_what_was_said_of_a_task_hardly_moves_it(tmp_path: Path) -> None:
    """The part depends on what a task shows: other keys move none; labels only where a part lacks
    one, which is once for each of two labels and two parts at most."""
    given = [task(number, {"text": f"Some text {number}"}, []) for number in range(50)]
    keys = [task(number, {"text": f"Some text {number}", "x": 1}, []) for number in range(50)]
    moods = [answer("mood", "choices", [mood]) for mood in ["Good", "Bad"] * 25]
    labels = [
        task(number, {"text": f"Some text {number}"}, [mood]) for number, mood in enumerate(moods)
    ]
    first, second, third = (
        build(tmp_path, TEXTS, tasks, "jsonl", output=tmp_path / name, split=(0.5, 0.5)).parts()
        for name, tasks in (("a", given), ("b", keys), ("c", labels))
    )
    assert first == second
    assert set(first.values()) == {"train", "val"}
    assert sum(third[number] != part for number, part in first.items()) <= 4


def test_json_lines(tmp_path: Path) -> None:
    """Model units: pixels of the upright picture."""
    results = [box("Red", (6, 4, 12, 10), SIZE, id="one", rotation=90)]
    built = build(tmp_path, OUTLINES, [task(1, {"image": "/data/a.png"}, results)], "jsonl")
    [line] = (built.folder / "train.jsonl").read_text().splitlines()
    shape = {"type": "rectangle", "x": 6.0, "y": 4.0, "width": 6.0, "height": 6.0}
    assert json.loads(line) == {
        "task": "task 1",
        "id": 1,
        "objects": {"image": {"tag": "Image", "addresses": ["/data/a.png"], "is_list": False}},
        "regions": [
            {
                "object": "image",
                "shape": {**shape, "rotation": 90.0},
                "id": "one",
                "size": [60, 40],
                "values": {"rectanglelabels": ["Red"]},
            }
        ],
        "answers": {},
        "item_answers": {},
    }


def test_dialogue_in_json_lines_says_who_speaks(tmp_path: Path) -> None:
    xml = """<View><Paragraphs name="talk" value="$talk"/>
      <Choices name="mood" toName="talk"><Choice value="Good"/></Choices></View>"""
    talk = [{"author": "Ann", "text": "Hello"}, {"text": "Good morning"}]
    result = {"type": "choices", "from_name": "mood", "to_name": "talk", "id": "a"}
    result["value"] = {"choices": ["Good"]}
    built = build(tmp_path, xml, [task(1, {"talk": talk}, [result])], "jsonl")
    [line] = (built.folder / "train.jsonl").read_text().splitlines()
    assert json.loads(line)["objects"]["talk"] == {
        "tag": "Paragraphs",
        "text": "Hello\nGood morning",
        "passages": [[0, 5], [6, 18]],
        "names": ["Ann", ""],
    }


@pytest.mark.parametrize(
    ("rare", "message"),
    [(1, 'too rare to be in each of train, val: "Bad"'), (3, 'not in each of train, val: "Bad"')],
)
def test_labels_that_a_part_lacks_are_named(rare: int, message: str, tmp_path: Path) -> None:
    moods = [
        answer("mood", "choices", ["Bad" if number < rare else "Good"]) for number in range(90)
    ]
    tasks = [task(number, {"text": f"Text {number}"}, [mood]) for number, mood in enumerate(moods)]
    built = build(tmp_path, TEXTS, tasks, "jsonl", split=(0.9, 0.1))
    assert [one for one in built.problems if one.startswith(message)]
    if rare > 1:
        [seed] = [one.partition("--seed ")[2].split()[0] for one in built.problems]
        better = build(
            tmp_path, TEXTS, tasks, "jsonl", split=(0.9, 0.1), seed=int(seed), output=tmp_path / "b"
        )
        assert better.problems == []
        assert sorted(better.manifest.labels["mood"]["Bad"]) == ["train", "val"]


def test_an_empty_part_is_named(tmp_path: Path) -> None:
    tasks = [task(number, {"text": f"Text {number}"}, []) for number in range(3)]
    built = build(tmp_path, TEXTS, tasks, "jsonl", split=(0.98, 0.02))
    assert any("val is empty: of 3 tasks none" in problem for problem in built.problems)


def test_choices_in_the_manifest_are_counted_by_part(tmp_path: Path) -> None:
    tasks = [
        task(number, {"image": data_url(noise(number))}, [choice("a/b")]) for number in range(20)
    ]
    built = build(tmp_path, CLASSES, tasks, "yolo", split=(0.5, 0.5))
    counts = built.manifest.labels["kind"]["a/b"]
    assert sum(counts.values()) == 20
    assert counts == built.manifest.counts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.8,0.1", "add up to 0.9"),
        ("1,0", "shares above 0"),
        ("0.25,0.25,0.25,0.25", "4 shares, expected one to three"),
        ("most", "expected numbers"),
    ],
)
def test_shares_that_make_no_split(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse_split(text)


def test_annotations_of_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"once for each annotator.*use latest or consensus"):
        build(tmp_path, TEXTS, [], "jsonl", annotations=AnnotationChoice.all)
