"""Figures of a real small language model in this process, and of the grammars that hold it.

    python -m tests.bench.local_model             # 50 questions: how many answers fit
    python -m tests.bench.local_model --accuracy  # the share right of unseen sentences
    python -m tests.bench.local_model --grammars  # llguidance beside xgrammar: no model is run

The model is `tests.prompt.gemma`: 270 million parameters, never taught to follow instructions.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from backends.prompt.answer_schema import check_answer
from backends.prompt.models.local_model import LocalModel
from backends.prompt.question import Answer, AnsweredTask, Question, TextPart
from backends.prompt.settings import PromptSettings
from backends.text_classification import TextClassificationBackend
from backends.text_classification.starter.sentences import generate
from tests.prompt.gemma import find_gemma
from tests.prompt.real_questions import CONFIGS, make_questions

QUESTIONS = 50
UNSEEN = 30
# Questions that run together.
BATCH = 10
MAX_TOKENS = 60
# One that fits each of `CONFIGS`.
SAMPLE_ANSWERS: Sequence[dict[str, Any]] = (
    {"topic": "Defect"},
    {"topics": ["Delivery", "Defect"]},
    {"anger": 4},
    {"kind": ["Goods > Broken"]},
    {"count": 5, "day": "2024-03-01"},
    {"summary": "The kettle broke after 5 days."},
    {"thing": [{"quote": "kettle", "occurrence": 1, "label": "Product"}]},
)


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--grammars", action="store_true")
    arguments = parser.parse_args()
    if arguments.grammars:
        _report(measure_grammars())
        return
    settings = PromptSettings(max_tokens=MAX_TOKENS, timeout=3600)
    model = LocalModel.load("gemma", find_gemma(), settings, "cpu")
    _report(measure_accuracy(model) if arguments.accuracy else [measure_validity(model)])


def _report(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


def measure_validity(model: LocalModel) -> dict[str, Any]:
    """Return how many of the questions, of all kinds, got an answer that fits."""
    start = time.perf_counter()
    answers = list(_ask(model, make_questions(QUESTIONS)))
    valid = [
        answer
        for answer in answers
        if isinstance(answer, Answer)
        and not check_answer(answer.question.schema, json.loads(json.dumps(answer.values)))
    ]
    seconds = time.perf_counter() - start
    written = sum(answer.usage.completion for answer in valid)
    return {
        "questions": len(answers),
        "kinds": len(CONFIGS),
        "valid": len(valid),
        "tokens": sum(answer.usage.prompt for answer in valid),
        "tokens written": written,
        "seconds": round(seconds, 1),
    }


def measure_accuracy(model: LocalModel) -> Iterator[dict[str, Any]]:
    """Yield the share right of the classification starter's unseen sentences.

    Without examples, and with one of each topic.
    """
    xml = (TextClassificationBackend.starter_folder.parents[1] / "label_config.xml").read_text()
    unseen = generate(UNSEEN, seed=1, split="held_out")
    [asked] = make_questions(1, (xml,))
    for examples in ((), _examples()):
        questions = [
            replace(asked, content=(TextPart("text", one.text),), examples=examples)
            for one in unseen
        ]
        found = [_topic_of(answer) for answer in _ask(model, questions)]
        right = sum(
            one == other.topic.capitalize() for one, other in zip(found, unseen, strict=True)
        )
        yield {
            "examples": len(examples),
            "sentences": UNSEEN,
            "right": round(right / UNSEEN, 3),
            "answers": dict(Counter(map(str, found))),
        }


def _examples() -> tuple[AnsweredTask, ...]:
    by_topic = {one.topic: one for one in generate(50, seed=0)}
    return tuple(
        AnsweredTask((TextPart("text", one.text),), {"topic": one.topic.capitalize()})
        for one in by_topic.values()
    )


def _topic_of(answer: Any) -> str | None:
    return answer.values["topic"] if isinstance(answer, Answer) else None


def _ask(model: LocalModel, questions: Sequence[Question]) -> Iterator[Any]:
    for start in range(0, len(questions), BATCH):
        yield from model.ask_all(questions[start : start + BATCH])
        sys.stderr.write(f"{start + BATCH} of {len(questions)}\n")


def measure_grammars() -> Iterator[dict[str, Any]]:
    """Yield for each library what a new schema and a token's mask cost with the real vocabulary."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(find_gemma())
    schemas = [question.schema for question in make_questions(len(CONFIGS))]
    for name, prepare in (("llguidance", _llguidance), ("xgrammar", _xgrammar)):
        start = time.perf_counter()
        compile_schema, walk = prepare(tokenizer)
        prepared = time.perf_counter() - start
        start = time.perf_counter()
        matchers = [compile_schema(json.dumps(schema)) for schema in schemas]
        compiled = (time.perf_counter() - start) / len(schemas)
        steps, seconds = 0, 0.0
        for matcher, answer in zip(matchers, SAMPLE_ANSWERS, strict=True):
            tokens = tokenizer(json.dumps(answer), add_special_tokens=False).input_ids
            start = time.perf_counter()
            walk(matcher, tokens)
            seconds += time.perf_counter() - start
            steps += len(tokens)
        yield {
            "library": name,
            "tokenizer s": round(prepared, 2),
            "new schema ms": round(1000 * compiled, 2),
            "mask ms": round(1000 * seconds / steps, 3),
        }


Walk = Callable[[Any, Sequence[int]], None]


def _llguidance(tokenizer: Any) -> tuple[Callable[[str], Any], Walk]:
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

    from backends.prompt.models.answer_grammar import AnswerGrammar

    grammar = AnswerGrammar(tokenizer, len(tokenizer))
    mask = allocate_token_bitmask(1, len(tokenizer))

    def walk(matcher: Any, tokens: Sequence[int]) -> None:
        for token in tokens:
            fill_next_token_bitmask(matcher, mask, 0)
            assert matcher.consume_token(token), matcher.get_error()

    return lambda schema: grammar.match(json.loads(schema)), walk


def _xgrammar(tokenizer: Any) -> tuple[Callable[[str], Any], Walk]:
    import xgrammar

    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer)
    compiler = xgrammar.GrammarCompiler(info)
    mask = xgrammar.allocate_token_bitmask(1, info.vocab_size)

    def compile_schema(schema: str) -> Any:
        compiled = compiler.compile_json_schema(
            schema, any_whitespace=False, separators=(", ", ": ")
        )
        return xgrammar.GrammarMatcher(compiled)

    def walk(matcher: Any, tokens: Sequence[int]) -> None:
        for token in tokens:
            matcher.fill_next_token_bitmask(mask, 0)
            assert matcher.accept_token(token), "the answer does not fit"

    return compile_schema, walk


if __name__ == "__main__":
    main()
