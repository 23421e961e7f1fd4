import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from backends.prompt import errors
from backends.prompt.models import request_failure
from backends.prompt.question import TokenUsage
from shared.errors import TaskError
from tests.prompt.fault_server import FaultServer
from tests.prompt.faults import FAULTS, HANGING

from .asked import SCHEMA, ask_about, model_at

KEY = "sk-a-secret-that-nobody-sees"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_failure, "FIRST_WAIT_SECONDS", 0.01)


def test_answer_fits_and_has_scores_and_usage(server: FaultServer) -> None:
    answer = model_at(server).ask(ask_about("A fine day"))
    assert answer.values == server.values(server.asked[0])
    # `Good` or `Bad` and a closing quote, of two to three tokens
    assert 0.86 <= answer.scores["/mood"] <= 0.91
    assert answer.scores["/stars"] == pytest.approx(0.9512, abs=1e-4)
    assert answer.usage.prompt + answer.usage.completion == server.asked[0].tokens


REQUESTS_OF_MODES = {  # of the first question, and of the next one
    ("json_schema", "tools", "logprobs", "n"): (1, 1),
    ("tools", "logprobs", "n"): (2, 1),
    ("json_object", "logprobs", "n"): (3, 1),
    (): (4, 1),
}


@pytest.mark.parametrize("features", REQUESTS_OF_MODES, ids=lambda f: f[0] if f else "words alone")
def test_server_is_asked_in_the_form_that_it_knows(features: tuple[str, ...]) -> None:
    with FaultServer(features=features) as server:
        model = model_at(server)
        for text, count in zip(("one", "two"), REQUESTS_OF_MODES[features], strict=True):
            server.asked.clear()
            answer = model.ask(ask_about(text))
            assert set(answer.values) == {"mood", "stars"}
            assert len(server.asked) == count
            assert bool(answer.scores) is ("logprobs" in features)


def test_form_that_is_chosen_is_the_only_one() -> None:
    with FaultServer(features=()) as server, pytest.raises(errors.ServerRefusedError, match="400"):
        model_at(server, schema_mode="tool").ask(ask_about("one"))
    assert len(server.asked) == 1


def test_server_that_ignores_schemas_is_told_in_words(server: FaultServer) -> None:
    """It answers in prose until the schema stands in a message."""
    server.ignores_schemas = True
    model = model_at(server)
    counts = []
    for number in range(4):
        server.asked.clear()
        assert set(model.ask(ask_about(f"text {number}")).values) == {"mood", "stars"}
        counts.append(len(server.asked))
    assert counts == [2, 2, 1, 1], "json_schema and tool are found out once each"


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_costs_its_question_alone(fault: str, server: FaultServer) -> None:
    kind, message, requests = FAULTS[fault]
    model = model_at(server, timeout=0.4 if fault in HANGING else 60)
    with pytest.raises(TaskError) as caught:
        model.ask(ask_about(f"[fault:{fault}] day"))
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert len(server.asked) == requests
    assert set(model.ask(ask_about("A fine day")).values) == {"mood", "stars"}


def test_answer_that_nobody_can_send_on_is_refused(server: FaultServer) -> None:
    """Half a character is no text: Label Studio's answer could not be written with it."""
    schema = {**SCHEMA, "properties": {"mood": {"type": "string"}}, "required": ["mood"]}
    question = replace(ask_about("[fault:half_character] day"), schema=schema)
    with pytest.raises(errors.InvalidAnswerError, match="half a character"):
        model_at(server).ask(question)


@pytest.mark.parametrize("fault", ["error_500", "error_503", "rate_limit", "closed", "cut", "hang"])
def test_what_passes_is_tried_again(fault: str, server: FaultServer) -> None:
    answer = model_at(server, timeout=1).ask(ask_about(f"[fault:{fault}*1] day"))
    assert set(answer.values) == {"mood", "stars"}
    assert [asked.fault for asked in server.asked] == [fault, "valid"]


@pytest.mark.parametrize(
    "fault", ["prose", "broken_json", "wrong_label", "missing_property", "empty_content"]
)
def test_broken_answer_is_repaired(fault: str, server: FaultServer) -> None:
    answer = model_at(server).ask(ask_about(f"[fault:{fault}*1] day"))
    assert set(answer.values) == {"mood", "stars"}
    first, second = server.asked
    assert answer.usage.prompt + answer.usage.completion == first.tokens + second.tokens
    assert [message["role"] for message in second.body["messages"]][-2:] == ["assistant", "user"]


def test_no_retries_where_none_are_wanted(server: FaultServer) -> None:
    with pytest.raises(errors.ServerFailedError):
        model_at(server, retries=0).ask(ask_about("[fault:error_500] day"))
    assert len(server.asked) == 1


def test_pause_that_the_server_asks_for_holds_for_all(server: FaultServer) -> None:
    model = model_at(server)
    model._limits.pause(0.2)
    began = time.monotonic()
    model.ask(ask_about("A fine day"))
    assert time.monotonic() - began >= 0.2


def test_question_waits_for_no_answer_to_another() -> None:
    with ThreadPoolExecutor(1) as pool, FaultServer() as server:
        model = model_at(server, timeout=60, retries=0)
        hanging = pool.submit(model.ask, ask_about("[fault:hang] one"))
        while not server.asked:
            time.sleep(0.01)
        assert set(model.ask(ask_about("two")).values) == {"mood", "stars"}
        assert not hanging.done()
    assert isinstance(hanging.exception(), TaskError)


@pytest.mark.parametrize("option", ["temperature", "logprobs", "n", "max_tokens"])
def test_option_that_the_model_refuses_is_left_out(option: str, server: FaultServer) -> None:
    server.refused_options = (option,)
    samples = 3 if option == "n" else 1
    model = model_at(server, max_tokens=100)
    for text in ("one", "two"):
        assert set(model.ask(ask_about(text, samples=samples)).values) == {"mood", "stars"}
    refused = [option in asked.body for asked in server.asked]
    assert sum(refused) == 1
    assert refused[0]


def test_questions_at_once_find_out_together_what_is_refused(server: FaultServer) -> None:
    server.refused_options = ("logprobs", "temperature")
    server.seconds = 0.05
    model = model_at(server)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: model.ask(ask_about(f"text {number}")), range(16)))
    assert all("json_schema" in str(asked.body["response_format"]) for asked in server.asked)
    assert len(server.asked) <= 8 * 3 + 8, "each of the first eight finds out two options"


def test_limits_hold_where_the_server_tells_no_tokens(server: FaultServer) -> None:
    server.tells_usage = False
    model = model_at(server, max_tokens_per_day=10**9)
    before = model._daily.used()
    answer = model.ask(ask_about("A fine day"))
    assert answer.usage == TokenUsage()
    assert model._daily.used() - before > 100, "what was guessed"


@pytest.mark.parametrize(
    "features", [("json_schema", "n"), ("json_schema",)], ids=["n", "one by one"]
)
def test_samples_agree_by_a_share(features: tuple[str, ...]) -> None:
    moods = iter(["Good", "Bad", "Good", "Good"])
    with FaultServer(features=features) as server:
        server.answer = lambda schema, asked: {"mood": next(moods), "stars": 3}
        answer = model_at(server).ask(ask_about("A fine day", samples=4))
    assert answer.values == {"mood": "Good", "stars": 3}
    assert answer.scores == {"/mood": 0.75, "/stars": 1.0}
    assert {asked.body["temperature"] for asked in server.asked} == {0.7}
    assert len(server.asked) == (1 if "n" in features else 4)


def test_sample_that_is_alone_has_no_score(server: FaultServer) -> None:
    made = iter([{"mood": "Good", "stars": 3}, {}, {"mood": "None", "stars": 3}])
    server.answer = lambda schema, asked: next(made)
    answer = model_at(server).ask(ask_about("A fine day", samples=3))
    assert answer.values == {"mood": "Good", "stars": 3}
    assert answer.scores == {}


def test_temperature_that_is_set_is_that_of_samples(server: FaultServer) -> None:
    model_at(server).ask(ask_about("A fine day", samples=2, temperature=0.3))
    assert server.asked[0].body["temperature"] == 0.3


def test_daily_tokens_are_what_the_server_counts(server: FaultServer) -> None:
    model = model_at(server, max_tokens_per_day=100_000)
    before = model._daily.used()
    for number in range(3):
        model.ask(ask_about(f"text {number}"))
    assert model._daily.used() - before == sum(asked.tokens for asked in server.asked)
    with pytest.raises(errors.RateLimitError, match="PROMPT_MAX_TOKENS_PER_DAY=1 "):
        model_at(server, max_tokens_per_day=1).ask(ask_about("one"))
    assert len(server.asked) == 3, "nothing is asked above the limit"


def test_workers_share_the_limits(server: FaultServer) -> None:
    model = model_at(server, workers=4, rpm=240)  # 60 a minute for each of them
    model.ask(ask_about("one"))
    assert 0.5 < model._limits._requests.reserve(1) <= 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "any answers by response_format json_schema, with probabilities; the question took"),
        ({"logprobs": False}, "without probabilities"),
        ({"schema_mode": "tool"}, "by a tool call"),
        ({"schema_mode": "words"}, "by the schema in words"),
    ],
    ids=["as it is", "no probabilities", "tool", "words"],
)
def test_check_says_how_the_model_answers(
    settings: dict[str, Any], says: str, server: FaultServer
) -> None:
    assert says in model_at(server, **settings).check()


def test_check_names_the_models_that_there_are(server: FaultServer) -> None:
    server.model = "big-model"
    with pytest.raises(errors.UnknownModelError, match=r"PROMPT_MODEL=any,.*it has big-model$"):
        model_at(server).check()


def test_key_is_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FaultServer(key=KEY) as server:
        model_at(server, api_key=KEY).ask(ask_about("A fine day"))
        with pytest.raises(TaskError) as wrong:
            model_at(server, api_key=KEY + "x").ask(ask_about("A fine day"))
        model = model_at(server, api_key=KEY)
        with pytest.raises(TaskError) as echoed:
            model.ask(ask_about("[fault:echoes_key] day"))
    assert "PROMPT_API_KEY" in str(wrong.value)
    for text in (str(wrong.value), str(echoed.value), caplog.text, repr(model._settings)):
        assert KEY not in text
    assert "401" in str(wrong.value)
    assert "key …" in str(echoed.value)
