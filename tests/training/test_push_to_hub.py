"""A version is uploaded by `huggingface_hub` to a server that speaks its API, and comes back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import PrelabelError, SettingError
from shared.training.leavings import write_leavings
from shared.training.push_to_hub import push_version
from shared.training.version_store import TrainedVersion, VersionStore
from tests.cli.conftest import REPO

from .hub import TOKEN, Hub, connected, server
from .leaving import GATE, make_leavings

KEY = "7.1700000000"
__all__ = ["connected", "server"]  # fixtures


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> TrainedVersion:
    folder = tmp_path_factory.mktemp("version")
    staged = folder / "staged"
    (staged / "weights").mkdir(parents=True)
    (staged / "weights" / "model.bin").write_bytes(b"large" * 1000)
    (staged / "weights" / "config.json").write_text("{}")
    (staged / "weights" / "link").symlink_to("/etc/hostname")
    leavings = make_leavings(folder / "job")
    write_leavings(staged, leavings)
    details = {"snapshot": leavings.snapshot, "created": leavings.created, "figures": GATE}
    return VersionStore(folder).add(staged, KEY, "detection", "shape", details)


def test_push(server: Hub, version: TrainedVersion, tmp_path: Path) -> None:
    environment = {
        "PYTHONPATH": str(REPO),
        "TRAIN_DIR": str(version.folder.parents[3]),
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_XET": "1",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", "models", "push", "--project", "7", "me/shapes"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"{server.url}/me/shapes: shape v1-1a2b3c4d\n"
    assert server.repositories == {"me/shapes": True}, "private"
    assert server.commits == ["shape v1-1a2b3c4d"]
    assert set(server.files) == {
        "README.md",
        "curves.png",
        "metrics.json",
        "settings.json",
        "version.json",
        "weights/config.json",
        "weights/model.bin",
    }, "neither the log nor the ids of tasks, and nothing that a link leads to"
    for name in set(server.files) - {"version.json", "metrics.json"}:
        assert server.files[name] == (version.folder / name).read_bytes()
    assert json.loads(server.files["version.json"])["project"] == ""
    pushed = b"".join(server.files.values())
    assert [word for word in (KEY, "storage.example", "task 911") if word.encode() in pushed] == []


def test_what_was_pushed_can_be_served_elsewhere(
    connected: Hub, version: TrainedVersion, tmp_path: Path
) -> None:
    """As the card says: the folder is put below TRAIN_DIR and promoted there."""
    for _ in range(2):  # the second time the repository exists
        assert push_version(version, "me/again") == f"{connected.url}/me/again"
    folder = tmp_path / "projects" / "3.1800000000" / "shape" / version.name
    for name, content in connected.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    store = VersionStore(tmp_path)
    assert store.list_projects() == ["3.1800000000"]
    store.promote(store.find("3.1800000000", "shape", version.name))
    (served,) = store.serving_versions("3.1800000000").values()
    assert served.weights.folder == folder / "weights"
    assert served.figures == {key: GATE[key] for key in GATE if key != "reason"}


def test_public(connected: Hub, version: TrainedVersion) -> None:
    push_version(version, "me/open", private=False)
    assert connected.repositories["me/open"] is False


def test_without_a_token(
    connected: Hub, version: TrainedVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(SettingError, match="no token for Hugging Face: set HF_TOKEN"):
        push_version(version, "me/shapes")


@pytest.mark.parametrize(
    ("repo", "token", "message"),
    [
        ("me/shapes", "hf_reads", r"me/shapes: not uploaded: .*401 .*Invalid username or password"),
        ("a/b/c", TOKEN, "a/b/c: not uploaded: Repo id must be"),
    ],
    ids=["wrong token", "no name"],
)
def test_what_the_hub_refuses(
    repo: str,
    token: str,
    message: str,
    connected: Hub,
    version: TrainedVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(PrelabelError, match=message):
        push_version(version, repo)


def test_nobody_there(
    connected: Hub, version: TrainedVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PrelabelError, match=r"not uploaded: .*refused"):
        push_version(version, "me/shapes")
