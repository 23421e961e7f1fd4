"""Datasets for spaCy: `.spacy` files of Docs (spacy.io/api/data-formats#binary-training)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.backend.extras import require
from shared.errors import SettingError
from shared.evaluation.annotated_task import labels_of
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.text_spans import (
    LabelledSpan,
    choice_controls,
    find_text_object,
    read_spans,
)
from shared.evaluation.dataset.writer import SampleFile, WriterContext

# Docs of a file: a larger part becomes a folder of the same name, which spaCy reads as well.
FILE_DOCS = 20_000
# The key of spans that a span categorizer is trained on by default.
SPANS_KEY = "sc"


class SpacyWriter:
    """Writes PART.spacy.

    All spans stand in `doc.spans["sc"]`, those that do not overlap in `doc.ents`, too (of
    overlapping ones the longest), and choices in `doc.cats`.
    """

    def __init__(self, context: WriterContext) -> None:
        self._context = context
        self._spacy = require("spacy", "dataset")
        self._text = find_text_object(context.config)
        self._choices = choice_controls(context.config, self._text.name)
        self._pipeline = self._blank_pipeline(context.options.language)
        folder, parts = context.folder, context.options.split_names
        self._parts = {part: _DocFile(self._spacy, folder / f"{part}.spacy") for part in parts}

    def _blank_pipeline(self, language: str) -> Any:
        try:
            pipeline = self._spacy.blank(language)
        except ImportError as error:
            raise SettingError(f"--language {language}: spaCy cannot use it: {error}") from None
        # The limit is for models that parse; a tokenizer alone needs little memory.
        pipeline.max_length = 1 << 40
        return pipeline

    def add(self, part: str, sample: Sample, files: Sequence[SampleFile]) -> None:
        """Add the sample's text as a Doc."""
        if self._text.name not in sample.objects:
            return
        doc = self._pipeline.make_doc(sample.objects[self._text.name]["text"])
        found = read_spans(sample, self._text.name, self._context.config)
        spans = [span for one in found if (span := self._align(doc, one, sample)) is not None]
        doc.spans[SPANS_KEY] = spans
        doc.set_ents(self._spacy.util.filter_spans(spans))
        doc.cats = self._categories(sample)
        self._parts[part].add(doc)

    def finish(self) -> None:
        """Write the files."""
        for part in self._parts.values():
            part.finish()

    def _align(self, doc: Any, span: LabelledSpan, sample: Sample) -> Any:
        aligned = doc.char_span(span.start, span.end, label=span.label)
        if aligned is None:
            self._context.problems.add(
                f"spans do not begin and end with tokens of --language"
                f" {self._context.options.language}: they are left out",
                f'{sample.task}: "{doc.text[span.start : span.end]}"',
            )
        return aligned

    def _categories(self, sample: Sample) -> dict[str, float]:
        """Return 1 for each choice that was taken and 0 for the others; none if none was."""
        categories: dict[str, float] = {}
        for control in self._choices:
            if control.name in sample.answers:
                chosen = labels_of(control, sample.answers[control.name])
                prefix = f"{control.name}/" if len(self._choices) > 1 else ""
                for label in self._context.labels[control.name]:
                    categories[prefix + label] = float(label in chosen)
        return categories


class _DocFile:
    """A part's file; a folder of files once it is too large for one."""

    def __init__(self, spacy: Any, path: Path) -> None:
        self._spacy, self._path = spacy, path
        self._files = 0
        self._docs = self._new_docs()

    def _new_docs(self) -> Any:
        return self._spacy.tokens.DocBin(attrs=["ENT_IOB", "ENT_TYPE"])

    def add(self, doc: Any) -> None:
        if len(self._docs) == FILE_DOCS:
            self._write_piece()
        self._docs.add(doc)

    def _write_piece(self) -> None:
        self._path.mkdir(exist_ok=True)
        self._files += 1
        self._docs.to_disk(self._path / f"{self._files:04}.spacy")
        self._docs = self._new_docs()

    def finish(self) -> None:
        if self._files:
            self._write_piece()
        else:
            self._docs.to_disk(self._path)
