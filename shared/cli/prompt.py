"""`prelabel prompt`: what a language model is asked about a task, and what it answers."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.cli import app
from shared.errors import SettingError, escape_control

if TYPE_CHECKING:
    from shared.backend.asked_question import AskedQuestion, GivenAnswer
    from shared.backend.base import Backend
    from shared.label_studio.label_config import LabelConfig
    from shared.label_studio.task_file import TaskEntry
    from shared.pipeline.asked_task import AskedStep, StepAnswer
    from shared.pipeline.plan import PredictionPlan


@app.command()
def prompt(
    label_config: Path = typer.Option(
        help="The project's label config, an XML file", exists=True, dir_okay=False
    ),
    task: str = typer.Option(
        help="Tasks: JSON, JSON Lines or CSV, also gzipped; - for standard input"
    ),
    number: int = typer.Option(0, min=0, help="Which task of the file, from 0"),
    run: bool = typer.Option(False, "--run", help="Ask the model, and show what it answers"),
    json: bool = typer.Option(False, "--json", help="Print one JSON object"),
) -> None:
    """Show what a language model is asked about a task: schema, messages, tokens.

    Nothing is sent without --run. The exit status is 1 if no model is asked anything, and 2 if
    something is wrong, which is named.
    """
    from shared.cli.unasked_reason import find_asking_backends
    from shared.label_studio.label_config import LabelConfig
    from shared.pipeline.runtime import reset_runtime, runtime
    from shared.server import logs

    logs.configure_logging("WARNING")
    # The report has what the planner would log.
    logging.getLogger("shared.pipeline.planner").setLevel(logging.CRITICAL)
    try:
        asking = find_asking_backends(runtime().settings.backends)
        config = LabelConfig.parse(label_config.read_text("utf-8", errors="replace"))
        report = _make_report(config, _read_task(task, number), asking, run)
    finally:
        reset_runtime()
    typer.echo(report.to_json() if json else "\n".join(report.lines()))
    if not report.steps:
        raise typer.Exit(1)


def _make_report(
    config: "LabelConfig", entry: "TaskEntry", asking: "Sequence[type[Backend]]", run: bool
) -> "_Report":
    """Return what is asked of a task; with `run`, the models are asked."""
    from shared.pipeline.asked_task import read_asked_steps
    from shared.pipeline.command_plans import plan_what_serves
    from shared.pipeline.runtime import runtime

    plans, others = plan_what_serves(runtime(), config)
    found = list(read_asked_steps(plans, entry.task))
    steps = [(step, step.ask(runtime().models) if run else None) for step in found]
    return _Report(config, plans, others, asking, steps)


def _read_task(file: str, number: int) -> "TaskEntry":
    from shared.label_studio.task_file import TaskFile

    entry = next(islice(TaskFile(file, tables=True), number, number + 1), None)
    if entry is None:
        raise SettingError(f"{file}: has no task {number}")
    if entry.problem is not None:
        raise SettingError(f"{file}: {entry}: {entry.problem}")
    return entry


class _Report:
    """What is asked and answered, as text or JSON.

    `unavailable` says which backends cannot run; `asking` are those that ask a language model.
    """

    def __init__(
        self,
        config: "LabelConfig",
        plans: "Sequence[PredictionPlan]",
        unavailable: Sequence[str],
        asking: "Sequence[type[Backend]]",
        steps: "Sequence[tuple[AskedStep, StepAnswer | None]]",
    ) -> None:
        self._config = config
        self._plans = plans
        self._unavailable = () if plans[0].steps else unavailable
        self._asking = asking
        self.steps = steps

    def to_json(self) -> str:
        """Return it as one JSON object."""
        import json

        report = {
            "controls": self._filled_by(),
            "problems": self._problems(),
            "reason": None if self.steps else self._idle_reason() or self._explain_unasked(),
            "steps": [self._describe(step, answer) for step, answer in self.steps],
        }
        return json.dumps(report, ensure_ascii=False)

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text: only what must be set, if nothing can be asked before."""
        if (reason := self._idle_reason()) is not None:
            yield escape_control(reason)
            return
        filled = self._filled_by()
        width = max(map(len, filled), default=0)
        for name, backend in filled.items():
            yield escape_control(f"{name:<{width}}  {backend or 'nobody'}")
        yield from (escape_control(problem) for problem in self._problems())
        if not self.steps:
            yield escape_control(self._explain_unasked())
        for step, answer in self.steps:
            yield ""
            yield from _step_lines(step, answer)

    def _idle_reason(self) -> str | None:
        from shared.cli.unasked_reason import find_idle_reason

        return find_idle_reason(self._asking)

    def _explain_unasked(self) -> str:
        from shared.cli.unasked_reason import explain_unasked

        return explain_unasked(self._config, self._filled_by(), self._asking)

    def _filled_by(self) -> dict[str, str | None]:
        """Return the backend of each control tag; None where there is none."""
        found: dict[str, str] = {}
        for plan in self._plans:
            found = {**plan.filled_by(), **found}
        return {control.name: found.get(control.name) for control in self._config.controls}

    def _problems(self) -> list[str]:
        problems = [problem for plan in self._plans for problem in plan.problems]
        return list(dict.fromkeys([*problems, *self._unavailable]))

    def _describe(self, step: "AskedStep", answer: "StepAnswer | None") -> dict[str, Any]:
        found: dict[str, Any] = {
            "model": step.step.spec.label,
            "controls": step.controls,
            "questions": [_describe_question(question) for question in step.questions],
        }
        if answer is not None:
            prediction = answer.prediction
            found["answers"] = [_describe_answer(one) for one in answer.answers]
            found["prediction"] = prediction.to_json()
            found["dropped"] = [finding.message for finding in prediction.dropped]
        return found


def _describe_question(question: "AskedQuestion") -> dict[str, Any]:
    return {
        "tokens": question.tokens,
        "tokens_are_estimated": question.tokens_are_estimated,
        "instruction": question.instruction,
        "schema": question.schema,
        "messages": question.messages,
    }


def _describe_answer(answer: "GivenAnswer") -> dict[str, Any]:
    return {
        "values": answer.values,
        "scores": answer.scores,
        "usage": {"prompt": answer.prompt_tokens, "completion": answer.completion_tokens},
    }


def _step_lines(step: "AskedStep", answer: "StepAnswer | None") -> Iterator[str]:
    count = len(step.questions)
    asked = "1 question" if count == 1 else f"{count} questions"
    yield f"{step.step.spec.label}: {', '.join(step.controls)} ({asked})"
    for question in step.questions:
        kind = "about " if question.tokens_are_estimated else ""
        estimate = " (an estimate)" if question.tokens_are_estimated else ""
        yield f"\nTokens of the question: {kind}{question.tokens:,}{estimate}"
        yield f"\nSchema of the answer:\n{_pretty(question.schema)}"
        yield from _message_lines(question.messages)
    if answer is not None:
        yield from _answer_lines(answer)


def _message_lines(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        content = message["content"]
        text = content if isinstance(content, str) else _pretty(content)
        yield f"\nMessage of the {message['role']}:\n{_escape_lines(text)}"


def _answer_lines(answer: "StepAnswer") -> Iterator[str]:
    for one in answer.answers:
        yield f"\nAnswer ({one.prompt_tokens:,} + {one.completion_tokens:,} tokens):"
        yield _pretty(one.values)
        for pointer, score in one.scores.items():
            yield escape_control(f"score of {pointer}: {score:.3f}")
    prediction = answer.prediction
    yield f"\nPrediction:\n{_pretty(prediction.to_json())}"
    for finding in prediction.dropped:
        yield escape_control(f"Left out: {finding.message}")


def _pretty(value: Any) -> str:
    import json

    return _escape_lines(json.dumps(value, ensure_ascii=False, indent=2))


def _escape_lines(text: str) -> str:
    """Return a text of several lines, which cannot steer a terminal."""
    return "\n".join(escape_control(line) for line in text.splitlines())
