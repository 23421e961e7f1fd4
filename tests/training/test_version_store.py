import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import SettingError
from shared.training.version_store import TrainedVersion, VersionStore

# Its forks have none of the threads and signal handlers of other tests.
pytestmark = pytest.mark.own_process
DETAILS = {"snapshot": "1a2b3c4d5e6f", "created": "2026-11-28T10:00:00Z", "figures": {"f1": 0.5}}
# What Python reports of changes of the disk, see https://docs.python.org/3/library/audit_events.html
CHANGES = frozenset({"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod"})


# Names of files beside those of control tags, and what is longer than names of files can be.
FILES = (".lock", "serving.json", "serving.json.new", "label" * 100, "標" * 100)


@pytest.fixture
def store(tmp_path: Path) -> VersionStore:
    return VersionStore(tmp_path / "training")


def add(store: VersionStore, folder: Path, control: str = "label") -> TrainedVersion:
    staged = folder / f"staged-{threading.get_ident()}"
    (staged / "weights").mkdir(parents=True)
    (staged / "weights" / "model.safetensors").write_bytes(b"weights")
    return store.add(staged, "7", "ner", control, DETAILS)


def test_versions_are_numbered_and_named_by_their_snapshot(
    store: VersionStore, tmp_path: Path
) -> None:
    added = [add(store, tmp_path) for _ in range(11)] + [add(store, tmp_path, "other")]
    assert [one.name for one in added] == [
        *(f"v{number}-1a2b3c4d" for number in range(1, 12)),
        "v1-1a2b3c4d",
    ]
    assert store.list_versions("7") == added
    assert added[0].weights.folder.joinpath("model.safetensors").read_bytes() == b"weights"
    assert (added[0].figures, added[0].created) == ({"f1": 0.5}, DETAILS["created"])
    assert store.list_versions("8") == []


def test_versions_of_two_servers_do_not_collide(store: VersionStore, tmp_path: Path) -> None:
    threads = [threading.Thread(target=add, args=(store, tmp_path / str(n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [version.name for version in store.list_versions("7")]
    assert names == [f"v{number}-1a2b3c4d" for number in range(1, 9)]


def test_promotion_and_rollback(store: VersionStore, tmp_path: Path) -> None:
    first, second = add(store, tmp_path), add(store, tmp_path)
    assert store.serving_versions("7") == {}
    assert store.serving_stamp("7") == 0
    store.promote(first)
    assert store.serving_versions("7") == {"label": first}
    stamp = store.serving_stamp("7")
    store.promote(second)
    assert store.serving_versions("7") == {"label": second}
    assert store.serving_stamp("7") != stamp
    assert store.roll_back("7", "label") == first.name
    assert store.serving_versions("7") == {"label": first}
    assert store.roll_back("7", "label") == ""
    assert store.serving_versions("7") == {}
    with pytest.raises(SettingError, match='project 7: no trained version serves "label"'):
        store.roll_back("7", "label")


def test_each_project_and_control_tag_has_its_own(store: VersionStore, tmp_path: Path) -> None:
    label, other = add(store, tmp_path), add(store, tmp_path, "other")
    store.promote(label)
    store.promote(other)
    assert store.serving_versions("7") == {"label": label, "other": other}
    assert store.serving_versions("8") == {}
    store.roll_back("7", "label")
    assert store.serving_versions("7") == {"other": other}


def test_version_whose_weights_are_gone_does_not_serve(store: VersionStore, tmp_path: Path) -> None:
    version = add(store, tmp_path)
    store.promote(version)
    shutil.rmtree(version.weights.folder)
    assert store.serving_versions("7") == {}


def test_old_versions_are_removed_but_those_that_served_last(
    store: VersionStore, tmp_path: Path
) -> None:
    added = [add(store, tmp_path) for _ in range(6)]
    store.promote(added[0])
    store.promote(added[1])
    store.prune("7", keep=2)
    assert store.list_versions("7") == [added[0], added[1], added[4], added[5]]


def test_unknown_version_names_those_that_there_are(store: VersionStore, tmp_path: Path) -> None:
    add(store, tmp_path)
    assert store.find("7", "label", "v1-1a2b3c4d").backend == "ner"
    expected = 'project 7 has no version "v9" of "label"; there are: v1-1a2b3c4d'
    with pytest.raises(SettingError, match=expected):
        store.find("7", "label", "v9")


@pytest.mark.parametrize("name", ["..", ".", "../..", "a/b", "a b", "标签", "", "con\0", *FILES])
def test_names_stay_below_the_folder(name: str, store: VersionStore, tmp_path: Path) -> None:
    version = add(store, tmp_path, name)
    root = tmp_path / "training" / "projects" / "7"
    assert version.folder.resolve().parent.parent == root.resolve()
    assert store.list_versions("7")[0].control == name
    store.promote(version)
    assert store.serving_versions("7") == {name: version}
    assert store.project_folder(name).resolve().parent == root.parent.resolve()


def test_long_names_with_the_same_start_differ(store: VersionStore) -> None:
    folders = {store.control_folder("7", "label" * 100 + end) for end in "ab"}
    assert len(folders) == 2


def test_unfinished_folder_is_no_version(store: VersionStore, tmp_path: Path) -> None:
    version = add(store, tmp_path)
    (version.folder.parent / "v2-unfinished" / "weights").mkdir(parents=True)
    assert store.list_versions("7") == [version]


def test_two_servers_promote_at_once(store: VersionStore, tmp_path: Path) -> None:
    """Each changes one control tag of the file that all of them replace."""
    versions = [add(store, tmp_path, f"label{number}") for number in range(8)]
    barrier = threading.Barrier(len(versions))

    def promote(version: TrainedVersion) -> None:
        own = VersionStore(tmp_path / "training")
        barrier.wait()
        for _ in range(5):
            own.promote(version)
            own.roll_back("7", version.control)
        own.promote(version)

    threads = [threading.Thread(target=promote, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.serving_versions("7") == {one.control: one for one in versions}


def test_a_rollback_passes_over_versions_that_were_removed(
    store: VersionStore, tmp_path: Path
) -> None:
    first, second, third = (add(store, tmp_path) for _ in range(3))
    for version in (first, second, third):
        store.promote(version)
    shutil.rmtree(second.folder)
    assert store.roll_back("7", "label") == first.name
    shutil.rmtree(first.folder)
    store.promote(third)
    assert store.roll_back("7", "label") == ""


def test_what_is_left_of_a_removed_version_goes(store: VersionStore, tmp_path: Path) -> None:
    kept, version = add(store, tmp_path), add(store, tmp_path)
    (version.folder / "version.json").unlink()  # its process was killed here
    assert store.list_versions("7") == [kept]
    store.prune("7")
    assert not version.folder.exists()
    assert kept.weights.folder.is_dir()


def test_version_can_be_read_by_servers_of_other_users(store: VersionStore, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    (staged / "weights").mkdir(parents=True, mode=0o700)
    (staged / "weights" / "network.safetensors").touch(mode=0o600)
    version = store.add(staged, "7", "detection", "label", DETAILS)
    file = version.weights.folder / "network.safetensors"
    assert file.stat().st_mode & 0o777 == 0o644
    assert file.parent.stat().st_mode & 0o777 == 0o755


# Killed, or damaged


def test_killed_at_any_moment_no_version_is_half_there(store: VersionStore, tmp_path: Path) -> None:
    """The process is killed before each of its changes of the disk in turn."""
    first = add(store, tmp_path)
    store.promote(first)
    for moment in range(1, 200):
        killed = run_killed(moment, lambda: store.promote(add(store, tmp_path)))
        shutil.rmtree(tmp_path / f"staged-{threading.get_ident()}", ignore_errors=True)
        for version in store.list_versions("7"):
            assert version.weights.folder.joinpath("model.safetensors").read_bytes() == b"weights"
        [serving] = store.serving_versions("7").values()
        run_killed(moment, lambda: store.prune("7", 1))
        assert store.serving_versions("7") == {"label": serving}
        store.prune("7", 1)
        assert {one.name for one in store.list_versions("7")} >= {serving.name}
        if not killed:
            break
    assert moment > 10, "each write, move and lock is a moment"


def run_killed(moment: int, work: Callable[[], None]) -> bool:
    """Do work in a process that is killed at its n-th change; return whether it came so far."""
    child = os.fork()
    if child == 0:
        left = [moment]

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            if event in CHANGES:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, -signal.SIGKILL}
    return status != 0


@pytest.mark.parametrize(
    "content",
    [b"", b'{"project": "7"', b"[]", b"null", b"\xff", b'{"name": 7}', b" " * 11_000_000],
    ids=["empty", "truncated", "list", "null", "no text", "wrong types", "huge"],
)
def test_damaged_version_costs_only_itself(
    content: bytes, store: VersionStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, damaged = add(store, tmp_path), add(store, tmp_path)
    store.promote(good)
    damaged.folder.joinpath("version.json").write_bytes(content)
    assert store.list_versions("7") == [good]
    assert store.list_projects() == ["7"]
    assert store.serving_versions("7") == {"label": good}
    assert f"{damaged.folder / 'version.json'} cannot be read" in caplog.text
    store.prune("7", 1)
    assert damaged.folder.is_dir(), "what is not understood is not removed"


def test_keys_of_a_later_version_are_left_out(store: VersionStore, tmp_path: Path) -> None:
    version = add(store, tmp_path)
    file = version.folder / "version.json"
    file.write_text(file.read_text().replace("{", '{"later": 1,', 1))
    assert store.list_versions("7") == [version]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"serving": [], "previous": {}}',
        b'{"serving": {"label": 7}, "previous": {}}',
        b'{"serving": {}, "previous": {"label": 7}}',
        b" " * 11_000_000,
    ],
    ids=["empty", "truncated", "list", "no keys", "serving", "name", "previous", "huge"],
)
def test_damaged_state_is_said(content: bytes, store: VersionStore, tmp_path: Path) -> None:
    version = add(store, tmp_path)
    store.promote(version)
    store.project_folder("7").joinpath("serving.json").write_bytes(content)
    for work in (
        lambda: store.serving_versions("7"),
        lambda: store.promote(version),
        lambda: store.roll_back("7", "label"),
        lambda: store.prune("7"),
    ):
        with pytest.raises(SettingError, match=r"project 7: .*serving.json is damaged \(\w+\)"):
            work()
    assert store.list_versions("7") == [version]
