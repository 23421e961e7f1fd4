"""The tasks of a training's dataset as examples: what they show as text, and the right answer."""

from collections.abc import Iterator, Mapping
from typing import Any

from backends.prompt.answer_schema.fields import takes_several, takes_several_texts
from backends.prompt.answer_schema.names import choice_paths
from backends.prompt.answer_schema.spans import (
    LABEL,
    LABELS,
    OCCURRENCE,
    QUOTE,
    allows_several_labels,
    label_names,
)
from backends.prompt.content.texts import describe_dialogue
from backends.prompt.question import AnsweredTask, TextPart
from backends.prompt.quote_finder import QuoteFinder
from shared.backend import Control, Passages, TrainingError, TrainingRun
from shared.evaluation.annotated_task import labels_of
from shared.evaluation.dataset.sample import Sample
from shared.results import Dialogue

# What can be an example: the control tags of whole tasks, and those that draw spans of texts.
WHOLE_TASK_TAGS = ("Choices", "Taxonomy", "Rating", "Number", "TextArea", "Pairwise")
SPAN_TAGS = ("Labels", "HyperTextLabels", "ParagraphLabels")
TEXT_TAGS = ("Text", "HyperText", "Paragraphs")


def read_examples(run: TrainingRun, part: str) -> Iterator[AnsweredTask]:
    """Yield the tasks of a part, `train` or `val`, that have a text and an answer.

    TrainingError if there is no such part.
    """
    path = run.dataset / f"{part}.jsonl"
    if not path.is_file():
        raise TrainingError(f"the dataset has no part {part}.jsonl")
    with path.open("rb") as file:
        for line in file:
            sample = Sample.from_line(line)
            content = tuple(_read_content(sample))
            answer = read_answer(sample, run.control)
            if content and answer is not None:
                yield AnsweredTask(content, {run.control.name: answer})


def _read_content(sample: Sample) -> Iterator[TextPart]:
    for name, shown in sample.objects.items():
        if shown["tag"] in TEXT_TAGS and str(shown["text"]).strip():
            yield TextPart(name, _shown_text(shown))


def _shown_text(shown: Mapping[str, Any]) -> str:
    """Return a text as a question shows it: a line for each passage, after its speaker."""
    text = str(shown["text"])
    if "passages" not in shown:
        return text
    lines = tuple(text[start:end] for start, end in shown["passages"])
    names = tuple(shown.get("names") or ("",) * len(lines))
    return describe_dialogue(Dialogue(lines, names))


def read_answer(sample: Sample, control: Control) -> Any:
    """Return what is right, as an answer's schema has it; None if nothing was said."""
    if control.tag in SPAN_TAGS:
        return list(_read_spans(sample, control))
    found = sample.answers.get(control.name)
    if found is None:
        return None
    if control.tag in {"Choices", "Taxonomy"}:
        return _read_choices(found, control)
    if control.tag == "TextArea":
        texts = [found] if isinstance(found, str) else [str(one) for one in found]
        return texts if takes_several_texts(control) else "\n".join(texts)
    return found


def _read_choices(found: Any, control: Control) -> Any:
    """Return the names that a model is given for choices; None if it is given none of them."""
    names = {"/".join(path): name for name, path in choice_paths(control).items()}
    chosen = [names[label] for label in labels_of(control, found) if label in names]
    if takes_several(control):
        return chosen
    return chosen[0] if chosen else None


def _read_spans(sample: Sample, control: Control) -> Iterator[dict[str, Any]]:
    names = {label: name for name, label in label_names(control).items()}
    shown = sample.objects.get(control.to_name, {})
    text = str(shown.get("text", ""))
    finder = QuoteFinder(Passages.from_text(text))
    for region in sample.regions:
        shape, value = region["shape"], region["values"].get(control.name)
        if value is None or shape["type"] != "span" or shape["start"] >= shape["end"]:
            continue
        labels = [names[label] for label in labels_of(control, value) if label in names]
        quote = text[shape["start"] : shape["end"]]
        if labels and quote.strip():
            occurrence = finder.occurrence_at(shape["start"], shape["end"])
            given = {LABELS: labels} if allows_several_labels(control) else {LABEL: labels[0]}
            yield {QUOTE: quote, OCCURRENCE: occurrence, **given}
