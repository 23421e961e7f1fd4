import logging

import pytest

from shared.errors import FetchError
from shared.pipeline.failures import MAX_MESSAGE_LENGTH, FailureLog
from shared.server.logs import LineFormatter


def test_what_clients_sent_is_kept_short(caplog: pytest.LogCaptureFixture) -> None:
    log = FailureLog()
    log.record_task("word", "7" * 1_000_000, FetchError("x" * 1_000_000))
    log.record_dropped_region("word", {"a": ["b"] * 1_000_000}, "rule", "x" * 1_000_000)
    for failure in log.recent():
        assert len(failure["task"]) == 40
        assert len(failure["message"]) == MAX_MESSAGE_LENGTH
    assert all(len(record.getMessage()) < 800 for record in caplog.records)
    assert log.counts() == {("word", "fetch"): 1, ("word", "dropped_rule"): 1}


@pytest.mark.parametrize("task", [None, 7, "seven"])
def test_task_is_kept_as_it_is(task: object) -> None:
    log = FailureLog()
    log.record_task("word", task, FetchError("Gone"))
    [found] = log.recent()
    assert (found["task"], found["message"]) == (task, "Gone")


def test_line_of_the_log_cannot_be_forged() -> None:
    text = "Task 7\n2026-01-01 00:00:00 ERROR shared: All is lost\r\x1b[2J\u2028 é"
    record = logging.LogRecord("shared", logging.WARNING, "", 0, text, None, None)
    line = LineFormatter().format(record)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert line.endswith(r"Task 7\n2026-01-01 00:00:00 ERROR shared: All is lost\r\x1b[2J\u2028 é")
