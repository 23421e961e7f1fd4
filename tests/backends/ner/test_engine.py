"""OpenVINO gives what PyTorch gives, converts once, and needs no connection."""

import shutil
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends._inference.parity import REJECTION_FILE
from backends._transformers import conversion
from backends._transformers.model_source import ModelSource
from backends._transformers.parity_trial import ParityTrial
from backends._transformers.tokenizer import Row
from backends.ner.starter.sentences import generate
from backends.ner.token_classifier import TokenClassifier
from shared.settings import Settings
from tests.backends.damage import change_byte

from .conftest import STARTER
from .test_long_texts import found

pytest.importorskip("openvino")


def bert(folder: Path) -> Path:
    """A small BERT with random weights, and the starter's tokenizer."""
    import torch
    from transformers import BertConfig, BertForTokenClassification

    torch.manual_seed(0)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=4000, intermediate_size=128, num_labels=5, **shape)
    BertForTokenClassification(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(STARTER / name, folder / name)
    return folder


def test_openvino_gives_what_torch_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: Any) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refused)
    folder = bert(tmp_path / "bert")
    source = ModelSource("AutoModelForTokenClassification", folder, tmp_path / "kept" / "bert")
    fast = TokenClassifier.load(source, Settings(engine="openvino"))
    slow = TokenClassifier.load(source, Settings(engine="torch"))
    assert (fast.network.engine, slow.network.engine) == ("openvino", "torch")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["bert"]
    [kept] = source.cache_folder.iterdir()  # in one precision
    made = (kept / "model.xml").stat().st_mtime_ns
    texts = [sentence.text for sentence in generate(200, 5, "held_out")]
    rows = [Row([1, *text.encode(), 2], [0] * (len(text.encode()) + 2)) for text in texts]
    for ours, reference in zip(fast.network.run(rows), slow.network.run(rows), strict=True):
        assert np.allclose(ours, reference, atol=0.02)
    TokenClassifier.load(source, Settings(engine="openvino"))
    assert (kept / "model.xml").stat().st_mtime_ns == made


@pytest.mark.parametrize("file", ["model.bin", "model.xml", "tokenizer.json"])
def test_a_damaged_conversion_is_made_again(
    file: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = ModelSource(
        "AutoModelForTokenClassification", bert(tmp_path / "bert"), tmp_path / "kept"
    )
    TokenClassifier.load(source, Settings())
    [path] = source.cache_folder.glob(f"*/{file}")
    right = path.read_bytes()
    change_byte(path)
    assert TokenClassifier.load(source, Settings()).network.engine == "openvino"
    assert f"is made again, since it cannot be loaded: {file} is damaged" in caplog.text
    if file != "model.xml":  # which has the names of PyTorch's variables
        assert path.read_bytes() == right


def test_starter_gives_the_same_on_the_chosen_engine(
    classifier: TokenClassifier, tmp_path: Path
) -> None:
    """A network that does not survive the conversion runs on PyTorch."""
    source = ModelSource("AutoModelForTokenClassification", STARTER, tmp_path / "kept")
    chosen = TokenClassifier.load(source, Settings())
    texts = [sentence.text for sentence in generate(100, 5, "held_out")]
    for ours, reference in zip(found(chosen, texts), found(classifier, texts), strict=True):
        assert [(e.start, e.end, e.type) for e in ours] == [
            (e.start, e.end, e.type) for e in reference
        ]
        assert np.allclose([e.score for e in ours], [e.score for e in reference], atol=0.02)


def test_converted_network_is_visible_only_with_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other processes may look during the comparison; a rejected network is not tried again."""
    source = ModelSource(
        "AutoModelForTokenClassification", bert(tmp_path / "bert"), tmp_path / "kept"
    )
    seen: list[list[str]] = []

    def differs(trial: ParityTrial, runner: Any) -> str:
        seen.append([path.name for path in source.cache_folder.iterdir() if path.name[0] != "."])
        return "it differs"

    monkeypatch.setattr(ParityTrial, "describe_deviation", differs)
    tries = conversion.available_precisions()
    for _ in range(2):
        network = TokenClassifier.load(source, Settings()).network
        assert network.engine == "torch"
        assert network.describe_engine() == "PyTorch on cpu: on OpenVINO in f32 it differs"
    assert seen == [tries[:number] for number in range(len(tries))]
    for precision in tries:
        [told] = (source.cache_folder / precision).iterdir()
        assert (told.name, told.read_text()) == (REJECTION_FILE, "it differs")


@pytest.mark.parametrize("concurrency", [1, 2, 3])
@pytest.mark.parametrize(
    "lengths",
    [[], [5], [5, 400], [5, 400, 7, 300, 9, 500, *([20] * 400)], [510] * 7, [3] * 1000],
    ids=["none", "one", "two", "mixed", "long", "short"],
)
def test_batches_have_similar_lengths_within_the_token_limit(
    classifier: TokenClassifier, lengths: list[int], concurrency: int
) -> None:
    network = replace(classifier.network, runner=SimpleNamespace(concurrency=concurrency))
    batches = network._group_rows([Row([1] * n, [0] * n) for n in lengths])
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    widths = [[network._padded_width(lengths[index]) for index in batch] for batch in batches]
    assert [width for batch in widths for width in batch] == sorted(
        map(network._padded_width, lengths), reverse=True
    )
    for batch in widths:
        assert len(batch) == 1 or batch[0] * len(batch) <= network.batch_tokens


def test_batches_that_run_in_parallel_have_one_size(classifier: TokenClassifier) -> None:
    """Otherwise one would wait for the other."""
    network = replace(classifier.network, runner=SimpleNamespace(concurrency=2))
    batches = network._group_rows([Row([1] * 16, [0] * 16)] * 200)
    assert list(map(len, batches)) == [25] * 8
