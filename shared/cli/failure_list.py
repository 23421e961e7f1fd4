"""The failures of a bulk prediction, as its command prints them."""

from collections import Counter
from pathlib import Path
from typing import Any

import typer

# Failures that are printed at the end. The file of failures has all of them.
MAX_LISTED_FAILURES = 10


def list_failures(output: Path, name: str) -> bool:
    """Print what failed and what was left out of an output; return whether tasks failed.

    `name` is what the user calls it.
    """
    from shared.cli.progress import format_count
    from shared.label_studio.import_file import DROPPED_PREFIX, read_failures

    listed: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    failed_tasks, last_index = 0, None
    for failure in read_failures(output):
        reasons[failure["reason"]] += 1
        if not failure["reason"].startswith(DROPPED_PREFIX):
            # several backends may fail on one task: it counts once
            failed_tasks += failure["index"] != last_index
            last_index = failure["index"]
        if len(listed) < MAX_LISTED_FAILURES:
            listed.append(failure)
    for failure in listed:
        where = _describe_task(failure)
        typer.echo(f"  {where}: {failure['backend']}: {failure['message']}", err=True)
    if reasons:
        counts = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
        count = format_count(failed_tasks)
        typer.echo(f"{count} failed ({counts}): see {name}.failures.jsonl", err=True)
    return failed_tasks > 0


def _describe_task(failure: dict[str, Any]) -> str:
    """Return where a task is: the source, the line in it, and the task's index from 0.

    The index counts over all inputs, and tells apart the tasks of one line.
    """
    line = "" if failure["line"] is None else f"line {failure['line']}, "
    task_id = "" if failure["task"] is None else f", id {failure['task']}"
    return f"{failure['source']}, {line}task {failure['index']}{task_id}"
