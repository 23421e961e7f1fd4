"""Trains the starter model from scratch: python -m backends.ner.starter.train"""

import argparse
import json
import math
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    ModernBertConfig,
    ModernBertForTokenClassification,
    PreTrainedTokenizerFast,
)

from backends.ner.starter.calibrate import calibrate, read_marked
from backends.ner.starter.scores import TAGS, f1_by_label, spans_of, tags_of, words_of
from backends.ner.starter.sentences import LABELS, Sentence, Span, generate

WEIGHTS = Path(__file__).with_name("weights")
VOCABULARY = 4000
POSITIONS = 512
BATCH = 32
CHUNK = 256 * BATCH
PEAK_RATE = 3e-3
MERGE_DROPOUT = 0.1  # splits the same word in several ways, so that unseen names look less strange
EMBEDDING_SCALE = 0.15  # relative to it, training steps are smaller than with the usual 0.02
SMOOTHING = 0.03  # label smoothing, against overconfidence
NOISE = 0.15
COINED = 0.3
NAMED = 5  # the tokenizer sees the names of every fifth text
UNKNOWN = "[UNK]"
SPECIAL = ("[PAD]", "[CLS]", "[SEP]", UNKNOWN, "[MASK]")

Batch = dict[str, torch.Tensor]


def token_texts(sentences: list[Sentence]) -> Iterator[str]:
    """Yield texts for the tokenizer, most of them without their names.

    A name that is a single token teaches the network nothing about the pieces of unseen names.
    """
    for index, sentence in enumerate(sentences):
        text = sentence.text
        for span in reversed(sentence.spans):
            if index % NAMED and span.label in ("PER", "ORG", "LOC"):
                text = text[: span.start] + text[span.end :]
        yield text


def train_tokenizer(texts: list[str]) -> Tokenizer:
    """Train a cased byte-level BPE: every byte has a token, so nothing is unknown.

    Words, punctuation marks, numbers and line breaks are split first; each gets the word-start mark
    of ByteLevel, so that a word looks the same after a space, a bracket or a quotation mark.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[^\S\n]+"), "removed"),
            pre_tokenizers.Split("\n", "isolated"),
            pre_tokenizers.Punctuation("isolated"),
            pre_tokenizers.Digits(individual_digits=False),
            pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=20,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def new_model(vocabulary: int) -> ModernBertForTokenClassification:
    """A small ModernBERT with random weights.

    Its rotary positions learn far faster than BERT's table of positions: its training loss after
    500 batches was 0.14, that of BERT of like size after 2,800 was 0.13.
    """
    pad, first, last = (SPECIAL.index(name) for name in ("[PAD]", "[CLS]", "[SEP]"))
    config = ModernBertConfig(
        vocab_size=vocabulary,
        hidden_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=POSITIONS,
        local_attention=64,
        global_attn_every_n_layers=2,
        pad_token_id=pad,
        bos_token_id=first,
        cls_token_id=first,
        eos_token_id=last,
        sep_token_id=last,
        id2label=dict(enumerate(TAGS)),
        label2id={tag: index for index, tag in enumerate(TAGS)},
    )
    return ModernBertForTokenClassification(config)


def draw_embeddings(model: ModernBertForTokenClassification, tokenizer: Tokenizer) -> None:
    """Initialize tokens with similar spelling with similar vectors.

    A token's vector is the sum of random vectors, one for each feature of its spelling. So what is
    learnt about frequent tokens, such as capitals beginning names, holds for rare ones at once.
    """
    features = [spelling(tokenizer.decode([one]), one) for one in range(tokenizer.get_vocab_size())]
    numbers = {name: row for row, name in enumerate(sorted(set().union(*features)))}
    weights = model.get_input_embeddings().weight
    drawn = torch.randn(len(numbers), weights.shape[1])
    with torch.no_grad():
        for token, names in enumerate(features):
            vector = drawn[[numbers[name] for name in sorted(names)]].sum(0)
            weights[token] = EMBEDDING_SCALE * vector / vector.std()


def spelling(token: str, number: int) -> set[str]:
    """Return the features of a token: case, digits and signs, its start and end, itself."""
    start = token.startswith(" ")
    word = token.strip()
    shape = re.sub(r"(.)\1+", r"\1+", "".join(map(kind_of, word)))
    found = {f"number {number}", f"start {start}", f"shape {start} {shape}", f"first {shape[:1]}"}
    folded = word.lower()
    found |= {f"letters {folded}", f"begins {start} {word[:3]}", f"ends {folded[-3:]}"}
    return found | {f"case {word.isupper()} {word.istitle()}", f"length {min(len(word), 6)}"}


def kind_of(character: str) -> str:
    """Return A for capitals, a for other letters, 0 for digits, and signs themselves."""
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return "0" if character.isdigit() else character


def to_batch(rows: list[tuple[list[int], list[int]]]) -> Batch:
    """Pad (ids, tags) to tensors of shape (rows, longest)."""
    width = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    labels = torch.full((len(rows), width), -100)
    for row, (row_ids, tags) in enumerate(rows):
        ids[row, : len(row_ids)] = torch.tensor(row_ids)
        labels[row, : len(tags)] = torch.tensor(tags)
    return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": labels}


def batches(sentences: list[Sentence], tokenizer: Tokenizer, rng: random.Random) -> Iterator[Batch]:
    """Yield one epoch, CHUNK texts at a time: similar lengths together, batches shuffled."""
    for first in range(0, len(sentences), CHUNK):
        chunk = sentences[first : first + CHUNK]
        tokenizer.model.dropout = MERGE_DROPOUT
        encodings = tokenizer.encode_batch([sentence.text for sentence in chunk])
        tokenizer.model.dropout = None
        rows = [
            (code.ids[:POSITIONS], tags_of(sentence, code.offsets)[:POSITIONS])
            for sentence, code in zip(chunk, encodings, strict=True)
        ]
        rows.sort(key=lambda row: len(row[0]) + 4 * rng.random())
        groups = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        rng.shuffle(groups)
        for group in groups:
            yield to_batch(group)


def rate_at(share: float) -> float:
    """Return the learning rate's factor: a short warm-up, then a cosine decay."""
    return min(share / 0.05, 0.5 * (1 + math.cos(math.pi * share)))


def fit(
    model: ModernBertForTokenClassification,
    epoch_batches: Callable[[], Iterator[Batch]],
    epochs: int,
    steps: int,
    rate: float,
    smoothing: float,
) -> None:
    """Train for `epochs` of `steps` batches each; print the loss every 100 steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: rate_at(n / (epochs * steps)))
    model.train()
    started, average = time.monotonic(), 0.0
    for epoch in range(epochs):
        for step, batch in enumerate(epoch_batches(), start=epoch * steps + 1):
            labels = batch.pop("labels")
            loss = cross_entropy(
                model(**batch).logits.flatten(0, 1), labels.flatten(), label_smoothing=smoothing
            )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            average = 0.98 * average + 0.02 * loss.item()
            if step % 100 == 0:
                seconds = time.monotonic() - started
                print(f"step {step}: loss {average:.4f}, {seconds:.0f} s", flush=True)


def predict(model: Any, tokenizer: Any, texts: list[str]) -> list[list[Span]]:
    """Return the spans of each text."""
    found: list[list[Span]] = []
    model.eval()
    for start in range(0, len(texts), 64):
        encoded = tokenizer(
            texts[start : start + 64],
            padding=True,
            truncation=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        offsets = encoded.pop("offset_mapping").tolist()
        with torch.inference_mode():
            tags = model(**encoded).logits.argmax(-1).tolist()
        for row, (row_tags, row_offsets) in enumerate(zip(tags, offsets, strict=True)):
            found.append(spans_of(*words_of(row_tags, row_offsets, encoded.word_ids(row))))
    return found


def save(model: ModernBertForTokenClassification, tokenizer: Tokenizer, out: Path) -> None:
    """Write weights in half precision, config and tokenizer, as `from_pretrained` reads them."""
    names = ("pad_token", "cls_token", "sep_token", "unk_token", "mask_token")
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=POSITIONS,
        model_input_names=["input_ids", "attention_mask"],
        **dict(zip(names, SPECIAL, strict=True)),
    )
    wrapped.save_pretrained(out)
    settings = out / "tokenizer_config.json"
    written = json.loads(settings.read_text(encoding="utf-8"))
    written["tokenizer_class"] = "PreTrainedTokenizerFast"  # transformers 4 knows this name as well
    settings.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    model.half().save_pretrained(out)


def report(out: Path, seed: int) -> str:
    """Return Markdown rows of the F1 that the saved model reaches on unseen names."""
    tokenizer = AutoTokenizer.from_pretrained(out)
    model = AutoModelForTokenClassification.from_pretrained(out, dtype=torch.float32)
    held_out = generate(2000, seed, "held_out")
    found = predict(model, tokenizer, [sentence.text for sentence in held_out])
    scores = f1_by_label([sentence.spans for sentence in held_out], found)
    return "\n".join(f"| {label} | {scores[label]:.3f} |" for label in ("all", *LABELS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=96_000, help="texts to generate")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder of the model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--coined", type=float, default=COINED, help="share of coined names")
    parser.add_argument("--smoothing", type=float, default=SMOOTHING, help="label smoothing")
    parser.add_argument(
        "--calibrate", type=Path, help="file of sentences to fit the temperature to"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--start", type=Path, help="continue from this folder, at a third of the rate"
    )
    args = parser.parse_args()
    started = time.monotonic()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    if args.start:
        tokenizer = Tokenizer.from_file(str(args.start / "tokenizer.json"))
    else:
        sample = generate(20_000, args.seed, "train", coined=1.0)
        tokenizer = train_tokenizer(list(token_texts(sample)))
    sentences = generate(args.sentences, args.seed, "train", NOISE, args.coined)
    model = new_model(tokenizer.get_vocab_size())
    draw_embeddings(model, tokenizer)
    if args.start:
        model = type(model).from_pretrained(args.start, dtype=torch.float32)
    print(f"{model.num_parameters():,} parameters, {time.monotonic() - started:.0f} s", flush=True)
    steps = math.ceil(len(sentences) / BATCH)
    rate = PEAK_RATE / 3 if args.start else PEAK_RATE
    fit(model, lambda: batches(sentences, tokenizer, rng), args.epochs, steps, rate, args.smoothing)
    save(model, tokenizer, args.out)
    if args.calibrate:
        temperature = calibrate(args.out, read_marked(args.calibrate))
        print(f"temperature {temperature:.2f}")
    print(report(args.out, args.seed + 1_000_000))
    print(f"{(time.monotonic() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
