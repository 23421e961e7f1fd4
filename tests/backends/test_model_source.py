"""Weights of transformers are read from safetensors alone."""

import pickle
import shutil
from pathlib import Path

import pytest

from backends._transformers.model_source import ModelSource
from backends.text_classification.backend import TextClassificationBackend


class Code:
    """What runs code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_pickles_are_not_read(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(TextClassificationBackend.starter_folder, folder)
    (folder / "model.safetensors").unlink()
    mark = tmp_path / "was run"
    (folder / name).write_bytes(pickle.dumps(Code(mark)))
    source = ModelSource(TextClassificationBackend.auto_class, folder, tmp_path)
    with pytest.raises(Exception, match=r"model\.safetensors|deserializing header"):
        source.load_network()
    assert not mark.exists()
