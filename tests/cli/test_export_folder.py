"""The folder of an export: one process writes it, and it has all or nothing."""

import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from shared.backend.registry import find_backends
from shared.backend.unfinished_export import PARTIAL
from shared.cli.export_folder import new_folder
from shared.errors import ModelError, SettingError
from shared.settings import changed_environment

from .conftest import REPO

WRITER = """
import sys, time
from pathlib import Path
from shared.cli.export_folder import new_folder
with new_folder(Path(sys.argv[1])) as folder:
    (folder / "model.bin").write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


def write(output: Path) -> None:
    with new_folder(output) as folder:
        (folder / "model.bin").write_text("whole")


def test_a_second_export_into_the_same_folder_says_so(tmp_path: Path) -> None:
    """And once the first one is killed, it may write: nothing of that one stays."""
    output = tmp_path / "mine"
    command = [sys.executable, "-c", WRITER, str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPO, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "writing\n"
        try:
            said = rf"Another prelabel export is writing to {re.escape(str(output))}: wait"
            with pytest.raises(SettingError, match=said):
                write(output)
            assert not (output / "model.bin").exists()
        finally:
            first.send_signal(signal.SIGKILL)
    write(output)
    assert [path.name for path in output.iterdir()] == ["model.bin"]
    assert (output / "model.bin").read_text() == "whole"
    with pytest.raises(SettingError, match="mine is there already"):
        write(output)


@pytest.mark.parametrize("name", ["detection", "ner", "text_classification"])
@pytest.mark.parametrize("others", [[], ["model.xml", "network.json"]], ids=["whole", "renaming"])
def test_an_export_that_was_killed_is_no_model(
    name: str, others: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "mine"
    (output / PARTIAL / "f32").mkdir(parents=True)
    for other in others:  # which it had moved to their place already
        (output / other).touch()
    used = {"MODEL_DIR": str(tmp_path), f"{name.upper()}_MODEL": "mine"}
    with changed_environment(used):
        backend = find_backends()[name](served=True)
        [spec] = backend.default_specs()
        with pytest.raises(ModelError, match=r"mine is an export that was not finished: wait for"):
            list(backend.weights(spec))
    if others:
        with pytest.raises(SettingError, match=r"nearly done: delete the folder, and export again"):
            write(output)


def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        with suppress(ZeroDivisionError), new_folder(tmp_path / name) as folder:
            (folder / "model.bin").touch()
            raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    def export() -> None:
        with new_folder(tmp_path / "mine") as folder:
            (folder / "model.bin").symlink_to("/dev/full")
            (folder / "model.bin").write_text("something")

    with pytest.raises(SettingError, match=r"mine cannot be written \(No space left on device\)"):
        export()
    assert list(tmp_path.iterdir()) == []


def test_other_users_may_read_what_is_exported(tmp_path: Path) -> None:
    """The user of a container, which the folder is mounted in, is another one."""
    with new_folder(tmp_path / "mine") as folder:
        (folder / "f32").mkdir(mode=0o700)  # as the cache's folders are
        (folder / "f32" / "network.json").touch()
    assert (tmp_path / "mine" / "f32").stat().st_mode == (tmp_path / "mine").stat().st_mode
