"""Trains the starter model: python -m backends.text_classification.starter.train"""

import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from backends.text_classification.starter.sentences import generate, read_topics

WEIGHTS = Path(__file__).with_name("weights")
SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
NAMES = ("pad_token", "cls_token", "sep_token", "unk_token")
BATCH, STEPS, RATE = 32, 700, 2e-3


def train_tokenizer(texts: list[str]) -> Any:
    """Train an uncased WordPiece tokenizer."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=700, special_tokens=list(SPECIAL))
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=128,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **dict(zip(NAMES, SPECIAL, strict=True)),
    )


def new_model(vocabulary: int) -> BertForSequenceClassification:
    """Return an untrained BERT of two layers."""
    names = dict(enumerate(sorted(read_topics())))
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=128, pad_token_id=0,
        id2label=names, label2id={name: index for index, name in names.items()},
    )  # fmt: skip
    return BertForSequenceClassification(config)


def main() -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    rng, examples = random.Random(1), generate(8000, seed=1)
    tokenizer = train_tokenizer([example.text for example in examples])
    model = new_model(len(tokenizer))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    for step in range(1, STEPS + 1):
        batch = rng.sample(examples, BATCH)
        given = tokenizer([e.text for e in batch], padding=True, return_tensors="pt")
        topics = torch.tensor([model.config.label2id[e.topic] for e in batch])
        loss = torch.nn.functional.cross_entropy(
            model(**given).logits, topics, label_smoothing=0.05
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    tokenizer.save_pretrained(WEIGHTS)
    model.half().save_pretrained(WEIGHTS)
    print(f"accuracy {accuracy(model.float().eval(), tokenizer):.3f}")


def accuracy(model: Any, tokenizer: Any) -> float:
    """Return the share of right topics, on sentences with unseen combinations."""
    examples = generate(1000, seed=2, split="held_out")
    given = tokenizer([e.text for e in examples], padding=True, return_tensors="pt")
    with torch.inference_mode():
        best = model(**given).logits.argmax(-1).tolist()
    names = model.config.id2label
    right = [names[n] == e.topic for n, e in zip(best, examples, strict=True)]
    return float(sum(right) / len(right))


if __name__ == "__main__":
    main()
