import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar

import pytest

from shared.backend.claim import Claim, ModelSpec
from shared.errors import (
    ClientGoneError,
    ConfigError,
    DeadlineError,
    FetchError,
    InferenceError,
    MissingKeyError,
    ModelError,
    PrelabelError,
    TaskError,
    ValueTypeError,
)
from shared.media.reader import MediaReader
from shared.pipeline.failures import FailureLog
from shared.pipeline.inputs import READER_THREADS
from shared.pipeline.prediction import TaskOutcome
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.results import Omission, Region
from tests.tiny import BrokenBackend, PromptBackend, WordBackend, made, routed, tasks

# Tasks that are read in advance where a backend says nothing else.
READ_AHEAD = 256

TWO_CONTROLS = """<View><Text name="text" value="$text"/>
<Labels name="one" toName="text"><Label value="Word"/></Labels>
<Labels name="two" toName="text"><Label value="Word"/></Labels></View>"""
DRAWN = {"result": [{"type": "labels", "value": {}}]}


def run(
    backend: Any, given: Any, seconds: float | None = None, **options: Any
) -> list[TaskOutcome]:
    if seconds is not None:
        options["scope"] = RequestScope(seconds, interactive="context" in options)
    return list(runtime().pipeline.run(routed(backend), given, **options))


def marked(outcome: TaskOutcome) -> str:
    """The text of the first region."""
    answer = outcome.to_response()
    assert isinstance(answer, dict), outcome.error
    return str(answer["result"][0]["value"]["text"])


def test_as_many_outcomes_as_tasks_in_order() -> None:
    words = [f"word{number} more" for number in range(200)]
    outcomes = run(made(WordBackend), tasks(*words))
    assert [marked(outcome) for outcome in outcomes] == [f"word{number}" for number in range(200)]


def test_no_tasks() -> None:
    assert run(made(WordBackend), []) == []


def test_prediction() -> None:
    backend = made(WordBackend)
    [outcome] = run(backend, tasks("Hello you"))
    answer = outcome.to_response()
    assert isinstance(answer, dict)
    assert answer == outcome.to_response(interactive=True)
    assert answer["model_version"] == routed(backend).version() != "none"
    assert answer["score"] == 0.5
    [result] = answer["result"]
    assert result["value"] == {"start": 0, "end": 5, "text": "Hello", "labels": ["Word"]}
    assert (result["from_name"], result["to_name"], result["type"]) == ("label", "text", "labels")


FAILURES: list[tuple[Any, type[TaskError]]] = [
    ("text", TaskError),
    (None, TaskError),
    ([], TaskError),
    ({"id": 1}, TaskError),
    ({"id": 1, "data": {}}, MissingKeyError),
    ({"id": 1, "data": {"text": None}}, MissingKeyError),
    ({"id": 1, "data": {"text": {"a": 7}}}, ValueTypeError),
    ({"id": 1, "data": {"text": "fetch: a"}}, FetchError),
    ({"id": 1, "data": {"text": "read: a"}}, InferenceError),
    ({"id": 1, "data": {"text": "infer: a"}}, InferenceError),
    ({"id": 1, "data": {"text": "regions: a"}}, InferenceError),
]


@pytest.mark.parametrize(("raw", "error"), FAILURES, ids=repr)
def test_failure_costs_one_task(raw: Any, error: type[TaskError]) -> None:
    good = tasks("a", "b", "c", "d")
    outcomes = run(made(WordBackend), [*good[:2], raw, *good[2:]])
    assert [bool(outcome.prediction) for outcome in outcomes] == [True, True, False, True, True]
    failed = outcomes[2]
    assert type(failed.error) is error
    assert "/secret" not in str(failed.error)
    assert failed.to_response() == []
    assert failed.to_response(interactive=True) == {"result": []}
    assert [marked(outcome) for outcome in outcomes if outcome.prediction] == ["a", "b", "c", "d"]


def test_all_failures_at_once() -> None:
    mixed = [raw for failing, _ in FAILURES for raw in (failing, *tasks("ok then"))]
    outcomes = run(made(WordBackend), mixed)
    assert len(outcomes) == len(mixed)
    assert [marked(outcome) for outcome in outcomes[1::2]] == ["ok"] * len(FAILURES)
    assert all(outcome.error for outcome in outcomes[::2])


def test_failures_are_counted_and_kept_in_words() -> None:
    run(made(WordBackend), [{"id": 7, "data": {}}, *tasks("infer: a"), "no task"])
    failures = runtime().failures
    assert failures.counts() == {
        ("word", "missing_key"): 1,
        ("word", "inference"): 1,
        ("word", "task"): 1,
    }
    newest, second, oldest = failures.recent()
    assert (oldest["task"], oldest["reason"]) == (7, "missing_key")
    assert '"text" is missing' in oldest["message"]
    assert second["message"] == "word failed on this task: RuntimeError"
    assert newest["task"] is None


def test_failure_log_keeps_the_last() -> None:
    log = FailureLog(keep=3)
    for number in range(10):
        log.record_task("word", number, TaskError("x"))
    assert [failure["task"] for failure in log.recent()] == [9, 8, 7]
    assert log.counts() == {("word", "task"): 10}


def test_region_that_would_not_be_shown_is_left_out_and_counted() -> None:
    [outcome] = run(made(WordBackend), tasks("unknown: a"))
    answer = outcome.to_response()
    assert isinstance(answer, dict)
    assert answer["result"] == []
    assert runtime().failures.counts() == {("word", "dropped_unknown_label"): 1}


class OmittingBackend(WordBackend):
    """Answers a word that no region can hold beside the first; `only: …` gets nothing else."""

    def regions(self, output: Any, claim: Claim) -> Iterator[Region | Omission]:
        if not output.startswith("only:"):
            yield from super().regions(output, claim)
        yield Omission("quote_not_found", f'"{output}" is nowhere')


def test_what_no_region_holds_is_named_and_costs_itself_alone() -> None:
    outcome, failed = run(made(OmittingBackend), tasks("a b", "only: a"))
    assert marked(outcome) == "a"
    assert failed.to_response() == []
    assert str(failed.error) == '"only: a" is nowhere'
    assert runtime().failures.counts() == {
        ("word", "dropped_quote_not_found"): 1,
        ("word", "inference"): 1,
    }


def test_tasks_are_read_no_further_than_ahead() -> None:
    pulled = 0

    def source() -> Iterator[Any]:
        nonlocal pulled
        for task in tasks(*["a"] * 1000):
            pulled += 1
            yield task

    outcomes = runtime().pipeline.run(routed(made(WordBackend)), source())
    assert pulled == 0
    for number in range(20):
        next(outcomes)
        assert READ_AHEAD // 2 < pulled - number <= READ_AHEAD


def test_batches_mix_requests() -> None:
    backend = made(WordBackend)
    backend.gate.clear()
    route = routed(backend)
    threads = [
        threading.Thread(target=lambda: list(runtime().pipeline.run(route, tasks("a", "b"))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 60
    while backend.reads < 8 and time.monotonic() < until:
        time.sleep(0.01)
    backend.gate.set()
    for thread in threads:
        thread.join()
    assert sum(map(len, backend.batches)) == 8
    assert len(backend.batches) < 8


def test_two_controls_on_one_text_share_a_forward_pass() -> None:
    backend = made(WordBackend, TWO_CONTROLS)
    route = routed(backend, xml=TWO_CONTROLS)
    [outcome] = runtime().pipeline.run(route, tasks("Hello you"))
    answer = outcome.to_response()
    assert isinstance(answer, dict)
    assert [result["from_name"] for result in answer["result"]] == ["one", "two"]
    assert len({result["id"] for result in answer["result"]}) == 2
    assert (backend.reads, backend.batches) == (1, [["Hello you"]])


class AddressBackend(WordBackend):
    """Reads the file at an address, as `word` reads texts."""

    name = "address"

    def read(self, task: Any, claim: Any, context: Any) -> Any:
        return self.media.fetch(task.text_value(claim.object)).decode()


class OtherBackend(AddressBackend):
    name = "other"


def test_two_models_on_one_file_fetch_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    fetch = MediaReader._fetch_address

    def counting(self: MediaReader, value: str, task_id: Any) -> bytes:
        fetched.append(value)
        return fetch(self, value, task_id)

    monkeypatch.setattr(MediaReader, "_fetch_address", counting)
    xml = TWO_CONTROLS.replace('name="one"', 'name="one" model_backend="other"')
    backends = made(AddressBackend, xml), made(OtherBackend, xml)
    route = routed(*backends, xml=xml)
    given = tasks("data:,Hello%20you", "data:,Other%20words")
    outcomes = list(runtime().pipeline.run(route, given))
    assert [len(outcome.prediction.results) for outcome in outcomes if outcome.prediction] == [2, 2]
    assert sorted(fetched) == sorted(task["data"]["text"] for task in given)


# Deadline


class StuckBackend(WordBackend):
    """`stuck` waits for the gate; one item a batch."""

    name = "stuck"

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_stuck = threading.Event()

    def infer(self, model: Any, items: list[Any]) -> Any:
        if items == ["stuck"]:
            self.is_stuck.set()
            self.gate.wait(60)
        self.batches.append(items)
        return items


def test_deadline_answers_what_is_done() -> None:
    backend = made(StuckBackend)
    backend.gate.clear()
    start = time.monotonic()
    outcomes = run(backend, tasks("a", "b", "stuck", "c", "d"), seconds=0.4)
    assert time.monotonic() - start < 30
    backend.gate.set()
    assert [marked(outcome) for outcome in outcomes[:2]] == ["a", "b"]
    assert [type(outcome.error) for outcome in outcomes[2:]] == [DeadlineError] * 3
    assert [outcome.to_response() for outcome in outcomes[2:]] == [[], [], []]
    assert runtime().failures.counts() == {("stuck", "deadline"): 3}


def test_work_goes_on_after_a_deadline_without_what_nobody_waits_for() -> None:
    backend = made(StuckBackend)
    backend.gate.clear()
    run(backend, tasks("stuck", *"abcdef"), seconds=0.3)
    backend.gate.set()
    assert [marked(outcome) for outcome in run(backend, tasks("x", "y"), seconds=60)] == ["x", "y"]
    assert backend.batches == [["stuck"], ["x"], ["y"]]


def test_no_time_at_all() -> None:
    backend = made(WordBackend)
    given = [{"data": {"text": str(number)}} for number in range(3 * READ_AHEAD)]
    outcomes = run(backend, given, seconds=0)
    assert [type(outcome.error) for outcome in outcomes] == [DeadlineError] * 3 * READ_AHEAD
    assert backend.reads == 0


def test_what_is_being_read_at_the_deadline_is_known_the_next_time() -> None:
    release = threading.Event()

    class Slow(WordBackend):
        name = "slow"

        def read(self, *args: Any) -> Any:
            release.wait(60)
            return super().read(*args)

    backend = made(Slow)
    given = tasks(*(f"word{number}" for number in range(30)))
    start = time.monotonic()
    outcomes = run(backend, given, seconds=0.2)
    assert time.monotonic() - start < 30
    assert [type(outcome.error) for outcome in outcomes] == [DeadlineError] * 30
    assert backend.batches == []
    release.set()
    assert [marked(outcome) for outcome in run(backend, tasks("x"), seconds=60)] == ["x"]
    known = {text for batch in backend.batches for text in batch} - {"x"}
    assert 1 <= len(known) <= READER_THREADS
    backend.batches.clear()
    assert [marked(outcome) for outcome in run(backend, given, seconds=60)] == [
        f"word{number}" for number in range(30)
    ]
    assert not known & {text for batch in backend.batches for text in batch}


def test_nothing_more_is_done_for_a_client_that_is_gone() -> None:
    backend = made(StuckBackend)
    backend.gate.clear()
    waiting, caught = RequestScope(), list[Exception]()

    def ask() -> None:
        try:
            run(backend, tasks("stuck", "a", "b"), scope=waiting)
        except ClientGoneError as error:
            caught.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert backend.is_stuck.wait(60)
    queue = runtime().models.get_or_load(backend, routed(backend).steps[0].claims[0].spec)
    until = time.monotonic() + 60
    while len(queue) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    waiting.disconnect()
    asking.join(60)
    assert len(caught) == 1
    backend.gate.set()
    assert [marked(outcome) for outcome in run(backend, tasks("x"), seconds=60)] == ["x"]
    assert backend.batches == [["stuck"], ["x"]]
    assert runtime().failures.counts() == {}


def test_end_answers_what_is_done() -> None:
    backend = made(StuckBackend)
    backend.gate.clear()
    waiting = RequestScope()
    outcomes = runtime().pipeline.run(routed(backend), tasks("a", "stuck", "b"), scope=waiting)
    assert marked(next(outcomes)) == "a"
    waiting.cancel(DeadlineError("The server stops"))
    assert [str(outcome.error) for outcome in outcomes] == ["The server stops"] * 2
    backend.gate.set()


def test_a_client_may_leave_while_the_server_stops() -> None:
    waiting = RequestScope()
    waiting.cancel(DeadlineError("The server stops"))
    waiting.disconnect()
    with pytest.raises(DeadlineError, match="The server stops"):
        waiting.raise_if_over()


def test_timeout_of_a_backend_is_not_the_deadline() -> None:
    [outcome] = run(made(WordBackend), tasks("read: a"), seconds=60)
    assert str(outcome.error) == "word failed on this task: TimeoutError"


# Items in parts


class PartsBackend(StuckBackend):
    """Is asked for one word at a time; a word of `stuck` waits for the gate."""

    name = "parts"

    def split(self, item: Any) -> Any:
        return item.split()

    def join(self, outputs: Any) -> Any:
        return "+".join(outputs)


def begun(backend: Any, text: str, **options: Any) -> tuple[threading.Thread, list[TaskOutcome]]:
    """A request of one task, whose first word is being inferred, and whose others are queued."""
    outcomes: list[TaskOutcome] = []
    backend.gate.clear()
    route = routed(backend)

    def ask() -> None:
        with suppress(ClientGoneError):
            outcomes.extend(runtime().pipeline.run(route, tasks(text), **options))

    asking = threading.Thread(target=ask)
    asking.start()
    assert backend.is_stuck.wait(60)  # or the first word, too, would be one of those queued
    queue = runtime().models.get_or_load(backend, route.steps[0].claims[0].spec)
    until = time.monotonic() + 60
    while len(queue) < len(text.split()) - 1 and time.monotonic() < until:
        time.sleep(0.01)
    return asking, outcomes


def test_parts_make_a_whole() -> None:
    backend = made(PartsBackend)
    outcomes = run(backend, tasks("a b c", "d"))
    assert [marked(outcome) for outcome in outcomes] == ["a+b+c", "d"]
    assert sorted(backend.batches) == [["a"], ["b"], ["c"], ["d"]]


def test_others_have_their_turn_between_parts() -> None:
    backend = made(PartsBackend)
    asking, outcomes = begun(backend, "stuck b c d")
    other = threading.Thread(target=run, args=(backend, tasks("x")))
    other.start()
    queue = runtime().models.get_or_load(backend, routed(backend).steps[0].claims[0].spec)
    until = time.monotonic() + 60
    while len(queue) < 4 and time.monotonic() < until:
        time.sleep(0.01)
    backend.gate.set()
    for thread in (asking, other):
        thread.join(60)
    assert [marked(outcome) for outcome in outcomes] == ["stuck+b+c+d"]
    assert backend.batches.index(["x"]) <= 2


@pytest.mark.parametrize("error", [DeadlineError("Late"), ClientGoneError("Gone")])
def test_no_more_parts_when_nobody_waits(error: PrelabelError) -> None:
    backend, waiting = made(PartsBackend), RequestScope()
    asking, _ = begun(backend, "stuck b c d", scope=waiting)
    waiting.cancel(error)
    asking.join(60)
    backend.gate.set()
    assert [marked(outcome) for outcome in run(backend, tasks("x"), seconds=60)] == ["x"]
    assert backend.batches == [["stuck"], ["x"]]
    backend.batches.clear()
    assert [marked(o) for o in run(backend, tasks("stuck b c d"))] == ["stuck+b+c+d"]
    assert backend.batches == [["b"], ["c"], ["d"]], "the first is known"


@pytest.mark.parametrize("error", [DeadlineError("Late"), ClientGoneError("Gone")])
def test_a_part_that_is_queued_while_nobody_waits_any_more_is_taken_out(
    error: PrelabelError,
) -> None:
    waiting, left = RequestScope(), threading.Event()

    class Late(PartsBackend):
        name = "late"

        def cache_key(self, item: Any) -> Any:
            if item == "c":
                assert self.is_stuck.wait(60)
                waiting.cancel(error)
                assert left.wait(60)
            return super().cache_key(item)

    backend = made(Late)
    backend.gate.clear()
    with suppress(ClientGoneError):
        run(backend, tasks("stuck b c d"), scope=waiting)
    left.set()
    queue = runtime().models.get_or_load(backend, routed(backend).steps[0].claims[0].spec)
    until = time.monotonic() + 60
    while not len(queue) and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)
    backend.gate.set()
    assert [marked(outcome) for outcome in run(backend, tasks("x"), seconds=60)] == ["x"]
    assert backend.batches == [["stuck"], ["x"]]


def test_no_parts_are_queued_after_the_deadline() -> None:
    release = threading.Event()

    class Slow(PartsBackend):
        name = "slowparts"

        def read(self, *args: Any) -> Any:
            release.wait(60)
            return super().read(*args)

    backend = made(Slow)
    [outcome] = run(backend, tasks("a b c"), seconds=0.1)
    assert type(outcome.error) is DeadlineError
    release.set()
    assert [marked(outcome) for outcome in run(backend, tasks("x"), seconds=60)] == ["x"]
    assert backend.batches == [["x"]]


# Models


class SlowLoad(WordBackend):
    name = "slowload"
    ready: ClassVar[threading.Event] = threading.Event()

    def load(self, spec: ModelSpec) -> Any:
        self.ready.wait(60)


def test_deadline_comes_while_a_model_loads() -> None:
    SlowLoad.ready.clear()
    backend = made(SlowLoad)
    start = time.monotonic()
    outcomes = run(backend, tasks("a", "b"), seconds=0.2)
    assert time.monotonic() - start < 30
    assert [type(outcome.error) for outcome in outcomes] == [DeadlineError] * 2
    SlowLoad.ready.set()
    assert [marked(outcome) for outcome in run(backend, tasks("a", "b"), seconds=60)] == ["a", "b"]


def test_model_that_cannot_be_loaded_answers_nothing() -> None:
    outcomes = run(made(BrokenBackend), tasks("a", "b"))
    assert [type(outcome.error) for outcome in outcomes] == [ModelError] * 2
    assert [outcome.to_response() for outcome in outcomes] == [[], []]
    assert str(outcomes[0].error) == "weights.bin was not found in MODEL_DIR"


def test_other_model_goes_on_without_the_one_that_cannot_be_loaded() -> None:
    xml = TWO_CONTROLS.replace('name="one"', 'name="one" model_backend="broken"')
    good = made(WordBackend, xml)
    route = routed(good, made(BrokenBackend, xml), xml=xml)
    [outcome] = runtime().pipeline.run(route, tasks("Hello"))
    answer = outcome.to_response()
    assert isinstance(answer, dict)
    assert [result["from_name"] for result in answer["result"]] == ["two"]
    assert answer["model_version"] == route.version()
    assert "broken" not in answer["model_version"]


def test_config_that_nothing_can_fill() -> None:
    xml = '<View><Text name="t" value="$text"/><Choices name="c" toName="t"/></View>'
    route = routed(made(WordBackend, xml), xml=xml)
    outcomes = list(runtime().pipeline.run(route, tasks("a", "b")))
    assert [outcome.to_response() for outcome in outcomes] == [[], []]
    assert [type(outcome.error) for outcome in outcomes] == [ConfigError] * 2


# Interactive


def test_interactive_backend_answers_what_was_drawn() -> None:
    [outcome] = run(made(PromptBackend), tasks("Hello you"), context=DRAWN)
    assert marked(outcome) == "Hello"


def test_other_backends_stay_silent_in_interactive_mode() -> None:
    backend = made(WordBackend)
    [outcome] = run(backend, tasks("Hello you"), context=DRAWN)
    answer = outcome.to_response(interactive=True)
    assert isinstance(answer, dict)
    assert answer["result"] == []
    assert backend.reads == 0


def test_failure_in_interactive_mode_is_an_object() -> None:
    [outcome] = run(made(PromptBackend), tasks("infer: a"), context=DRAWN)
    assert outcome.to_response(interactive=True) == {"result": []}


def test_interactive_task_does_not_wait_for_the_reading_of_others() -> None:
    release, reading = threading.Event(), threading.Semaphore(0)

    class Slow(PromptBackend):
        name = "prompt"

        def read(self, task: Any, claim: Any, context: Any) -> Any:
            if context is None:
                reading.release()
                release.wait(60)
            return super().read(task, claim, context)

    backend = made(Slow)
    bulk = threading.Thread(target=run, args=(backend, tasks(*["a"] * 40)))
    bulk.start()
    for _ in range(READER_THREADS):
        assert reading.acquire(timeout=60)
    try:
        [outcome] = run(
            backend, tasks("now"), context=DRAWN, scope=RequestScope(2, interactive=True)
        )
        assert outcome.error is None
    finally:
        release.set()
        bulk.join()


# The same objects under label-studio-ml


def test_predict_of_a_backend() -> None:
    backend = made(WordBackend)
    answers = backend.predict([*tasks("Hello you"), {"id": 2}])
    assert answers[1] == []
    assert answers[0]["result"][0]["value"]["text"] == "Hello"
    assert "model_version" not in answers[0], "label-studio-ml 1.x makes versions of its own"


def test_predict_of_a_backend_in_interactive_mode() -> None:
    answers = made(PromptBackend).predict(tasks("infer: a"), context=DRAWN)
    assert answers == [{"result": []}]


def test_predict_without_a_label_config() -> None:
    assert WordBackend().predict(tasks("Hello")) == [[]]
