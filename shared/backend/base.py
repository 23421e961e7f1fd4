"""The contract of a backend: what a new model type fills in."""

import importlib
import importlib.util
import inspect
import logging
import os
from abc import abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from shared.backend.annotated_examples import AnnotatedExamples
from shared.backend.asked_question import AskedQuestion, GivenAnswer
from shared.backend.claim import Claim, ModelSpec
from shared.backend.editor_event import EditorEvent
from shared.backend.embedding import describe_items
from shared.backend.installation import extra_command
from shared.backend.label_studio_ml import LabelStudioMLBase, SmallBase
from shared.backend.process_resources import Resources, shared_resources
from shared.backend.training import TrainedWeights, TrainingError, TrainingRun
from shared.errors import ModelError, SettingError
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag
from shared.label_studio.task import Task
from shared.media.reader import MediaReader
from shared.results import Omission, ParsedRegion, Region, Result
from shared.settings import BackendSettings, Settings, read_settings, restrain_libraries

logger = logging.getLogger(__name__)

# What the user has just drawn, in interactive mode: {"result": [regions]}.
Context = Mapping[str, Any]


class BatchLanes(NamedTuple):
    """Threads that form batches for one model, each of at most so many items."""

    threads: int
    max_items: int


# Loaded by name where a backend runs without our server: the pipeline stands above this package.
STANDALONE_MODULE = "shared.pipeline.standalone"


class Backend(LabelStudioMLBase):
    """A model type: fills control tags of a label config with the regions that a model finds.

    A subclass lives in `backends/<name>/` and does four things:

    1. `fills` names the (control tag, object tag) pairs that it fills;
    2. `load` loads the model, once in a process (none is needed for a few rules);
    3. `infer` runs the model on a batch of items, by default each the text or image of a task;
    4. `regions` turns the output for one item into regions: pixels, characters or seconds in,
       Label Studio's format out.

    A complete backend, which marks the first word of each text:

        from shared.backend import Backend
        from shared.results import TextSpan, region

        class FirstWord(Backend):
            name = "first_word"
            fills = frozenset({("Labels", "Text")})

            def infer(self, model, items):
                return [(text, len(text.split(" ")[0])) for text in items]

            def regions(self, output, claim):
                text, end = output
                for label in claim.labels_for(["Word"]).values():
                    yield region(TextSpan(0, end), {claim.control: [label]}, source=text)

    Everything else is optional, and grouped below by when it is needed. Backends run in prelabel's
    server and command line, and unchanged under label-studio-ml's own server.
    """

    name: ClassVar[str]
    """The name of its folder, of its extra in pyproject.toml and of its path on the server."""
    fills: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    """The (control tag, object tag) pairs that it fills."""
    modules: ClassVar[tuple[str, ...]] = ()
    """The modules that its extra installs. Without them it is left out, with a message."""
    preload_modules: ClassVar[tuple[str, ...]] = ()
    """Further modules that `load` imports. The server imports them before it loads its first model:
    libraries are then not taken for a part of what the model takes of the memory."""
    opt_in: ClassVar[bool] = False
    """Whether it serves only when named, on the command line or by `model_backend`."""
    fills_rest: ClassVar[bool] = False
    """Whether it is offered only the control tags that no other backend fills, and those whose
    `model_backend` names it."""
    reads_whole_task: ClassVar[bool] = False
    """Whether the model is shown all object tags of a task, whichever a control tag is on."""
    interactive: ClassVar[bool] = False
    """Whether it predicts in interactive mode, from what the user has just drawn (`context`)."""
    inline: ClassVar[bool] = False
    """Whether `infer` takes under 0.1 ms and is thread-safe, such as a few rules: it then runs in
    the requesting thread, without a queue, and its outputs are not cached."""
    settings_class: ClassVar[type[BackendSettings]] = BackendSettings
    """Its environment variables."""
    model_name: ClassVar[str | None] = None
    """The model that takes the place of that of its settings, as in `ner:dslim/bert-base-NER`."""
    dataset_format: ClassVar[str | None] = None
    """The format of the dataset that `train` reads, such as `yolo` or `hf`; None: no training."""
    example_settings: ClassVar[Mapping[str, str]] = {}
    """Environment variables under which its example is predicted, such as a starter model."""

    def __init__(
        self, project_id: str | None = None, label_config: str | None = None, **kwargs: Any
    ) -> None:
        """Accept the arguments of label-studio-ml 1.x (`train_output`) and 2.x (`project_id`).

        `label_config` is XML or None. Our own server passes `served=True` and asks for the model
        version by itself. `trained_weights` are a project's own, by the names of the control tags
        that they fill. `examples` are what its annotators have drawn; None where nobody has looked.
        """
        self._served = bool(kwargs.pop("served", False))
        self.trained_weights: Mapping[str, TrainedWeights] = kwargs.pop("trained_weights", {})
        self.examples: AnnotatedExamples | None = kwargs.pop("examples", None)
        self._known_resources: Resources | None = None
        known = inspect.signature(LabelStudioMLBase.__init__).parameters
        if "project_id" in known:
            super().__init__(project_id=project_id, label_config=label_config)
        else:
            super().__init__(label_config=label_config, **kwargs)

    # The model

    def load(self, spec: ModelSpec) -> Any:
        """Load the model. Called once in a process for each spec, never twice at the same time."""
        return None

    @abstractmethod
    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        """Run the model on items (what `split` makes of what `read` returns).

        Returns one output for each item, in the same order; a TaskError in place of an output
        costs that item alone. The items may come from several requests, projects and label
        configs. Always called in the same thread, unless `batch_lanes` or `concurrent_calls`
        say otherwise.
        """

    @abstractmethod
    def regions(self, output: Any, claim: Claim) -> Iterable[Region | Omission]:
        """Turn the output for a task into the regions of one claim, without changing the output.

        An Omission among them says what the model answered and no region can hold.
        """

    # Optional: which control tags, with which model

    def claim(self, config: LabelConfig) -> list[Claim]:
        """Return what this backend fills in a label config: by default each pair in `fills`.

        Override it to fill several control tags together, such as a box and its transcription.
        """
        return [
            Claim((control,), target, self.spec(control), self.options(control))
            for control, target in config.tag_pairs()
            if (control.tag, target.tag) in self.fills
        ]

    def spec(self, control: Control) -> ModelSpec:
        """Return the model that fills a control tag, with all options that change how it runs."""
        return ModelSpec(self.name, self.name)

    def options(self, control: Control) -> Mapping[str, Any]:
        """Return what a control tag's attributes ask of the regions, such as a threshold."""
        return {}

    def with_task_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Return claims with the options that depend on labels, such as a zero-shot prompt.

        Called for each set of labels that tasks bring (`value="$labels"`); the claims' control
        tags have those labels.
        """
        return claims

    def explain_unfilled(self, config: LabelConfig) -> Iterable[str]:
        """Yield why it leaves control tags that nobody fills and that it could have filled.

        One sentence each, with what the user can do; shown by /status and the doctor.
        """
        return ()

    def count_known_labels(self, model: Any, claim: Claim) -> int:
        """Return for how many labels of a claim the loaded model has a class.

        Called where two backends claim the same control tag and the first does not know all of
        its labels: the one that knows more gets it.
        """
        return 0

    # Optional: weights

    def default_specs(self) -> Iterable[ModelSpec]:
        """Return the models to load at the start, before any project has asked."""
        return ()

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        """Return the model's files, fetched if need be; their hash is part of the model version.

        Raises ModelError with the file or name that is missing, and where it was looked for.
        """
        return ()

    def export_model(self, spec: ModelSpec, folder: Path) -> str:
        """Write a model into an empty folder as it runs without the library that it was made with.

        The folder can then be named in place of the model. Returns on what it runs, for people.
        Raises ModelError if that cannot be done.
        """
        raise ModelError(f"{self.name} has no models that can be exported")

    def quantize_model(self, spec: ModelSpec, folder: Path, items: Iterable[Any]) -> str:
        """Add a copy in int8 to a model that `export_model` has written; return on what it runs.

        `items` are what `read` returned for tasks such as those to come: some of them calibrate
        the copy, and on the others it has to agree. Raises RefusedPrecisionError if it does not,
        or is not faster, which the folder then says, and ModelError with what is missing.
        """
        raise ModelError(f"{self.name} has no models that run in int8")

    def check_calibration(self, items: Iterable[Any]) -> None:
        """Raise ModelError if `quantize_model` could not even try with such items.

        It is called before the model is converted, which takes minutes; `items` are read as far as
        that takes.
        """

    # Optional: training from annotations

    def train(self, run: TrainingRun) -> None:
        """Train a model on the dataset at `run.dataset`, and write its weights to `run.output`.

        Called in a process of its own, which holds no other model. Call `run.report` after each
        epoch. Raise TrainingError with what is missing or what went wrong.

        A backend that overrides it also sets `dataset_format` (or returns one for each claim, by
        `dataset_format_for`), and its `spec` returns `trained_spec(control)` where that is not
        None.
        """
        raise TrainingError(f"{self.name} cannot be trained")

    def training_obstacle(self, claim: Claim) -> str | None:
        """Return why a claim cannot be trained; None if it can."""
        if self.dataset_format_for(claim) is None:
            return f"{self.name} cannot be trained"
        return None

    def dataset_format_for(self, claim: Claim) -> str | None:
        """Return the format of the dataset that `train` reads for a claim: `dataset_format`.

        Override it where control tags are trained from different formats.
        """
        return self.dataset_format

    def training_controls(self, claim: Claim) -> Sequence[Control]:
        """Return further control tags that a claim is learned from, such as the boxes of poses."""
        return ()

    def training_claims(self, claim: Claim) -> Sequence[Claim]:
        """Return what is trained of a claim, each by itself: by default the claim as it is.

        Override it where control tags that are filled together learn apart.
        """
        return (claim,)

    def training_objects(self, claim: Claim) -> Sequence[ObjectTag]:
        """Return further object tags whose content the dataset of a claim holds."""
        return ()

    def trained_spec(self, control: Control) -> ModelSpec | None:
        """Return the spec of the project's own weights for a control tag, if it has any."""
        own = self.trained_weights.get(control.name)
        if own is None or own.backend != self.name:
            return None
        return ModelSpec(self.name, str(own.folder), trained_version=own.version)

    # Optional: what the model gets of a task

    def read(self, task: Task, claim: Claim, context: Context | None) -> Any:
        """Return what the model needs of a task: by default the text (`str`), or the image.

        An `Image` is upright: `pixels` is an array of shape (height, width, 3), RGB, uint8.

        Called in many threads at once. Claims on one object tag with one spec share the result.
        """
        if claim.object.tag == "Image":
            return self.media.read_image(task.text_value(claim.object), task.id)
        return task.read_text(claim.object, self.media)

    def read_prompted(self, task: Task, claim: Claim, regions: Sequence[ParsedRegion]) -> Any:
        """Return what the model needs of a task to answer regions that other backends found on it.

        Called in place of `read` for claims that are `prompted_by` other control tags, where these
        are filled: `regions` are theirs, in pixels.
        """
        raise NotImplementedError(f"{self.name} claims to be prompted by regions")

    def answers(self, context: Context, claims: Sequence[Claim]) -> bool:
        """Return whether it predicts from what the user has just drawn: `interactive`.

        Override it where that depends on what was drawn or typed, or on the claims of a step.
        """
        return self.interactive

    def answer_event(self, event: EditorEvent) -> Sequence[Result] | None:
        """Return the results that answer an event of the editor, as they are to be sent.

        None, the default, for an event that it leaves to the regions that it predicts: those that
        the context has drawn are then read as ever. A TaskError says what is wrong with the event.
        """
        return None

    def reads_inline(self, claim: Claim) -> bool:
        """Return whether `read` needs only what the task itself holds, so no thread."""
        target = claim.object
        overridden = type(self).read is not Backend.read
        return not overridden and target.tag != "Image" and not target.value_is_url

    def split(self, item: Any) -> Sequence[Any]:
        """Return the parts of an item that `infer` gets one at a time, such as pages.

        Override it where an item takes seconds: other tasks run between the parts, and after the
        deadline no further part runs. Finished parts are cached for the next request.
        """
        return (item,)

    def join(self, outputs: Sequence[Any]) -> Any:
        """Return the output for an item from the outputs for its parts."""
        return outputs[0]

    # Optional: performance

    def describe_engine(self, model: Any) -> str:
        """Return what a loaded model runs on, and why on nothing faster; "" if that goes unsaid.

        Such as "OpenVINO in f32: this CPU has no bf16". Shown by /status and the overview page.
        """
        return ""

    def max_batch_size(self, spec: ModelSpec) -> int:
        """Return how many items `infer` gets at most."""
        return 16

    def batch_lanes(self, spec: ModelSpec, model: Any) -> BatchLanes:
        """Return in how many threads `infer` gets batches of a loaded model, and how large ones.

        Several are for an engine that runs some inputs at once: while a lane's batch ends, or is
        prepared, the engine works for the others. By default batches of `max_batch_size`, one
        after the other.
        """
        return BatchLanes(1, self.max_batch_size(spec))

    def concurrent_calls(self, spec: ModelSpec) -> int:
        """Return how many items `infer` gets at the same time, each alone and in its own thread.

        For models on another machine, which are waited for: an item that takes long or fails
        holds up no other. 0, the default: batches, one after the other.
        """
        return 0

    def read_ahead(self, claim: Claim) -> int:
        """Return how many tasks of a request are read in advance; fewer where each is large."""
        return 256

    def item_size(self, item: Any) -> float:
        """Return how long an item takes, in any unit: items of similar size share batches."""
        return 1.0

    def cache_key(self, item: Any) -> Any:
        """Return what identifies an item: equal ones are inferred once while the output is cached.

        By default the item itself, which is compared by a hash of its content. None for an item
        that is inferred each time.
        """
        return item

    def check_model(self) -> str | None:
        """Ask the model on another machine that the settings name; say in a sentence what it can.

        None if they name none. Raises PrelabelError with what is wrong. For `prelabel doctor`.
        """
        return None

    # Optional: language models

    def describe_question(self, item: Any, spec: ModelSpec) -> AskedQuestion | None:
        """Return what a language model is asked for an item; None if none is asked.

        For `prelabel prompt`, which shows it. No model is loaded, and nothing is sent.
        """
        return None

    def describe_answer(self, output: Any) -> GivenAnswer | None:
        """Return what a language model answered; None if the output is no such answer."""
        return None

    # Optional: what to label next

    def embed(self, model: Any, items: list[Any], claims: Sequence[Claim]) -> Any:
        """Return a vector for each item, shape (items, dimensions): close for similar items.

        For `prelabel next --strategy diverse`; called by nothing else. By default the texts, the
        images and the numbers in the item, with the labels that the model finds. Override it to
        return what the model makes of the item inside, such as its last hidden state.
        """
        return describe_items(self, model, items, claims)

    # Given to every backend

    @property
    def config(self) -> LabelConfig:
        """The typed view of `self.parsed_label_config`; of the XML where only that is known."""
        if not self.label_config:
            return LabelConfig((), {})
        if isinstance(self, SmallBase):  # the SDK's parser takes lxml, which an image may lack
            return LabelConfig.parse(self.label_config)
        return LabelConfig.from_parsed(self.parsed_label_config, self.label_config)

    @property
    def settings(self) -> Any:
        """Its own settings, an instance of `settings_class`."""
        settings = read_settings(self.settings_class)
        if self.model_name is None:
            return settings
        return settings.model_copy(update={"model": self.model_name})

    @property
    def server_settings(self) -> Settings:
        """The settings of the whole server: device, engine, folders."""
        return self._resources.settings

    @property
    def media(self) -> MediaReader:
        """Reads the files and addresses that tasks name."""
        return self._resources.media

    def weights_hash(self, spec: ModelSpec) -> str:
        """Return the hash of the model's files; raises what `weights` raises."""
        return self._resources.weights_hashes.compute(self, spec)

    def count_tokens(self, spec: ModelSpec, prompt: int, completion: int) -> None:
        """Count what a request to a language model took, for /metrics and /status.

        It is counted for the project whose tasks are being predicted, where `concurrent_calls`
        are made; else for none, since a batch may have items of several.
        """
        self._resources.token_counts.add(spec.label, prompt, completion)

    @property
    def _resources(self) -> Resources:
        """The resources of this process, looked up again after a fork or a reset."""
        known = self._known_resources
        if known is None or known.is_closed or known.pid != os.getpid():
            known = self._known_resources = shared_resources()
        return known

    def score_threshold(self, *controls: Control) -> float:
        """Return `model_score_threshold` of the last tag that has it, else the setting's value."""
        threshold: float = self.settings.score_threshold
        for control in controls:
            threshold = control.get_number("model_score_threshold", threshold, low=0, high=1)
        return threshold

    @property
    def has_weights(self) -> bool:
        """Whether its version depends on files."""
        return type(self).weights is not Backend.weights

    @classmethod
    @cache
    def with_model(cls, model: str) -> "type[Backend]":
        """Return this backend with another model in place of that of its settings."""
        if "model" not in cls.settings_class.model_fields:
            raise SettingError(f"{cls.name} has no choice of models")
        return type(cls.__name__, (cls,), {"model_name": model})

    @classmethod
    def needed_modules(cls) -> Iterable[str]:
        """Return what the server imports before it loads the models of its start.

        Override it where that depends on the settings.
        """
        return (*cls.modules, *cls.preload_modules)

    @classmethod
    def import_modules(cls) -> None:
        """Import what `load` would import."""
        restrain_libraries()
        for module in cls.needed_modules():
            if _is_installed(module):
                importlib.import_module(module)

    @classmethod
    def unavailable_reason(cls) -> str | None:
        """Return in one sentence why it cannot run here; None if it can."""
        missing = [name for name in cls.modules if not _is_installed(name)]
        if missing:
            return f"{cls.name} needs {', '.join(missing)}: {cls._install_hint()}"
        try:
            read_settings(cls.settings_class)
        except SettingError as error:
            return f"{cls.name}: {error}"
        return None

    @classmethod
    def model_variable(cls) -> str:
        """Return the environment variable that names its model."""
        return f"{cls.settings_class.model_config.get('env_prefix') or ''}MODEL"

    @classmethod
    def idle_reason(cls) -> str | None:
        """Return in one sentence why it would fill nothing of any label config; None if it would.

        Override it where a setting must be made first, and `unavailable_reason` asks for none.
        """
        return None

    @classmethod
    def _install_hint(cls) -> str:
        """Return how its modules are installed: by an extra of prelabel, or with its project."""
        package = cls.__module__.partition(".")[0]
        if package == "backends":
            return f"install the extra, e.g. {extra_command(cls.name)}"
        return f"install what {package} requires, e.g. uv pip install -e . in its folder"

    # Called by label-studio-ml's own server

    def predict(
        self, tasks: list[Any], context: Context | None = None, **kwargs: Any
    ) -> list[dict[str, Any] | list[Any]]:
        """Return a prediction for each task, in order; `[]` for a failed one (see the log).

        The server of label-studio-ml 1.x makes model versions of its own, so predictions carry
        none: two different ones would store every prediction again and again.
        """
        answers = importlib.import_module(STANDALONE_MODULE).predict(self, tasks, context)
        if not hasattr(type(self), "set"):
            for answer in answers:
                if isinstance(answer, dict):
                    answer.pop("model_version", None)
        return list(answers)

    def setup(self) -> None:
        """Set the model version that /setup returns; called by the constructor of 2.x."""
        if self.label_config and not self._served:
            standalone = importlib.import_module(STANDALONE_MODULE)
            self.set("model_version", standalone.model_version(self))

    def fit(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Say that this server does not train, and do nothing. Called by label-studio-ml's own."""
        if type(self).train is not Backend.train:
            logger.warning(
                "%s is not trained: label-studio-ml's server trains inside a web request. Serve it"
                " by `prelabel serve`, whose trainings have a process of their own",
                self.name,
            )
        return {}


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False


def spec_options(**options: Hashable) -> tuple[tuple[str, Any], ...]:
    """Return options as a ModelSpec holds them: sorted, without those that are None."""
    return tuple(sorted((key, value) for key, value in options.items() if value is not None))
