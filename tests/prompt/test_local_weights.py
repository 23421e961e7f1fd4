"""The files of models that run in this process: folders and GGUF files."""

from pathlib import Path

import pytest

pytest.importorskip("gguf")
pytest.importorskip("llguidance")

import torch
from safetensors.torch import load_file

from backends.prompt.models.local_model import LocalModel
from backends.prompt.models.local_weights import (
    find_local_folder,
    is_local,
    list_local_files,
    load_tokenizer,
)
from backends.prompt.question import Question, TextPart
from backends.prompt.settings import PromptSettings
from shared.backend import ModelSpec
from shared.errors import ModelError
from shared.settings import Settings

from .tiny_chat_models import save_text_model
from .tiny_gguf import save_gguf

SCHEMA = {
    "type": "object",
    "properties": {"topic": {"type": "string", "enum": ["Positive", "Negative"]}},
    "required": ["topic"],
    "additionalProperties": False,
}
QUESTION = Question("Say what it is.", SCHEMA, (TextPart("text", "hello"),))


def spec(name: object) -> ModelSpec:
    return ModelSpec("prompt", f"hf:{name}")


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model in both forms: `tiny` and `tiny.gguf`."""
    folder = tmp_path_factory.mktemp("models")
    save_gguf(save_text_model(folder / "tiny"), folder / "tiny.gguf")
    return folder


def test_a_gguf_file_has_the_weights_of_its_folder(model_dir: Path, tmp_path: Path) -> None:
    settings = Settings(model_dir=model_dir, cache_dir=tmp_path)
    files = list(list_local_files(spec("tiny.gguf"), settings))
    assert files == [model_dir / "tiny.gguf"]
    converted = find_local_folder(spec("tiny.gguf"), settings, "0" * 64)
    assert converted == tmp_path / "gguf" / f"tiny-{'0' * 16}"
    made = (converted / "model.safetensors").stat().st_mtime_ns
    assert find_local_folder(spec("tiny.gguf"), settings, "0" * 64) == converted
    assert (converted / "model.safetensors").stat().st_mtime_ns == made, "it is converted once"
    ours, theirs = (load_file(f / "model.safetensors") for f in (converted, model_dir / "tiny"))
    assert ours.keys() == theirs.keys()
    for name, weights in theirs.items():
        torch.testing.assert_close(ours[name].float(), weights, atol=1e-4, rtol=1e-3)
    answer = LocalModel.load("tiny", converted, PromptSettings(max_tokens=60), "cpu").ask(QUESTION)
    assert answer.values["topic"] in {"Positive", "Negative"}


@pytest.mark.parametrize("name", ["tiny", "tiny.gguf"])
def test_tokens_are_counted_without_the_network(name: str, model_dir: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(spec(name), Settings(model_dir=model_dir, cache_dir=tmp_path))
    assert tokenizer("Positive").input_ids
    assert not list(tmp_path.iterdir())


def test_a_tokenizer_that_is_not_here_is_not_fetched(tmp_path: Path) -> None:
    settings = Settings(model_dir=tmp_path, cache_dir=tmp_path)
    assert load_tokenizer(spec("nobody/nothing"), settings) is None


def test_a_folder_lists_its_template_and_no_code(tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.json", "chat_template.jinja", "own.py", "x.bin"):
        (tmp_path / name).touch()
    names = {path.name for path in list_local_files(spec(tmp_path), Settings())}
    assert names == {"model.safetensors", "config.json", "chat_template.jinja"}


MISSING = {
    "no folder": ("./nowhere", "PROMPT_MODEL=./nowhere: there is no such folder"),
    "no file": ("nowhere.gguf", "PROMPT_MODEL=hf:nowhere.gguf: there is no such file, neither"),
    "no name": ("", "expected hf: and a model's name on the hub, its folder, or a GGUF file"),
    "starter": ("starter", "there is no starter"),
}


@pytest.mark.parametrize(("name", "message"), MISSING.values(), ids=MISSING)
def test_a_missing_model_is_named(name: str, message: str, tmp_path: Path) -> None:
    assert is_local(spec(name))
    with pytest.raises(ModelError, match=message):
        list(list_local_files(spec(name), Settings(model_dir=tmp_path)))


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + b"\xff" * 64, b"\0" * 4096])
def test_a_broken_gguf_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(content)
    settings = Settings(model_dir=tmp_path, cache_dir=tmp_path / "cache")
    with pytest.raises(ModelError, match=r"broken.gguf cannot be read .*: expected a GGUF"):
        find_local_folder(spec("broken.gguf"), settings, "0" * 64)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
