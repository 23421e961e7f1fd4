"""Spans through the pipeline, asked of a real server: long texts, lost quotes, valid results."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from backends.prompt import PromptBackend
from shared.backend import LabelConfig
from shared.pipeline.runtime import runtime
from shared.results.validation import check_results
from tests.prompt.fault_server import Asked, FaultServer
from tests.prompt.regions.test_spans import NER, PER_REGION, RELATIONS
from tests.tiny import made, routed

XML = f"<View>{RELATIONS}{NER}{PER_REGION}</View>"
LONG = "".join(f"In line {number} Ann met Bob 👍 of Acme.\n" for number in range(120))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with FaultServer() as running:
        monkeypatch.setenv("PROMPT_MODEL", "any")
        monkeypatch.setenv("PROMPT_BASE_URL", running.url)
        monkeypatch.setenv("PROMPT_CONTEXT_TOKENS", "1536")
        yield running


def quote_all(schema: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """Answer each Ann of what is shown by its number there, and somebody who is not there."""
    value = {"mood": "good", "note": None, "sure": 5, "why": None}
    names = ["Ann"] * len(re.findall("Ann", asked.text)) + ["Zorro"]
    items = [
        {"id": n, "quote": name, "occurrence": n, "label": "Person", "values": value}
        for n, name in enumerate(names, 1)
    ]
    return {"ner": items, "relations": [{"from": 1, "to": len(names) - 1, "label": "owns"}]}


def predict(text: str) -> list[dict[str, Any]]:
    """Return the results of a task; none if nothing of the answer has a place."""
    plan = routed(made(PromptBackend, XML), xml=XML)
    [outcome] = runtime().pipeline.run(plan, [{"id": 1, "data": {"text": text}}])
    if outcome.error is not None:
        assert "Relations: there are no two spans" in str(outcome.error)
        return []
    assert outcome.prediction is not None
    results = list(outcome.prediction.results)
    assert check_results(LabelConfig.parse(XML), results) == []
    return results


def test_a_long_text_is_asked_about_in_windows_and_each_span_is_there_once(
    server: FaultServer,
) -> None:
    server.answer = quote_all
    results = predict(LONG)
    starts = [result["value"]["start"] for result in results if result["type"] == "labels"]
    assert sorted(starts) == [found.start() for found in re.finditer("Ann", LONG)]
    asked = server.chats()
    assert len(asked) > 3
    assert all(len(one.all_text.encode()) / 3 < 1536 for one in asked)
    assert {one.text[-1] for one in asked} == {"\n"}
    assert runtime().failures.counts() == {("prompt", "dropped_quote_not_found"): len(asked)}
    assert sum(result["type"] == "relation" for result in results) == len(asked)
    assert sum(result["type"] == "rating" for result in results) == len(starts)


def test_whatever_fits_the_schema_makes_results_that_are_shown(server: FaultServer) -> None:
    """Answers by chance: real words, any number of the place, any label, value and relation."""
    drawn = 0
    for seed in range(12):
        server.seed = seed
        drawn += len(
            predict(f"Ann met Bob at Acme {seed}. Bob 👍 owns nai\u0308ve Acme; Ann knows.")
        )
    assert drawn > 20
    reasons = {reason for _, reason in runtime().failures.counts()}
    assert reasons <= {"dropped_quote_not_found", "dropped_relation_end_not_found", "inference"}


def test_labels_that_a_task_brings(server: FaultServer) -> None:
    config = (
        '<View><Labels name="ner" toName="text" value="$labels"/><Text name="text" value="$text"/>'
        "</View>"
    )

    def quote_first(schema: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        names = schema["properties"]["ner"]["items"]["properties"]["label"]["enum"]
        return {"ner": [{"quote": "Ann", "occurrence": 1, "label": names[-1]}]}

    server.answer = quote_first
    plan = routed(made(PromptBackend, config), xml=config)
    tasks = [
        {"id": 1, "data": {"text": "Ann", "labels": [{"value": "Cat"}, {"value": "Dog"}]}},
        {"id": 2, "data": {"text": "Ann", "labels": [{"value": "Tree", "alias": "t"}]}},
    ]
    found = [outcome.prediction for outcome in runtime().pipeline.run(plan, tasks)]
    assert [p.results[0]["value"]["labels"] for p in found if p is not None] == [["Dog"], ["t"]]
