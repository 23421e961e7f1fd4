"""What is kept of a model gives the tokens that transformers gives."""

from pathlib import Path

import pytest

pytest.importorskip("transformers")

from backends._transformers.converted_model import (
    NetworkDescription,
    read_model_files,
    write_model_files,
)
from backends._transformers.model_source import ModelSource
from backends._transformers.tokenizer import NO_WORD, Tokenizer
from backends.ner import NerBackend
from backends.text_classification import TextClassificationBackend

TEXTS = [
    "Ada Lovelace visited Zürich on 3 May.",
    "  two  blanks\n\nand 北京, naïve e\u0301, \U0001f44d\U0001f3fd",
    "",
    "word " * 700,
]


@pytest.mark.parametrize("backend", [NerBackend, TextClassificationBackend], ids=lambda b: b.name)
def test_tokens_and_labels_are_those_of_transformers(
    backend: type[NerBackend | TextClassificationBackend], tmp_path: Path
) -> None:
    source = ModelSource(backend.auto_class, backend.starter_folder, tmp_path)
    loaded, config = Tokenizer.load(source.folder), source.load_config()
    write_model_files(tmp_path, NetworkDescription.of(config, loaded), loaded)
    description, kept = read_model_files(tmp_path)
    assert kept.inner is None
    encoded = loaded.inner(TEXTS, verbose=False).encodings
    for tokens, expected in zip(kept.encode(TEXTS), encoded, strict=True):
        assert [*tokens.prefix, *tokens.ids, *tokens.suffix] == expected.ids
        own = slice(len(tokens.prefix), len(tokens.prefix) + len(tokens.ids))
        assert [*map(tuple, tokens.offsets.tolist())] == expected.offsets[own]
        words = [None if word == NO_WORD else word for word in tokens.word_ids]
        assert words == expected.word_ids[own]
    pairs = [(text, "This text is about cities.") for text in TEXTS]
    first, second = zip(*pairs, strict=True)
    asked = loaded.inner(list(first), list(second), truncation="only_first", max_length=40)
    rows = kept.encode_pairs(pairs, 40)
    assert [(row.ids, row.type_ids) for row in rows] == [
        (one.ids, one.type_ids) for one in asked.encodings
    ]
    assert len(kept.encode(TEXTS)[3].ids) >= 700, "the limit of pairs is not left behind"
    assert description.labels == tuple(config.id2label[n] for n in range(config.num_labels))
    assert description.pad_id == config.pad_token_id
    assert description.max_tokens == min(512, config.max_position_embeddings)
