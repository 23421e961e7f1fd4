"""Texts that are longer than a model takes are asked about in windows, which overlap."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from backends.prompt.question import Answer, ContentPart, Question, TextPart, TokenUsage
from backends.prompt.text_windows import Span, cut_passages, cut_text
from shared.backend import Passages

# Tokenizers make one token of about four letters in English, and of one in Chinese, which has
# three bytes: so many bytes a token are a cautious estimate for all scripts.
BYTES_PER_TOKEN = 3
# The share of a model's context that is kept for the answer, and the least that texts get.
ANSWER_SHARE = 4
LEAST_TEXT_SHARE = 8

WINDOW_NOTE = "The task is long. This is part {} of {}: answer for this part alone."
# What messages have beside what is written here: rules, marks around the data, the chat's format.
MESSAGE_TOKENS = 150

# Windows of a text, by its place among the parts of a question.
PartWindows = Mapping[int, Sequence[Span]]


def split_question(question: Question, max_tokens: int) -> Sequence[Question]:
    """Return the question for each window of its texts; the question itself if it fits.

    Of several texts the short ones are in each window; long ones are cut alike, so that the
    first parts of all are in the first window. A window's `sources` have what is in it.
    """
    texts = {place: p for place, p in enumerate(question.content) if isinstance(p, TextPart)}
    sizes = {place: estimate_tokens(part.text) for place, part in texts.items()}
    budget = _text_budget(question, max_tokens)
    if sum(sizes.values()) <= budget:
        return (question,)
    windows = _cut_parts(texts, sizes, budget)
    count = max(map(len, windows.values()))
    return [_window_question(question, windows, number, count) for number in range(count)]


def join_answers(answers: Sequence[Answer]) -> Answer:
    """Return one answer from those for the windows of a text.

    It has them as `windows`, and no values: what they make together depends on the control tag.
    """
    if len(answers) == 1:
        return answers[0]
    usage = TokenUsage(
        sum(answer.usage.prompt for answer in answers),
        sum(answer.usage.completion for answer in answers),
    )
    return Answer(answers[0].question, {}, usage=usage, windows=tuple(answers))


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has: rather too many than too few."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


def _text_budget(question: Question, max_tokens: int) -> int:
    """Return how many tokens the task's texts may have, beside all else and the answer."""
    schema = orjson.dumps(question.schema, default=dict).decode()
    beside = [question.instruction, question.request, schema]
    for example in question.examples:
        beside += [part.text for part in example.content]
        beside.append(orjson.dumps(example.answer, default=dict).decode())
    used = sum(map(estimate_tokens, [*beside, WINDOW_NOTE])) + MESSAGE_TOKENS
    left = max_tokens - max_tokens // ANSWER_SHARE - used
    return max(left, max_tokens // LEAST_TEXT_SHARE)


def _cut_parts(
    texts: Mapping[int, TextPart], sizes: Mapping[int, int], budget: int
) -> dict[int, Sequence[Span]]:
    """Return the windows of each text that does not stay whole."""
    long = dict(sorted(sizes.items(), key=lambda pair: pair[1]))
    whole = 0
    while len(long) > 1 and whole + (smallest := next(iter(long.values()))) <= budget // 2:
        whole += smallest
        del long[next(iter(long))]
    windows: dict[int, Sequence[Span]] = {}
    for place, size in long.items():
        tokens = (budget - whole) * size / sum(long.values())
        windows[place] = _cut_to_size(texts[place].text, tokens)
    return windows


def _cut_to_size(text: str, max_tokens: float) -> list[Span]:
    """Return windows of at most so many tokens, even where parts of a text have more than others.

    It may be in English first and in Chinese then: windows have one length in characters, which
    shrinks until the densest one fits.
    """
    characters = max(1, int(len(text) * max_tokens / estimate_tokens(text)))
    while True:
        windows = list(cut_text(text, characters))
        most = max(estimate_tokens(text[slice(*window)]) for window in windows)
        if most <= max_tokens or characters == 1:
            return windows
        characters = max(1, int(characters * min(0.95, max_tokens / most)))


def _window_question(question: Question, windows: PartWindows, number: int, count: int) -> Question:
    content: list[ContentPart] = []
    sources: dict[str, Any] = dict(question.sources)
    for place, part in enumerate(question.content):
        if place not in windows or not isinstance(part, TextPart):
            content.append(part)
            continue
        window = windows[place][number] if number < len(windows[place]) else (0, 0)
        if window[1]:
            content.append(replace(part, text=part.text[slice(*window)]))
        source = question.sources.get(part.name)
        cut = cut_passages(source, part.text, window) if isinstance(source, Passages) else None
        sources[part.name] = source if cut is None else cut
    note = WINDOW_NOTE.format(number + 1, count)
    instruction = "\n\n".join(filter(None, (question.instruction, note)))
    return replace(question, instruction=instruction, content=tuple(content), sources=sources)
