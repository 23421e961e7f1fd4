"""`prelabel pages`: what it writes, `prelabel predict` reads."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shared.cli import app, pages, predict  # noqa: F401  # they add their commands
from shared.errors import DecodeError, SettingError
from shared.pipeline import runtime
from shared.settings import changed_environment
from tests.backends.ocr.drawing import page
from tests.media.test_document import file

CONFIG = """<View><Image name="i" valueList="$pages"/><Rectangle name="r" toName="i"/>
<TextArea name="text" toName="i" perRegion="true"/></View>"""


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_images_and_tasks(tmp_path: Path) -> None:
    for kind in ("TIFF", "PDF"):
        (tmp_path / f"{kind}.x").write_bytes(file(kind))
    out = tmp_path / "out"
    output = run("pages", str(tmp_path / "TIFF.x"), str(tmp_path / "PDF.x"), "-o", str(out))
    assert "TIFF.x: 3 pages" in output
    tasks = json.loads((out / "tasks.json").read_text())
    address = "/data/local-files/?d=out/{}/page-{:04}.png"
    assert tasks == [
        {"data": {"pages": [address.format(kind, n) for n in (1, 2, 3)]}}
        for kind in ("TIFF", "PDF")
    ]
    assert len(list(out.rglob("*.png"))) == 6


def test_key_and_prefix(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(file("PDF", 1))
    arguments = ["--key", "scans", "--url-prefix", "https://files.example.org/"]
    run("pages", str(tmp_path / "a.pdf"), "-o", str(tmp_path / "out"), *arguments)
    [task] = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert task == {"data": {"scans": ["https://files.example.org/a/page-0001.png"]}}


def test_two_files_of_one_name(tmp_path: Path) -> None:
    for name in ("a.pdf", "a.tif"):
        (tmp_path / name).write_bytes(file("PDF", 1))
    with pytest.raises(SettingError, match='Two of the files are named "a"'):
        run("pages", str(tmp_path / "a.pdf"), str(tmp_path / "a.tif"), "-o", str(tmp_path / "out"))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4")
    with pytest.raises(DecodeError, match=r"bad\.pdf: The PDF cannot be opened"):
        run("pages", str(tmp_path / "bad.pdf"), "-o", str(tmp_path / "out"))


def test_a_scanned_document_from_file_to_predictions(tmp_path: Path) -> None:
    drawn = [page(seed, lines=2) for seed in (1, 2)]
    first, second = (one.image for one in drawn)
    first.save(tmp_path / "scan.tiff", save_all=True, append_images=[second])
    (tmp_path / "config.xml").write_text(CONFIG)
    out = tmp_path / "out"
    with changed_environment({"LOCAL_FILES_ROOT": str(tmp_path)}):
        runtime.reset_runtime()
        run("pages", str(tmp_path / "scan.tiff"), "-o", str(out))
        config = ["--label-config", str(tmp_path / "config.xml"), "--backend", "ocr"]
        run("predict", str(out / "tasks.json"), *config, "-o", str(tmp_path / "found.json"))
        runtime.reset_runtime()
    [task] = json.loads((tmp_path / "found.json").read_text())
    [prediction] = task["predictions"]
    for number, one in enumerate(drawn):
        output = [
            r["value"]["text"][0]
            for r in prediction["result"]
            if r["type"] == "textarea" and r["item_index"] == number
        ]
        assert output == one.lines
