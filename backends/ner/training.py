"""Training of a token classifier on annotated spans."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends._transformers.calibration import divide_logits, fit_temperature, log_loss
from backends._transformers.fine_tuning import (
    IGNORED,
    EpochJudge,
    FineTuning,
    Metrics,
    TrainingRow,
    describe_settings,
    fine_tune,
    prepared_torch,
)
from backends._transformers.hub import TrainingBase
from backends._transformers.network import Network
from backends._transformers.text_dataset import LabelledSpan, read_texts
from backends._transformers.trainer_settings import write_trainer_settings
from backends._transformers.training_base import (
    HeadPlan,
    choose_base,
    classes_by_label,
    load_tokenizer,
    load_with_head,
    read_class_names,
    save_network,
)
from backends.ner.entities import OUTSIDE, group_entities, split_tag
from backends.ner.span_metrics import score_spans
from backends.ner.tagged_passages import PassageTagger, TaggedPassage, TagScheme
from backends.ner.token_classifier import TokenClassifier, TokenScores
from backends.ner.word_aggregation import aggregate_words
from shared.backend.label_map import Aliases
from shared.backend.training import TrainingError, TrainingRun

AUTO_CLASS = "AutoModelForTokenClassification"
# Probabilities below this one count as it: their logarithm would be infinite.
LEAST = 1e-9


def train_tagger(run: TrainingRun, configured: TrainingBase, aliases: Aliases) -> None:
    """Train a token classifier for the labels of a run, and write it to `run.output`."""
    with prepared_torch(run):
        _train(run, configured, aliases)


def _train(run: TrainingRun, configured: TrainingBase, aliases: Aliases) -> None:
    base = choose_base(configured, run.base)
    scheme = TagScheme.of_labels(run.labels)
    tokenizer = load_tokenizer(base)
    tagger = PassageTagger(tokenizer, scheme)
    train, val = (tagger.tag(read_texts(run, part)) for part in ("train", "val"))
    if not any(passage.spans for passage in train):
        raise TrainingError(f"no text of the training part has a span of {run.control}")
    known = match_tags(scheme, read_class_names(base.folder), run, aliases)
    network = load_with_head(base, AUTO_CLASS, HeadPlan(scheme.tags, known))
    training = _TaggerTraining(run, tokenizer, network, scheme, val)
    training.fit(train)
    training.calibrate(base)
    write_trainer_settings(run, base, **describe_settings(run, network.config))


def match_tags(
    scheme: TagScheme, base_tags: Sequence[str], run: TrainingRun, aliases: Aliases
) -> dict[str, str]:
    """Return which tag of the base each tag goes on from, as far as the base knows its label."""
    types = {split_tag(tag)[1] for tag in base_tags if tag != OUTSIDE}
    type_of = classes_by_label(run.control, sorted(types), aliases)
    known = {OUTSIDE: OUTSIDE}
    for tag in scheme.tags:
        prefix, label = split_tag(tag)
        written = f"{prefix}-{type_of.get(label)}"
        if prefix and written in base_tags:
            known[tag] = written
    return known


@dataclass
class _TaggerTraining:
    """A network in training, read by the code that serves it."""

    run: TrainingRun
    tokenizer: Any
    network: Any
    scheme: TagScheme
    val: Sequence[TaggedPassage]

    @property
    def classifier(self) -> TokenClassifier:
        """The network as it is, to be run."""
        network = Network.of_torch(self.network, self.tokenizer)
        return TokenClassifier(self.tokenizer, network)

    def fit(self, train: Sequence[TaggedPassage]) -> None:
        """Train the network; the best epoch is in the run's folder then."""
        judge = EpochJudge(
            self.network,
            self.evaluate,
            "f1",
            lambda: save_network(self.network, self.tokenizer, self.run.output),
        )
        rows = [row for passage in train for row in self.rows_of(passage)]
        fine_tune(FineTuning(judge, self.tokenizer.pad_id, rows), self.run)

    def rows_of(self, passage: TaggedPassage) -> Iterator[TrainingRow]:
        """Yield the rows that the passage is read in; tags of the context are not learnt."""
        tokens = passage.tokens
        for start, end, own_start, own_end in self.classifier.split_text(passage.text, tokens):
            tags = [
                tag if own_start <= place < own_end else IGNORED
                for place, tag in enumerate(passage.tags[start:end], start)
            ]
            before, after = ([IGNORED] * len(side) for side in (tokens.prefix, tokens.suffix))
            yield TrainingRow(tokens.build_row(start, end), [*before, *tags, *after])

    def evaluate(self) -> Metrics:
        """Return precision, recall and F1 of spans on the validation part, and its loss."""
        if not self.val:
            return {}
        read = self.classifier.classify_tokens([passage.text for passage in self.val])
        metrics = score_spans([one.spans for one in self.val], map(self._find_spans, read))
        return {**metrics, "validation_loss": log_loss(*self._cases(read))}

    def calibrate(self, base: TrainingBase) -> None:
        """Divide the logits of the best epoch by what makes its scores right on `val`."""
        head = HeadPlan(self.scheme.tags, {})
        best = TrainingBase(self.run.output, base.name)
        self.network = load_with_head(best, AUTO_CLASS, head).eval().to(self.run.device)
        read = self.classifier.classify_tokens([passage.text for passage in self.val])
        logits, truth = self._cases(read)
        # Nearly all tokens are outside of entities; the scores of those that may be inside count.
        doubtful = (truth > 0) | (logits.argmax(axis=1) > 0) if len(truth) else slice(0)
        divide_logits(self.network, fit_temperature(logits[doubtful], truth[doubtful]))
        save_network(self.network, self.tokenizer, self.run.output)

    def _find_spans(self, scores: TokenScores) -> list[LabelledSpan]:
        words = aggregate_words(*scores, self.scheme.tags, strategy="first")
        entities = group_entities(words, scores.text)
        return [LabelledSpan(one.start, one.end, one.type) for one in entities]

    def _cases(self, read: Sequence[TokenScores]) -> tuple[Any, Any]:
        """Return the logits and the tags of the tokens that have one."""
        tags = np.array([tag for passage in self.val for tag in passage.tags], np.int64)
        shape = len(tags), len(self.scheme.tags)
        rows = [scores.probabilities for scores in read]
        logits = np.log(np.maximum(np.concatenate(rows), LEAST)) if rows else np.empty(shape)
        counted = tags != IGNORED
        return logits[counted], tags[counted]
