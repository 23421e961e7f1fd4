"""Calibrates the starter's scores: python -m backends.ner.starter.calibrate FILE

The scores of a network that saw generated text only are too high on real text. Dividing its logits
by one number, the temperature, changes scores but no entity. The division is written into the
weights of the classifier, so that it holds on every engine.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForTokenClassification

from backends._transformers.model_source import ModelSource
from backends.ner.entities import group_entities
from backends.ner.starter.sentences import Sentence, Span, parse_marked
from backends.ner.token_classifier import TokenClassifier, TokenScores
from backends.ner.word_aggregation import aggregate_words
from shared.settings import Settings

WEIGHTS = Path(__file__).with_name("weights")
TEMPERATURES = [number / 20 for number in range(10, 81)]
CERTAIN = 1e-6  # smaller probabilities count as this one: their logarithm would be infinite

# The score of an entity that the model gave, and whether it is right.
Scored = tuple[float, bool]


def read_marked(path: Path) -> list[Sentence]:
    """Return the sentences of a file, "[Ada](PER) lives in [Oslo](LOC)." on each line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [parse_marked(line) for line in lines if line and not line.startswith("#")]


def cooled(read: TokenScores, temperature: float) -> TokenScores:
    """Return the scores with the probabilities that they have at a temperature."""
    logits = np.log(np.maximum(read.probabilities, 1e-30)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return read._replace(probabilities=powers / powers.sum(axis=1, keepdims=True))


def scores(
    reads: Sequence[TokenScores], sentences: Sequence[Sentence], tags: Sequence[str]
) -> list[Scored]:
    """Return the score of each entity that the backend finds, and whether it is right."""
    return [
        (entity.score or 0.0, Span(entity.start, entity.end, entity.type) in sentence.spans)
        for read, sentence in zip(reads, sentences, strict=True)
        for entity in group_entities(aggregate_words(*read, tags, "first"), read.text)
    ]


def log_loss(scored: Sequence[Scored]) -> float:
    """Return the mean log loss of the scores, as probabilities that an entity is right."""
    probabilities = (score if right else 1 - score for score, right in scored)
    return -sum(math.log(max(p, CERTAIN)) for p in probabilities) / max(len(scored), 1)


def fitted_temperature(folder: Path, sentences: Sequence[Sentence]) -> float:
    """Return the temperature at which scores tell best which entities are right."""
    source = ModelSource("AutoModelForTokenClassification", folder, Path("unused"))
    model = TokenClassifier.load(
        source, Settings.model_validate({"engine": "torch", "device": "cpu"})
    )
    reads = model.classify_tokens([sentence.text for sentence in sentences])

    def loss(temperature: float) -> float:
        at_it = [cooled(read, temperature) for read in reads]
        return log_loss(scores(at_it, sentences, model.tags))

    return min(TEMPERATURES, key=loss)


def calibrate(folder: Path, sentences: Sequence[Sentence]) -> float:
    """Write the fitted temperature into the weights of a folder, and return it."""
    temperature = fitted_temperature(folder, sentences)
    model = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.classifier.parameters():
            parameter /= temperature
    model.half().save_pretrained(folder)
    return temperature


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="sentences with their entities marked")
    parser.add_argument("--folder", type=Path, default=WEIGHTS, help="folder of the model")
    args = parser.parse_args()
    print(f"temperature {calibrate(args.folder, read_marked(args.file)):.2f}")


if __name__ == "__main__":
    main()
