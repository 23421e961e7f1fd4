"""The questions about a task: mostly one, of all control tags that are asked for."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from backends.prompt.answer_schema import build_schema, property_name
from backends.prompt.answer_schema.names import choice_paths
from backends.prompt.content import Content
from backends.prompt.content_settings import ContentSettings
from backends.prompt.instruction import (
    read_guideline,
    write_instruction,
    write_region_instruction,
)
from backends.prompt.learning.learned_prompt import LearnedPrompt, add_wording
from backends.prompt.question import Answer, ContentPart, Question, TextPart, TokenUsage
from backends.prompt.settings import PromptSettings
from backends.prompt.user_regions import (
    USER_REGIONS,
    UserRegion,
    pick_window,
    region_parts,
    region_schema,
)
from backends.prompt.windows import join_answers, split_question
from shared.backend import Control, LabelConfig, ValueTypeError
from shared.label_studio.control_tag import WHOLE_TASK_TAGS

# The settings that change answers.
ANSWER_SETTINGS = {*ContentSettings.model_fields, "temperature", "samples", "context_tokens"}


@dataclass(frozen=True)
class QuestionMaker:
    """Makes questions of a label config, by the settings, with what control tags have learned."""

    config: LabelConfig
    settings: PromptSettings
    learned: Mapping[str, LearnedPrompt] = field(default_factory=dict)

    def make(
        self, controls: Sequence[Control], content: Content, request: str = ""
    ) -> tuple[Question, ...]:
        """Return the questions about what a task shows; none where there is nothing to answer.

        The labels that a task brings are part of what it shows, not of the instruction.
        """
        questions = (self._make_one(group, content, request) for group in self._group(controls))
        return tuple(_check(question) for question in questions if question.schema["properties"])

    def make_about_regions(
        self, regions: Sequence[UserRegion], content: Content
    ) -> tuple[Question, ...]:
        """Return the question about regions that the annotator has drawn; none without any."""
        schema = region_schema(regions, content.sources)
        if not schema["properties"]:
            return ()
        asked = dict.fromkeys(control for region in regions for control in region.asked)
        question = Question(
            instruction=write_region_instruction(list(asked), self.config, self._guideline),
            schema=schema,
            content=(*content.parts, *region_parts(regions), *_task_labels(list(asked))),
            temperature=self.settings.temperature,
            samples=self.settings.samples,
            sources={**content.sources, USER_REGIONS: tuple(regions)},
        )
        windows = split_question(_check(question), self.settings.context_tokens)
        return (pick_window(windows),)

    def options(self, controls: Sequence[Control]) -> Mapping[str, Any]:
        """Return what changes the answers beside the model, for the model version."""
        asked = [
            [
                write_instruction(group, self.config, self._guideline),
                build_schema(group, self.config),
            ]
            for group in self._group(controls)
        ]
        known = [[name, self.learned[name].version] for name in sorted(self.learned)]
        packed = orjson.dumps([asked, *([known] if known else [])], default=dict)
        digest = hashlib.sha256(packed).hexdigest()
        return {"question": digest[:12], **self.settings.model_dump(include=ANSWER_SETTINGS)}

    def _group(self, controls: Sequence[Control]) -> Iterator[tuple[Control, ...]]:
        return group_controls(controls, self.settings.one_question, self.learned)

    def _make_one(self, controls: Sequence[Control], content: Content, request: str) -> Question:
        instruction = write_instruction(controls, self.config, self._guideline)
        parts = (*content.parts, *_task_labels(controls))
        learned = self.learned.get(controls[0].name)
        if learned is not None:
            instruction = add_wording(instruction, learned.wording)
        name = property_name(controls[0], self.config)
        return Question(
            instruction=instruction,
            schema=build_schema(controls, self.config, content.sources),
            content=parts,
            examples=learned.choose(parts, name) if learned is not None else (),
            request=request,
            temperature=self.settings.temperature,
            samples=self.settings.samples,
            sources=content.sources,
        )

    @property
    def _guideline(self) -> str:
        return read_guideline(self.settings.instruction)


def group_controls(
    controls: Sequence[Control], one_question: bool, learned: Collection[str] = ()
) -> Iterator[tuple[Control, ...]]:
    """Yield the control tags of each question: mostly all of them.

    One with `model_question="own"` has its own, and so has one that has `learned` from examples,
    whose answers show nothing else; without `one_question` each one has. Those with `perRegion`
    come with all that draw on their object tag.
    """
    whole = [control for control in controls if not control.per_region]
    own = {c.name for c in whole if not one_question or c.attrs.get("model_question") == "own"}
    alone = [control for control in whole if control.name in own or control.name in learned]
    together = [control for control in whole if control not in alone]
    for group in ([together] if together else []) + [[control] for control in alone]:
        drawn = {control.to_name for control in group if draws(control)}
        inside = (c for c in controls if c.per_region and not drawn.isdisjoint(c.to_names))
        yield (*group, *inside)


def draws(control: Control) -> bool:
    """Return whether a control tag makes regions, which others can describe."""
    return control.tag not in WHOLE_TASK_TAGS


def _check(question: Question) -> Question:
    """Return a question; ValueTypeError if its schema cannot be sent, since the task has a part."""
    try:
        orjson.dumps(question.schema, default=dict)
    except TypeError:
        raise ValueTypeError(
            "The task brings a label or an item's id with half a character (a lone surrogate),"
            " which JSON cannot carry: mend it in the task's data"
        ) from None
    return question


def _task_labels(controls: Sequence[Control]) -> Iterator[ContentPart]:
    """Yield the labels that the task brings, as what it shows: they are data, too."""
    for control in controls:
        if control.labels_from_task and control.labels:
            yield TextPart(f"choices of {control.name}", "\n".join(_list_labels(control)))


def _list_labels(control: Control) -> Iterator[str]:
    """Yield the labels that a task brings, with the hints that it gives."""
    if control.tag in {"Choices", "Taxonomy"}:
        yield from choice_paths(control)
        return
    for label, attrs in control.labels.items():
        hint = attrs.get("hint", "").strip()
        yield f"{label}: {hint}" if hint else label


def merge_answers(answers: Sequence[Answer]) -> Answer | None:
    """Return one answer from those to all questions about a task, and to their windows.

    None if nothing was asked.
    """
    groups: dict[tuple[str, ...], list[Answer]] = {}
    for answer in answers:
        groups.setdefault(tuple(answer.question.schema["properties"]), []).append(answer)
    joined = [join_answers(group) for group in groups.values()]
    if len(joined) <= 1:
        return joined[0] if joined else None
    return Answer(
        joined[0].question,
        {name: value for answer in joined for name, value in answer.values.items()},
        {pointer: score for answer in joined for pointer, score in answer.scores.items()},
        TokenUsage(
            sum(answer.usage.prompt for answer in joined),
            sum(answer.usage.completion for answer in joined),
        ),
        _join_windows(joined),
    )


def _join_windows(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Return the windows of all questions; one without windows is a window of its own values."""
    if not any(answer.windows for answer in answers):
        return ()
    return tuple(window for answer in answers for window in answer.windows or (answer,))
