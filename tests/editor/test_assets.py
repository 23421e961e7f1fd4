"""The editor is found in Label Studio's files, or a message says what is there instead."""

import re
from pathlib import Path

import pytest

from shared.editor.assets import (
    IN_WHEEL,
    TESTED_VERSIONS,
    EditorAssets,
    find_assets,
    read_assets,
    require_assets,
)
from shared.errors import SettingError
from shared.settings import Settings

NUMBERS = "Promise.all([n.e(7),n.e(12)]).then(n.bind(n,345))"
OTHER = "Promise.all([n.e(7),n.e(9)]).then(n.bind(n,1))"
MAIN = "(self.webpackChunkname=[]).push();"


def write_files(folder: Path, main: str, editor: str = "window.LabelStudio=A") -> Path:
    """Files laid out as the wheel has them: chunk 12 holds `editor`, 9 something else."""
    folder.mkdir(parents=True)
    for name, text in {"main.js": main, "12.js": editor, "9.js": "other", "7.js": ""}.items():
        (folder / name).write_text(text)
    return folder


def test_the_real_editor_is_found_with_its_release_and_flags(assets: EditorAssets) -> None:
    assert assets.version in TESTED_VERSIONS
    assert "window.LabelStudio=" in (assets.folder / f"{assets.chunks[-1]}.js").read_text()
    assert assets.scripts == ("runtime.js", "vendor.js", "main.js")
    # one of feature_flags.json that is on, and one of stale_feature_flags.py that is off
    assert assets.flags["fflag_feat_front_dev_3873_labeling_ui_improvements_short"] is True
    assert assets.flags["fflag_fix_front_lsdv_4600_lead_time_27072023_short"] is False


@pytest.mark.parametrize("main", [OTHER + NUMBERS, NUMBERS + OTHER], ids=["last", "first"])
def test_the_editor_is_the_module_whose_chunk_sets_it(main: str, tmp_path: Path) -> None:
    found = read_assets(write_files(tmp_path / "files", MAIN + main))
    assert (found.chunks_name, found.chunks, found.module) == ("webpackChunkname", (7, 12), 345)
    assert (found.version, found.flags) == ("unknown", {})


def test_a_single_chunk_is_loaded_without_a_list(tmp_path: Path) -> None:
    found = read_assets(write_files(tmp_path / "files", MAIN + "n.e(12).then(n.bind(n,345))"))
    assert (found.chunks, found.module) == ((12,), 345)


UNKNOWN = {
    "no chunk is loaded": (MAIN, "window.LabelStudio=A"),
    "no chunk holds the editor": (MAIN + NUMBERS, "window.Other=A"),
    "the chunk is missing": (MAIN + NUMBERS.replace("12", "13"), ""),
    "no list of chunks": (NUMBERS, "window.LabelStudio=A"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_unknown_layout_names_the_release_and_those_tested(case: str, tmp_path: Path) -> None:
    folder = write_files(tmp_path / IN_WHEEL, *UNKNOWN[case])
    (tmp_path / "label_studio-9.8.7.dist-info").mkdir()
    message = f"Label Studio 9.8.7 .*tested: {re.escape(', '.join(TESTED_VERSIONS))}"
    with pytest.raises(SettingError, match=message):
        read_assets(folder)


PLACES = {"the folder": "", "site-packages": "../../../..", "an environment": "../" * 7}


@pytest.mark.parametrize("named", PLACES)
def test_the_setting_names_the_folder_or_an_environment(named: str, tmp_path: Path) -> None:
    folder = write_files(
        tmp_path / "lib" / "python3.11" / "site-packages" / IN_WHEEL, MAIN + NUMBERS
    )
    setting = Settings(label_studio_assets=(folder / PLACES[named]).resolve())
    assert find_assets(setting) == folder


def test_a_folder_without_an_editor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"LABEL_STUDIO_ASSETS=.*has no editor; expected"):
        find_assets(Settings(label_studio_assets=tmp_path))


def test_without_files_the_message_tells_what_installs_them() -> None:
    # label-studio is not a requirement of ours, so that this environment has none
    assert find_assets(Settings()) is None
    with pytest.raises(SettingError, match="pip install --no-deps label-studio"):
        require_assets(Settings())
