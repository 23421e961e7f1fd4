"""Entities in texts, by a model of BERT-base size: python -m tests.bench.text

`/predict` through HTTP, beside `transformers.pipeline` called as the official example calls it (the
list of texts, no batch size), and beside the bare engine: the texts to tokens, these in the same
batches through the same compiled network, and nothing else. The weights are random, with a bias
that leaves about as many entities as real text has; their values change no time.
"""

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from backends._transformers.model_source import ModelSource
from backends.ner.starter.sentences import generate
from backends.ner.token_classifier import TokenClassifier
from shared.settings import Settings
from tests.bench.table import Row, Size, in_turns, rate, show, size_of, sized
from tests.serving import Served, children, served

CONFIG = """<View><Labels name="label" toName="text"><Label value="Person"/>
<Label value="Organization"/><Label value="Location"/><Label value="Misc"/></Labels>
<Text name="text" value="$text"/></View>"""
TYPES = ("PER", "ORG", "LOC", "MISC")
ROUNDS = 4
SHORT, MIXED = 1000, 64
TINY = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
"""What is less than in a BERT-base, in the smallest size."""
"""Texts of a round: of 5 to 15 words, and of 5 to 400."""
PIECES = 28996
"""Entries of the vocabulary, as bert-base-cased has."""
PEAK = """
import json, sys, warnings
warnings.simplefilter("ignore")
from transformers import pipeline
found = pipeline("ner", model=sys.argv[1], tokenizer=sys.argv[1])(json.load(sys.stdin))
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


class Texts:
    """Texts of whole sentences' words, none of them twice."""

    def __init__(self) -> None:
        self._sentences = [sentence.text.split() for sentence in generate(2000, 7, "held_out")]
        self._draw = random.Random(0)

    def of(self, count: int, shortest: int, longest: int) -> list[str]:
        return [self._text(self._draw.randint(shortest, longest)) for _ in range(count)]

    def _text(self, length: int) -> str:
        words: list[str] = []
        while len(words) < length:
            words += self._draw.choice(self._sentences)
        return " ".join(words[:length])


class Bare:
    """The tokenizer and the network alone: the windows of all texts at once."""

    def __init__(self, folder: Path) -> None:
        """Of the server's own conversion, which lies beside the model."""
        [kept] = (folder.parent / "cache" / "openvino").iterdir()
        source = ModelSource("AutoModelForTokenClassification", folder, kept)
        self._model = TokenClassifier.load(source, Settings())
        self.name = f"the bare engine ({self._model.network.engine})"

    def __call__(self, texts: Sequence[str]) -> None:
        """Run them, and do nothing with what comes out."""
        encoded = zip(texts, self._model.tokenizer.encode(texts), strict=True)
        self._model.network.run(
            [
                tokens.build_row(window.start, window.end)
                for text, tokens in encoded
                for window in self._model.split_text(text, tokens)
            ]
        )


def rows(size: Size = "whole") -> Iterator[Row]:
    """Texts a second, memory, and what all around the network costs."""
    texts = Texts()
    with tempfile.TemporaryDirectory() as name:
        folder = model_in(Path(name) / "bert-base", **sized(size, {}, {}, TINY))
        with started(folder) as server:
            server.wait("/ready", 300)
            bare = Bare(folder)
            yield from beside_pipeline(server, folder, texts, bare, size)
            yield from beside_network(server, texts, bare, size)


def started(folder: Path) -> Any:
    """The server with that model; its cache lies beside the model."""
    variables = {"NER_MODEL": str(folder), "CACHE_DIR": str(folder.parent / "cache")}
    return served("ner", log=folder.parent / "log", **variables)


def model_in(folder: Path, **shape: int) -> Path:
    """A BERT-base with a word-piece tokenizer for these sentences, saved as users have theirs."""
    import torch
    from tokenizers import Tokenizer as Trained
    from tokenizers import models, normalizers, pre_tokenizers, trainers
    from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

    pieces = Trained(models.WordPiece(unk_token="[UNK]"))
    pieces.normalizer = normalizers.BertNormalizer(lowercase=False)
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=PIECES, special_tokens=special, show_progress=False
    )
    learned = 8000 if not shape else 200  # a smaller network is not measured
    pieces.train_from_iterator((s.text for s in generate(learned, 1, "held_out")), trainer)
    tags = ["O", *(f"{prefix}-{kind}" for kind in TYPES for prefix in "BI")]
    torch.manual_seed(0)
    config = BertConfig(
        **shape,
        vocab_size=PIECES,
        id2label=dict(enumerate(tags)),
        label2id={tag: number for number, tag in enumerate(tags)},
    )
    network = BertForTokenClassification(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:  # zeros and ones would be left out by the converter
                parameter += 0.02 * torch.randn_like(parameter)
        # as sure of its tags at any size: less sure ones are left out
        network.classifier.weight *= 8 * (768 / config.hidden_size) ** 0.5
    tokenizer = BertTokenizerFast(
        tokenizer_object=pieces, do_lower_case=False, model_max_length=512
    )
    with torch.no_grad():  # one token of ten is of an entity
        sample = tokenizer(Texts().of(8, 30, 30), return_tensors="pt", padding=True)
        logits = network.eval()(**sample).logits
        above = logits[..., 1:].max(dim=-1).values - logits[..., 0]
        network.classifier.bias[0] += above.quantile(0.9)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def beside_pipeline(
    server: Served, folder: Path, texts: Texts, bare: Bare, size: Size
) -> Iterator[Row]:
    from transformers import pipeline

    plain = pipeline("ner", model=str(folder), tokenizer=str(folder))
    count = sized(size, MIXED, MIXED, 8)
    fresh = of_rounds(lambda: texts.of(count, 5, 400))
    ours, theirs, engine = in_turns(
        sized(size, ROUNDS, 1, 1),
        lambda: rate(count, lambda: predict(server, fresh(0))),
        lambda: rate(count, lambda: plain(fresh(1))),
        lambda: rate(count, lambda: bare(fresh(2))),
    )
    name = f"Entities, {count} texts of 5–400 words, BERT-base"
    beside = "transformers.pipeline"
    yield Row(name, "texts/s", ours, theirs, beside, at_least=5, ceiling=engine)
    yield Row(name, "texts/s", ours, engine, bare.name, at_least=0.92)
    memory = (peak(server.process.pid),), (peak_of_pipeline(folder, texts),)
    yield Row("Memory at the most", "MB", *memory, "the pipeline's process")


def beside_network(server: Served, texts: Texts, bare: Bare, size: Size) -> Iterator[Row]:
    count = sized(size, SHORT, SHORT, 40)
    fresh = of_rounds(lambda: texts.of(count, 5, 15))
    figures = in_turns(
        sized(size, ROUNDS, 2, 1),
        lambda: 1 / rate(1, lambda: predict(server, fresh(0))),
        lambda: 1 / rate(1, lambda: bare(fresh(1))),
    )
    name = f"Entities, {count:,} texts of 5–15 words in one request"
    yield Row(name, "s", *figures, bare.name, at_most=1.3)


def of_rounds(make: Callable[[], list[str]]) -> Callable[[int], list[str]]:
    """The texts of each round, the same for all that take turns and of no other round."""
    rounds: list[list[str]] = []
    asked = [0, 0, 0]

    def texts(who: int) -> list[str]:
        number = asked[who]
        asked[who] += 1
        if number == len(rounds):
            rounds.append(make())
        return rounds[number]

    return texts


def predict(server: Served, texts: Sequence[str]) -> None:
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    body = {"tasks": tasks, "label_config": CONFIG, "project": "1.1", "params": {}}
    answer = httpx.post(f"{server.url}/predict", json=body, timeout=600).json()
    found = [len(result["result"]) for result in answer["results"]]
    assert len(found) == len(texts)
    assert sum(found) > len(texts) / 10


def peak(process: int) -> float:
    """The most memory that a process and those that it started have held, in MB."""
    return sum(_peak(one) for one in (process, *children(process)))


def _peak(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def peak_of_pipeline(folder: Path, texts: Texts) -> float:
    """The same of a process that runs the pipeline: its longest texts are what counts."""
    command = [sys.executable, "-c", PEAK, str(folder)]
    sent = json.dumps(texts.of(3, 380, 400))
    ran = subprocess.run(command, input=sent, capture_output=True, text=True, check=True)
    return int(ran.stdout.split()[-1]) / 1024


if __name__ == "__main__":
    sys.exit(0 if all(row.held for row in show(rows(size_of(sys.argv)))) else 1)
