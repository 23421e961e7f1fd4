"""The choice of examples and wording for a control tag, by how well the model answers with them."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from backends.prompt.answer_schema import build_schema, property_name
from backends.prompt.instruction import write_instruction
from backends.prompt.learning.agreement import measure_agreement
from backends.prompt.learning.annotated_samples import read_examples
from backends.prompt.learning.example_choice import ExamplePool, count_characters
from backends.prompt.learning.learned_prompt import LearnedPrompt, add_wording
from backends.prompt.models import BatchedChatModel, ChatModel
from backends.prompt.question import Answer, AnsweredTask, Question
from shared.backend import TrainingError, TrainingRun
from shared.errors import TaskError

# How many examples a question gets, and what is said beside them: what is tried.
COUNTS = (0, 2, 4, 8)
WORDINGS = (
    "Decide as the annotators did in the examples, even where you would decide otherwise.",
    "First compare the task with each example, and answer as for the one that is most like it.",
)
# Longer texts are no examples: each question would get several of them.
MAX_EXAMPLE_CHARACTERS = 4_000
# Examples that are kept, and tasks with which a candidate is tried at least.
MAX_EXAMPLES = 1000
MIN_TRIALS = 5


class Candidate(NamedTuple):
    """What may be learned."""

    examples: int
    wording: str = ""


@dataclass(frozen=True)
class Trial:
    """A task whose answer is known; `place` is its own among the examples, if it is one."""

    task: AnsweredTask
    place: int | None = None


@dataclass
class PromptTraining:
    """Tries candidates on the validation part, and where that is small on the examples themselves.

    An example is never shown with the task that it is. `questions` are asked at most, `threads` at
    a time; `guideline` is the project's own instruction.
    """

    run: TrainingRun
    model: ChatModel
    questions: int
    threads: int
    guideline: str = ""

    def fit(self) -> LearnedPrompt:
        """Return the best candidate with its examples; of equals the one with fewer examples."""
        self._examples = self._read_examples()
        self._pool = ExamplePool(self._examples, self.run.control.name)
        self._trials = self._choose_trials()
        self._failure: TaskError | None = None
        scores: dict[Candidate, float] = {}
        for counted in (True, False):
            for candidate in list(self._candidates(scores, counted)):
                scores[candidate] = self._measure(candidate)
                if not self._report(scores):
                    return self._build(scores)
        return self._build(scores)

    def _read_examples(self) -> list[AnsweredTask]:
        found = list(read_examples(self.run, "train"))
        short = [one for one in found if count_characters(one) <= MAX_EXAMPLE_CHARACTERS]
        if found and not short:
            raise TrainingError(
                f"{self.run.control}: the annotated texts are too long to be examples: each has"
                f" over {MAX_EXAMPLE_CHARACTERS:,} characters"
            )
        if not short:
            raise TrainingError(f"{self.run.control}: no annotated task has a text and an answer")
        return short[:MAX_EXAMPLES]

    def _choose_trials(self) -> list[Trial]:
        """Return tasks of the validation part, and then of the examples, as many as are asked."""
        most = max(MIN_TRIALS, self.questions // (len(COUNTS) + len(WORDINGS)))
        known = [Trial(task) for task in read_examples(self.run, "val")]
        step = max(1, len(self._examples) // max(1, most - len(known)))
        own = [Trial(task, place) for place, task in enumerate(self._examples)][::step]
        return [*known, *own][:most]

    def _candidates(self, scores: dict[Candidate, float], counted: bool) -> Iterator[Candidate]:
        """Yield first the numbers of examples, then the wordings with the best of them."""
        if counted:
            yield from (Candidate(one) for one in COUNTS if one < len(self._examples))
        elif (best := _best(scores)).examples:
            yield from (Candidate(best.examples, wording) for wording in WORDINGS)

    def _report(self, scores: dict[Candidate, float]) -> bool:
        best = _best(scores)
        steps = len(COUNTS) + len(WORDINGS)
        latest = list(scores.values())[-1]
        return self.run.report(
            len(scores), steps, agreement=latest, best=scores[best], examples=float(best.examples)
        )

    def _measure(self, candidate: Candidate) -> float:
        """Return the mean agreement of the trials' answers; TrainingError if none was answered."""
        questions = [self._question(trial, candidate) for trial in self._trials]
        values = ask_all(self.model, questions, self.threads, self._keep_failure)
        if all(value is None for value in values) and self._failure is not None:
            raise TrainingError(f"the model has answered no question: {self._failure}")
        name = self.run.control.name
        given = property_name(self.run.control, self.run.config)
        agreed = [
            0.0
            if value is None
            else measure_agreement(self.run.control, value.get(given), trial.task.answer[name])
            for value, trial in zip(values, self._trials, strict=True)
        ]
        return sum(agreed) / len(agreed)

    def _keep_failure(self, error: TaskError) -> None:
        self._failure = error

    def _question(self, trial: Trial, candidate: Candidate) -> Question:
        control, config = self.run.control, self.run.config
        content = trial.task.content
        chosen = self._pool.choose(content, candidate.examples, trial.place)
        name = property_name(control, config)
        instruction = write_instruction((control,), config, self.guideline)
        return Question(
            instruction=add_wording(instruction, candidate.wording),
            schema=build_schema((control,), config),
            content=content,
            examples=tuple(AnsweredTask(e.content, {name: e.answer[control.name]}) for e in chosen),
        )

    def _build(self, scores: dict[Candidate, float]) -> LearnedPrompt:
        best = _best(scores)
        kept = tuple(self._examples) if best.examples else ()
        return LearnedPrompt(self.run.control.name, best.examples, best.wording, kept)


def train_prompt(
    run: TrainingRun, model: ChatModel, questions: int, threads: int, guideline: str = ""
) -> None:
    """Choose examples and wording, and write them to `run.output`; see PromptTraining."""
    learned = PromptTraining(run, model, questions, threads, guideline).fit()
    learned.write(run.output)
    settings = {
        "library": "prelabel",
        "base_model": getattr(model, "name", ""),
        "examples_per_question": learned.count,
        "examples": len(learned.examples),
        "wording": learned.wording,
    }
    (run.output / "trainer.json").write_text(json.dumps(settings), encoding="utf-8")


def ask_all(
    model: ChatModel,
    questions: Sequence[Question],
    threads: int,
    on_error: Callable[[TaskError], None],
) -> list[Any]:
    """Return the values of each answer; None where there is none, of which `on_error` is told."""

    def read(answer: Answer | TaskError) -> Any:
        if isinstance(answer, TaskError):
            on_error(answer)
            return None
        return answer.values

    def ask(question: Question) -> Any:
        try:
            return read(model.ask(question))
        except TaskError as error:
            return read(error)

    if isinstance(model, BatchedChatModel):
        return [read(answer) for answer in model.ask_all(questions)]
    with ThreadPoolExecutor(threads, "learn") as pool:
        return list(pool.map(ask, questions))


def _best(scores: dict[Candidate, float]) -> Candidate:
    """Return the first candidate of the highest score: they are tried from plain to elaborate."""
    return max(scores, key=lambda one: scores[one])
