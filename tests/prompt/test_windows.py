"""Long texts are asked about in windows, and the answers become one."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.prompt.claims import claim_controls
from backends.prompt.content.texts import describe_dialogue
from backends.prompt.folded_text import is_mark
from backends.prompt.question import Answer, Question, TextPart, TokenUsage
from backends.prompt.quote_finder import find_all
from backends.prompt.regions import build_regions
from backends.prompt.regions.window_values import combine_values
from backends.prompt.settings import PromptSettings
from backends.prompt.text_windows import cut_passages, cut_text
from backends.prompt.windows import estimate_tokens, join_answers, split_question
from shared.backend import Control, LabelConfig, ModelSpec, Passages
from shared.results import Dialogue, Region
from shared.results.validation import check_results

SPEC = ModelSpec("prompt", "model")
SENTENCE = "In paragraph {0} Ann met Bob number {0} of Acme. "
LONG = "\n\n".join(SENTENCE.format(number) * 3 for number in range(60))

texts = st.lists(
    st.sampled_from(
        ("word", "long-winded", "。", ". ", " ", "\n", "\n\n", "\r\n", "é", "e\u0301", "👩\u200d👧")
    ),
    max_size=200,
).map("".join)


# Cutting


@given(texts, st.integers(16, 120))
def test_windows_cover_a_text_and_overlap(text: str, size: int) -> None:
    windows = list(cut_text(text, size))
    assert windows[0][0] == 0
    assert windows[-1][1] == len(text)
    for (start, end), (next_start, next_end) in pairwise(windows):
        assert start < next_start <= end < next_end
        assert end - start <= size
    for start in range(len(text) - size // 16):
        part = start, start + size // 16
        assert any(low <= part[0] and part[1] <= high for low, high in windows)


@given(texts)
def test_no_window_begins_with_a_mark_of_the_character_before(text: str) -> None:
    assert not any(
        start and is_mark(text[start]) for start, _ in cut_text(text, 40) if start < len(text)
    )


@pytest.mark.parametrize(
    ("text", "size", "ends"),
    [
        ("One two. Three.\n\nFour five six. Seven.", 30, "\n\n"),
        ("One two. Three.\nFour five six. Seven, eight.", 30, "\n"),
        ("One two three. Four five six seven", 25, ". "),
        ("私は東京に行きました。彼女は大阪に行きました。", 16, "。"),
        ("one two three four five six seven", 20, " "),
    ],
    ids=["paragraph", "line", "sentence", "Chinese", "word"],
)
def test_the_best_end_within_reach(text: str, size: int, ends: str) -> None:
    (start, end), *_ = cut_text(text, size)
    assert text[start:end].endswith(ends)
    assert end < len(text)


SOURCES = {
    "text": Passages.from_text(LONG),
    "HTML": Passages.from_html(
        "".join(f"<p>{SENTENCE.format(n)}&amp; <b>Cy</b></p>" for n in range(99))
    ),
    "dialogue": Passages.from_dialogue(
        Dialogue(
            tuple(SENTENCE.format(n).strip() * (n % 3) for n in range(99)),
            tuple("Ann" if n % 2 else "" for n in range(99)),
        )
    ),
}


def written(passages: Passages) -> str:
    """The text as the model gets it."""
    is_dialogue = isinstance(passages.source, Dialogue)
    return describe_dialogue(passages.source) if is_dialogue else passages.text


@pytest.mark.parametrize("kind", SOURCES)
def test_a_window_of_passages_has_what_is_written_in_it(kind: str) -> None:
    passages, text = SOURCES[kind], written(SOURCES[kind])
    for window in cut_text(text, 700):
        cut = cut_passages(passages, text, window)
        assert cut is not None
        for passage in cut.passages:
            assert passage.text in text[slice(*window)]
            value, _ = cut.to_shape(passage, 0, len(passage.text)).to_value(cut.source)
            assert value["text"].strip() == passage.text.strip()


def test_passages_that_are_written_otherwise_are_not_cut() -> None:
    assert cut_passages(SOURCES["dialogue"], "- another form", (0, 5)) is None


# Asking


def question(*parts: TextPart, sources: dict[str, Any] | None = None) -> Question:
    return Question("Do it.", {"type": "object"}, parts, sources=sources or {})


def test_what_fits_is_one_question() -> None:
    asked = question(TextPart("text", "short"))
    assert split_question(asked, 512) == (asked,)


JAPANESE = "東京都に行く。" * 800


@pytest.mark.parametrize(
    "text", [LONG, JAPANESE, LONG + JAPANESE], ids=["English", "Japanese", "one after the other"]
)
def test_each_window_fits(text: str) -> None:
    sources = {"text": Passages.from_text(text)}
    windows = split_question(question(TextPart("text", text), sources=sources), 1024)
    assert len(windows) > 2
    for number, window in enumerate(windows):
        [part] = window.content
        assert isinstance(part, TextPart)
        assert estimate_tokens(part.text) + estimate_tokens(window.instruction) < 1024 * 3 / 4
        assert f"part {number + 1} of {len(windows)}" in window.instruction
        assert window.instruction.startswith("Do it.")
        assert window.sources["text"].text == part.text
        assert window != windows[number - 1]


def test_short_texts_are_in_each_window_and_long_ones_are_cut_alike() -> None:
    parts = [
        TextPart("title", "A title"),
        TextPart("a", LONG),
        TextPart("b", LONG[: len(LONG) // 2]),
    ]
    windows = split_question(question(*parts), 2048)
    for window in windows:
        assert window.content[0] == parts[0]
    first = [part.text for part in windows[0].content if isinstance(part, TextPart)]
    assert LONG.startswith(first[1])
    assert LONG.startswith(first[2])
    last = [part.text for part in windows[-1].content if isinstance(part, TextPart)]
    assert LONG.endswith(last[1])


# Joining


NER = (
    '<View><Relations><Relation value="with"/></Relations>'
    '<Labels name="ner" toName="text"><Label value="Person"/></Labels>'
    '<Choices name="topic" toName="text"><Choice value="a"/><Choice value="b"/></Choices>'
    '<Text name="text" value="$text"/></View>'
)


def test_occurrences_count_in_their_window_and_a_span_of_two_windows_is_one() -> None:
    """Each window's answer quotes every Ann in it, as the n-th there; each is found once."""
    text = ("Ann met Ann, and so on. " * 200).strip()
    config = LabelConfig.parse(NER)
    [claim] = claim_controls(config, SPEC, PromptSettings(model="model"))
    asked = question(TextPart("text", text), sources={"text": Passages.from_text(text)})
    answers = []
    for window in split_question(asked, 512):
        [part] = window.content
        assert isinstance(part, TextPart)
        items = [
            {"id": number, "quote": "Ann", "occurrence": number, "label": "Person"}
            for number, _ in enumerate(find_all("Ann", part.text), 1)
        ]
        pairs = [{"from": 1, "to": 2, "label": "with"}]
        values = {"ner": items, "topic": "b" if answers else "a", "relations": pairs}
        answers.append(Answer(window, values, {"/topic": 0.5, "/ner/0": 0.9}, TokenUsage(10, 3)))
    joined = join_answers(answers)
    assert (joined.usage.prompt, joined.usage.completion) == (10 * len(answers), 3 * len(answers))
    regions = [one for one in build_regions(joined, claim, config) if isinstance(one, Region)]
    results = [result for region in regions for result in region.results]
    assert check_results(config, results) == []
    starts = [result["value"]["start"] for result in results if result["type"] == "labels"]
    assert sorted(starts) == [start for start, _ in find_all("Ann", text)]
    assert [result["value"]["choices"] for result in results if result["type"] == "choices"] == [
        ["b"]
    ]
    lines = [result for result in results if result["type"] == "relation"]
    ids = {
        result["id"]: result["value"]["start"] for result in results if result["type"] == "labels"
    }
    ends = [(ids[line["from_id"]], ids[line["to_id"]]) for line in lines]
    assert len(ends) == len(answers)
    assert ends[0] == (0, 8)
    assert all(end - start in {8, 16} for start, end in ends)


def test_one_answer_stays_as_it_is() -> None:
    answer = Answer(question(), {"topic": "a"})
    assert join_answers([answer]) is answer


def control(tag: str, **attrs: str) -> Control:
    return Control(tag, "c", "text", attrs=attrs)


COMBINED = [
    ("Choices", ["a", "b", "b"], "b", "most windows"),
    ("Choices", ["a", "b"], "a", "the first of equally many"),
    ("Choices", [["a"], ["b", "a"], []], ["a", "b"], "all of several"),
    ("Taxonomy", [["A > B"], ["C"]], ["A > B", "C"], "all paths"),
    ("Number", [3, 5, 5.0], 5, "the number of most windows"),
    ("DateTime", ["2024-01-01", "2025-01-01"], "2024-01-01", "the first date"),
    ("Pairwise", ["left", "right", "right"], "right", "the side of most windows"),
    ("Rating", [2, 3, 5, 5], 4, "the mean, 3.75"),
    ("Rating", [2, 3], 3, "the mean, 2.5"),
    ("TextArea", ["One.", "Two.", "One."], "One.\nTwo.", "a line for each window"),
    ("TextArea", [["x"], ["y", "x"]], ["x", "y"], "each text once"),
    ("Ranker", [["1", "2", "3"], ["1", "3", "2"], ["3", "1", "2"]], ["1", "3", "2"], "mean place"),
    (
        "Ranker",
        [
            {"A": ["1", "2"], "B": ["3"]},
            {"A": ["2"], "B": ["3", "1"]},
            {"A": ["2", "1"], "B": ["3"]},
        ],
        {"A": ["2", "1"], "B": ["3"]},
        "the bucket of most windows",
    ),
    ("Labels", [[{"quote": "x"}], [{"quote": "x"}]], [{"quote": "x"}] * 2, "all spans"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("tag", "values", "expected"),
    [pytest.param(*row[:3], id=f"{row[0]}: {row[3]}") for row in COMBINED],
)
def test_values_of_several_windows(tag: str, values: list[Any], expected: Any) -> None:
    assert combine_values(control(tag), values) == expected


def test_windows_that_say_nothing_do_not_count_and_scores_are_of_those_that_agree() -> None:
    config = LabelConfig.parse(NER)
    [claim] = claim_controls(config, SPEC, PromptSettings(model="model"))
    asked = question(TextPart("text", "x"))
    said = [("a", 0.9), (None, 0.2), ("a", 0.5), ("b", 0.1), (None, 0.2), (None, 0.2)]
    answers = [Answer(asked, {"topic": value}, {"/topic": score}) for value, score in said]
    [region] = build_regions(join_answers(answers), claim, config)
    assert isinstance(region, Region)
    assert region.results[0]["value"] == {"choices": ["a"]}
    assert region.score == pytest.approx(0.7)
    assert list(build_regions(join_answers(answers[4:]), claim, config)) == []
