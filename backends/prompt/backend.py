"""The prompt backend: a label config becomes a question, and its typed answer the regions."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from backends.prompt.claims import claim_controls, explain_left
from backends.prompt.content import ContentLimits, read_content
from backends.prompt.content.reading import Reading
from backends.prompt.description import describe_answer, describe_question
from backends.prompt.instruction import read_guideline
from backends.prompt.learning.learnable import find_obstacle, other_texts, split_claim
from backends.prompt.learning.learned_prompt import LearnedPrompt, read_learned
from backends.prompt.models import (
    BatchedChatModel,
    ChatModel,
    check_server,
    is_local,
    list_local_files,
    load_local_model,
    needed_modules,
    open_model,
)
from backends.prompt.models.openai_model import OpenAIModel
from backends.prompt.models.starter_model import STARTER
from backends.prompt.question import Answer, Question, TokenUsage
from backends.prompt.questions import QuestionMaker, merge_answers
from backends.prompt.regions import build_regions
from backends.prompt.requests import read_request
from backends.prompt.settings import PromptSettings
from backends.prompt.user_regions import (
    USER_REGIONS,
    build_user_regions,
    read_user_regions,
)
from backends.prompt.windows import split_question
from shared.backend import (
    Backend,
    BackendSettings,
    Claim,
    Context,
    LabelConfig,
    ModelSpec,
    ObjectTag,
    Task,
    TrainingRun,
    UnfillableError,
)
from shared.backend.asked_question import AskedQuestion, GivenAnswer
from shared.errors import ConfigError, ModelError, TaskError
from shared.results import Omission, Region
from shared.settings import read_settings

logger = logging.getLogger(__name__)


class PromptBackend(Backend):
    """Fills what no other backend fills, by asking a language or vision model."""

    name = "prompt"
    fills_rest = True
    reads_whole_task = True
    interactive = True
    dataset_format = "jsonl"
    example_settings: ClassVar[Mapping[str, str]] = {"PROMPT_MODEL": STARTER}
    settings_class: ClassVar[type[BackendSettings]] = PromptSettings

    def claim(self, config: LabelConfig) -> list[Claim]:
        """Return one claim of all control tags that are left, across object tags."""
        settings: PromptSettings = self.settings
        if not settings.model:
            return []
        spec = ModelSpec(self.name, settings.model)
        return claim_controls(config, spec, settings, self._read_learned(config))

    @classmethod
    def needed_modules(cls) -> Iterable[str]:
        """Return what the model that is set needs: a server without one imports nothing."""
        model = cls.model_name or read_settings(PromptSettings).model
        return needed_modules(ModelSpec(cls.name, model))

    @classmethod
    def idle_reason(cls) -> str | None:
        """Return what to set, if there is no model to ask."""
        if cls.model_name or read_settings(PromptSettings).model:
            return None
        return "prompt asks nobody: set PROMPT_MODEL to a language model, see docs/prompt.md"

    def default_specs(self) -> Iterable[ModelSpec]:
        """Return the model that is set, so that it is ready before the first task."""
        model = self.settings.model
        return (ModelSpec(self.name, model),) if model else ()

    def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
        """Yield what a model could fill, and why the rest is left."""
        return explain_left(config, self.settings)

    def load(self, spec: ModelSpec) -> ChatModel:
        """Return the model that is asked."""

        def count_tokens(usage: TokenUsage) -> None:
            self.count_tokens(spec, usage.prompt, usage.completion)

        if not is_local(spec):
            return open_model(spec, self.settings, self.server_settings, count_tokens)
        digest = self.weights_hash(spec)
        return load_local_model(spec, self.settings, self.server_settings, digest, count_tokens)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        """Return the files of a model that runs in this process."""
        return list_local_files(spec, self.server_settings) if is_local(spec) else ()

    # Learning from examples

    def train(self, run: TrainingRun) -> None:
        """Choose examples and a wording with which the model answers better."""
        from backends.prompt.learning.training import train_prompt

        settings: PromptSettings = self.settings
        model = self.load(ModelSpec(self.name, settings.model))
        guideline = read_guideline(settings.instruction)
        try:
            train_prompt(run, model, settings.train_questions, settings.concurrency, guideline)
        finally:
            if isinstance(model, OpenAIModel):
                model.close()

    def training_claims(self, claim: Claim) -> Sequence[Claim]:
        """Return a claim for each control tag: each has examples of its own."""
        return tuple(split_claim(claim, self.config))

    def training_objects(self, claim: Claim) -> Sequence[ObjectTag]:
        """Return the other texts of a task, which its examples show, too."""
        return other_texts(claim, self.config)

    def training_obstacle(self, claim: Claim) -> str | None:
        """Return why a control tag cannot learn from examples."""
        return find_obstacle(claim)

    def _read_learned(self, config: LabelConfig) -> Mapping[str, LearnedPrompt]:
        """Return what the control tags of a label config have learned, by their names."""
        learned = {}
        for control in config.controls:
            own = self.trained_weights.get(control.name)
            if own is None or own.backend != self.name:
                continue
            try:
                learned[control.name] = read_learned(own.folder, own.version)
            except ModelError as error:
                raise ConfigError(f"{control}: {error}", control.name) from None
        return learned

    def check_model(self) -> str | None:
        """Ask a small question of the model on a server, if one is set."""
        settings: PromptSettings = self.settings
        spec = ModelSpec(self.name, settings.model)
        if spec.model in {"", STARTER} or is_local(spec):
            return None
        return check_server(settings, self.server_settings)

    def concurrent_calls(self, spec: ModelSpec) -> int:
        """Return how many questions a server gets at once; a model in this process has batches."""
        return 0 if is_local(spec) else self.settings.concurrency

    def reads_inline(self, claim: Claim) -> bool:
        """Pictures are fetched, and texts may be."""
        return False

    def read(self, task: Task, claim: Claim, context: Context | None) -> tuple[Question, ...]:
        """Return the questions about a task; none if a context asks for nothing.

        In interactive mode the annotator has written into a TextArea what is asked for, or has
        drawn a region of which something can be said.
        """
        config, settings = claim.task_config or self.config, self.settings
        request = "" if context is None else read_request(context, config, settings)
        of_regions = context is not None and not request
        if not any(control.per_region is of_regions for control in claim.controls):
            return ()
        limits = ContentLimits.from_settings(settings)
        content = read_content(task, claim.controls, config, self.media, limits)
        for sentence in content.omitted:
            logger.warning("Task %s: prompt: %s", task.id, sentence)
        maker = QuestionMaker(config, settings, self._read_learned(config))
        if context is not None and of_regions:
            reading = Reading(task, claim.controls, config, self.media, limits)
            regions = read_user_regions(context, reading, content.sources)
            return maker.make_about_regions(regions, content)
        questions = maker.make(claim.controls, content, request)
        if not questions:
            names = ", ".join(map(str, claim.controls))
            raise UnfillableError(f"The task has no labels or items for {names} to choose from")
        return questions

    def split(self, item: tuple[Question, ...]) -> Sequence[Question]:
        """Return the questions, of a long text one for each window."""
        most = self.settings.context_tokens
        return [part for question in item for part in split_question(question, most)]

    def join(self, outputs: Sequence[Answer]) -> Answer | None:
        """Return one answer from those to all questions; None if nothing was asked."""
        return merge_answers(outputs)

    def infer(self, model: ChatModel, items: list[Question]) -> Sequence[Answer | TaskError]:
        """Ask the model."""
        answers: Sequence[Answer | TaskError]
        if isinstance(model, BatchedChatModel):
            answers = model.ask_all(items)
        else:
            answers = [model.ask(item) for item in items]
        return [one.without_files() if isinstance(one, Answer) else one for one in answers]

    def regions(self, output: Answer | None, claim: Claim) -> Iterable[Region | Omission]:
        """Return the regions that the answer means, and what of it no region can hold."""
        config = claim.task_config or self.config
        if output is None:
            if all(control.per_region for control in claim.controls):
                names = ", ".join(map(str, claim.controls))
                raise UnfillableError(f"The annotator drew no region that {names} could describe")
            return ()
        if USER_REGIONS in output.question.sources:
            return build_user_regions(output, claim, config)
        return build_regions(output, claim, config)

    def describe_question(self, item: Question, spec: ModelSpec) -> AskedQuestion:
        """Return the question as people read it."""
        return describe_question(item, spec, self.settings, self.server_settings)

    def describe_answer(self, output: Answer) -> GivenAnswer:
        """Return the answer as people read it."""
        return describe_answer(output)
