"""1,000 tasks, 64 at a time: the limits are kept, as measured at the server."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from backends.prompt import PromptBackend
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from shared.pipeline.scheduling.request_scope import RequestScope
from tests.prompt.fault_server import Asked, FaultServer

CONFIG = """<View><Text name="text" value="$text"/>
  <Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices></View>"""
AT_ONCE = 64


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with FaultServer(seconds=0.05) as server:
        monkeypatch.setenv("PROMPT_MODEL", "any")
        monkeypatch.setenv("PROMPT_BASE_URL", server.url)
        monkeypatch.setenv("PROMPT_CONCURRENCY", str(AT_ONCE))
        yield server


def predict(count: int) -> None:
    config = LabelConfig.parse(CONFIG)
    plan = runtime().planner.plan(config, [PromptBackend(label_config=CONFIG, served=True)])
    tasks = [{"id": number, "data": {"text": f"task {number}"}} for number in range(count)]
    outcomes = list(runtime().pipeline.run(plan, tasks))
    assert [outcome.error for outcome in outcomes] == [None] * count


def most_within(asked: Sequence[Asked], seconds: float, costs: Sequence[float]) -> float:
    """Return the largest sum of the costs of requests that came within a time."""
    most, total, first = 0.0, 0.0, 0
    for last, request in enumerate(asked):
        total += costs[last]
        while asked[first].seconds <= request.seconds - seconds:
            total -= costs[first]
            first += 1
        most = max(most, total)
    return most


def test_1000_tasks_keep_the_requests_a_minute(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """18,000 a minute are 300 a second: a second's worth at once, then 295 a second."""
    monkeypatch.setenv("PROMPT_RPM", "18000")
    predict(1000)
    asked = server.chats()
    assert len(asked) == 1000
    assert max(request.others for request in asked) < AT_ONCE
    ones = [1.0] * len(asked)
    # What is on its way for a moment comes with the next ones: a tenth more is allowed for it.
    for seconds in (0.25, 0.5, 1.0):
        assert most_within(asked, seconds, ones) <= (300 + 295 * seconds) * 1.1
    duration = asked[-1].seconds - asked[0].seconds
    assert duration >= (1000 - 300) / 295 * 0.95


def test_tokens_a_minute_are_kept(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question has some 150 tokens here, of which the server tells: 600,000 are 70 a second."""
    monkeypatch.setenv("PROMPT_TPM", "600000")
    predict(200)
    asked = server.chats()
    tokens = [float(request.tokens) for request in asked]
    # Until answers tell how many tokens there are, as many requests as may run at once are guesses.
    for seconds in (0.5, 1.0):
        assert most_within(asked, seconds, tokens) <= (10_000 + 10_000 * seconds) * 1.3
    assert asked[-1].seconds - asked[0].seconds >= (sum(tokens) - 10_000) / 10_000 * 0.8


def test_interactive_users_do_not_wait_for_bulk(server: FaultServer) -> None:
    """A quarter of the calls is theirs: an answer takes what it takes alone."""
    server.seconds = 0.3
    config = LabelConfig.parse(CONFIG)
    plan = runtime().planner.plan(config, [PromptBackend(label_config=CONFIG, served=True)])
    tasks = [{"id": number, "data": {"text": f"task {number}"}} for number in range(400)]
    with closing(runtime().pipeline.run(plan, tasks)) as bulk:
        next(bulk)  # 48 at once: the last ones are asked after two seconds
        scope = RequestScope(interactive=True)
        [outcome] = runtime().pipeline.run(plan, [{"data": {"text": "now"}}], scope=scope)
        assert outcome.error is None
        behind = len({asked.text for asked in server.chats()})
        assert behind < 300
