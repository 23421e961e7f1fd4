"""Token classifiers trained in seconds on the starter's sentences."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backends.ner.starter.scores import tags_of
from backends.ner.starter.sentences import Sentence

from .conftest import STARTER

BATCH = 16


def learn(
    network: Any, sentences: Sequence[Sentence], number: Callable[[int], int], rate: float
) -> None:
    """Train on each batch once; `number` maps an index of `TAGS` to the network's.

    On one core: steps this small would be spent waiting for each other.
    """
    import torch
    from tokenizers import Tokenizer

    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    tokenizer = Tokenizer.from_file(str(STARTER / "tokenizer.json"))
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    for start in range(0, len(sentences), BATCH):
        given = _batch(sentences[start : start + BATCH], tokenizer, number)
        network.train()(**given).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    network.eval()
    torch.set_num_threads(threads)


def save(network: Any, folder: Path) -> Path:
    """Save it as transformers does, with the starter's tokenizer."""
    network.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(STARTER / name, folder / name)
    return folder


def _batch(
    sentences: Sequence[Sentence], tokenizer: Any, number: Callable[[int], int]
) -> dict[str, Any]:
    """Return token ids and tags, padded to the longest sentence."""
    import torch

    codes = tokenizer.encode_batch([sentence.text for sentence in sentences])
    shape = len(codes), max(len(code.ids) for code in codes)
    ids, labels = torch.zeros(shape, dtype=torch.long), torch.full(shape, -100)
    for row, (code, sentence) in enumerate(zip(codes, sentences, strict=True)):
        ids[row, : len(code.ids)] = torch.tensor(code.ids)
        found = [number(tag) if tag > 0 else tag for tag in tags_of(sentence, code.offsets)]
        labels[row, : len(code.ids)] = torch.tensor(found)
    return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": labels}
