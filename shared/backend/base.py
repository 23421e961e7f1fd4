"""The contract of a backend: what a new task type fills in."""

import importlib
import importlib.util
import inspect
from abc import abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from shared.backend.claim import Claim, ModelSpec
from shared.backend.installation import install_extra
from shared.backend.label_studio_ml import LabelStudioMLBase
from shared.errors import SettingError
from shared.label_studio.encoded_text import read_text
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task import Task
from shared.media.reader import MediaReader
from shared.pipeline.fingerprint import fingerprint
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime
from shared.results import Region
from shared.settings import BackendSettings, Settings, hold_libraries, read_settings

# What the user has just drawn, in interactive mode: {"result": [regions]}.
Context = Mapping[str, Any]


class Backend(LabelStudioMLBase):
    """A task type: reads `self.parsed_label_config` (as `self.config`), runs a model, says regions.

    A subclass writes `infer` and `regions`, usually `load` and `read`. It runs in prelabel's
    server and command line, and unchanged under label-studio-ml's own server.
    """

    name: ClassVar[str]
    """The name of its folder, of its extra in pyproject.toml and of its path on the server."""
    fills: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    """The (control tag, object tag) pairs that it fills."""
    modules: ClassVar[tuple[str, ...]] = ()
    """The modules that its extra installs; without them the backend is left out, and says so."""
    preload_modules: ClassVar[tuple[str, ...]] = ()
    """What `load` imports besides, if it is installed. The server imports all before its first
    request: an import holds the interpreter, and would leave a health check unanswered."""
    opt_in: ClassVar[bool] = False
    """Whether it serves only when named, on the command line or by `model_backend`."""
    interactive: ClassVar[bool] = False
    """Whether it answers what the user has just drawn (`context`)."""
    batch_size: ClassVar[int] = 16
    """How many items `infer` gets at the most."""
    inline: ClassVar[bool] = False
    """Whether `infer` takes less than a tenth of a millisecond and may run in several threads at
    once, such as a few rules: it then runs where it is asked, and its answers are not kept."""
    ahead: ClassVar[int] = 256
    """How many tasks of one request may be read before their turn; fewer where each is large."""
    settings_class: ClassVar[type[BackendSettings]] = BackendSettings
    """Its environment variables."""
    model_name: ClassVar[str | None] = None
    """The model that goes before the one of its settings: see `with_model`."""
    example_settings: ClassVar[Mapping[str, str]] = {}
    """Environment variables with which its example is predicted, such as a starter model."""

    def __init__(
        self, project_id: str | None = None, label_config: str | None = None, **kwargs: Any
    ) -> None:
        """Both generations: 1.x gives `train_output`, 2.x `project_id`; config is XML or None.

        Prelabel's own server says `served=True`: it asks for the version by itself.
        """
        self._served = bool(kwargs.pop("served", False))
        known = inspect.signature(LabelStudioMLBase.__init__).parameters
        if "project_id" in known:
            super().__init__(project_id=project_id, label_config=label_config)
        else:
            super().__init__(label_config=label_config, **kwargs)

    # What a task type writes

    def claim(self, config: LabelConfig) -> list[Claim]:
        """The parts of a label config that this backend fills: by default each pair in `fills`."""
        return [
            Claim((control,), target, self.spec(control), self.options(control))
            for control, target in config.pairs()
            if (control.tag, target.tag) in self.fills
        ]

    def with_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Return the claims of one step with the options that depend on their labels.

        Called for each set of labels that tasks bring (`value="$labels"`), which are then those
        of the claims' control tags: a zero-shot model, for one, is asked for what they name.
        """
        return claims

    def left(self, config: LabelConfig) -> Iterable[str]:
        """Why it leaves control tags of `config`, which nobody fills and it could have filled.

        A sentence each, with what asks for it by hand; /status and the doctor show them.
        """
        return ()

    def labels_known(self, model: Any, claim: Claim) -> int:
        """How many labels of a claim the loaded model has a class for.

        Asked where another backend's claim, which knows fewer than all, is over the same shape.
        """
        return 0

    def spec(self, control: Control) -> ModelSpec:
        """The model that fills a control tag."""
        return ModelSpec(self.name, self.name)

    def options(self, control: Control) -> Mapping[str, Any]:
        """What a control tag's attributes say about the regions, such as a threshold."""
        return {}

    def default_specs(self) -> Iterable[ModelSpec]:
        """The models to load when the server starts, before any project has asked."""
        return ()

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        """The model's files, fetched if need be; their hash is part of the version.

        ModelError says which file or name was not found, and where it was looked for.
        """
        return ()

    def load(self, spec: ModelSpec) -> Any:
        """Load the model. Called once per process and spec, never at the same time twice."""
        return None

    def read(self, task: Task, claim: Claim, context: Context | None) -> Any:
        """What the model needs of a task: by default the object tag's text or upright image.

        Called in many threads at once. Claims on one object tag with one spec share it.
        """
        if claim.object.tag == "Image":
            return self.media.image(task.text_value(claim.object), task.id)
        return read_text(task, claim.object, self.media)

    def split(self, item: Any) -> Sequence[Any]:
        """What of an item `infer` gets at a time: of one that takes long, the pages or pieces.

        Other tasks have their turns between them. After the deadline no more of them are
        inferred; asked again, those that were are known.
        """
        return (item,)

    def join(self, outputs: Sequence[Any]) -> Any:
        """The output of an item, made of those of its `parts`."""
        return outputs[0]

    def reads_inline(self, claim: Claim) -> bool:
        """Whether `read` only takes what the task itself holds: it needs no thread then."""
        target = claim.object
        own = type(self).read is not Backend.read
        return not own and target.tag != "Image" and not target.is_at_address

    def reads_ahead(self, claim: Claim) -> int:
        """How many tasks may be read before their turn, where that depends on the object tag."""
        return self.ahead

    def items_at_once(self, spec: ModelSpec) -> int:
        """How many items `infer` gets at the most, where that depends on the model."""
        return self.batch_size

    def item_size(self, item: Any) -> float:
        """How long the model takes for an item, in any unit: items of like size share batches."""
        return 1.0

    def cache_key(self, item: Any) -> Hashable | None:
        """What stands for an item: of equal ones the model is asked once, while the answer is kept.

        None for what cannot be told by its content, or is answered differently each time.
        """
        return fingerprint(item)

    @abstractmethod
    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        """Run the model on what `read` gave (or `parts` of it): as many outputs, in that order.

        Items may be of several requests, projects and label configs. Called in one thread.
        """

    @abstractmethod
    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        """What an output says to a claim, as regions. Must not change the output."""

    # What every task type has

    @property
    def config(self) -> LabelConfig:
        """The typed view of `self.parsed_label_config`."""
        if not self.label_config:
            return LabelConfig((), {})
        return LabelConfig.from_parsed(self.parsed_label_config, self.label_config)

    @property
    def settings(self) -> Any:
        """Its own settings, an instance of `settings_class`."""
        found = read_settings(self.settings_class)
        model = self.model_name
        return found if model is None else found.model_copy(update={"model": model})

    @property
    def server_settings(self) -> Settings:
        """The settings of the whole server: device, engine, folders."""
        return runtime().settings

    @property
    def media(self) -> MediaReader:
        """The one way to files and addresses that tasks name."""
        return runtime().media

    @property
    def has_weights(self) -> bool:
        """Whether its version depends on files."""
        return type(self).weights is not Backend.weights

    @classmethod
    @cache
    def with_model(cls, model: str) -> "type[Backend]":
        """The same backend with a model of that name in the place of its setting's."""
        if "model" not in cls.settings_class.model_fields:
            raise SettingError(f"{cls.name} has no choice of models")
        return type(cls.__name__, (cls,), {"model_name": model})

    @classmethod
    def import_modules(cls) -> None:
        """Import what `load` would import."""
        hold_libraries()
        for module in (*cls.modules, *cls.preload_modules):
            if _is_installed(module):
                importlib.import_module(module)

    @classmethod
    def problem(cls) -> str | None:
        """Why it cannot run here, in one sentence; None if it can."""
        missing = [name for name in cls.modules if not _is_installed(name)]
        if missing:
            return f"{cls.name} needs {', '.join(missing)}: {cls._remedy()}"
        try:
            read_settings(cls.settings_class)
        except SettingError as error:
            return f"{cls.name}: {error}"
        return None

    @classmethod
    def _remedy(cls) -> str:
        """How its modules are installed: by an extra of prelabel, or with a project of its own."""
        package = cls.__module__.partition(".")[0]
        if package == "backends":
            return f"install the extra, e.g. {install_extra(cls.name)}"
        return f"install what {package} requires, e.g. uv pip install -e . in its folder"

    def predict(
        self, tasks: list[Any], context: Context | None = None, **kwargs: Any
    ) -> list[dict[str, Any] | list[Any]]:
        """A prediction for each task, in order; `[]` for one that failed (the log says why).

        Under label-studio-ml 1.x, whose server makes versions of its own, predictions leave
        the version to it; two different ones would store every prediction again and again.
        """
        route = PredictionPlan.build(self.config, [self], named=[self.name])
        with closing(runtime().pipeline.run(route, tasks, context)) as outcomes:
            answers = [outcome.to_response(interactive=context is not None) for outcome in outcomes]
        if not hasattr(type(self), "set"):
            for answer in answers:
                if isinstance(answer, dict):
                    answer.pop("model_version", None)
        return answers

    def setup(self) -> None:
        """2.x calls this in its constructor: the version that its /setup answers."""
        if self.label_config and not self._served:
            version = PredictionPlan.build(self.config, [self], named=[self.name]).version(
                wait=True
            )
            self.set("model_version", version)

    def fit(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """No training; label-studio-ml's webhook calls this."""
        return {}


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False


def spec_options(**options: Hashable) -> tuple[tuple[str, Any], ...]:
    """Options as a ModelSpec holds them; those that are None are left out."""
    return tuple(sorted((key, value) for key, value in options.items() if value is not None))
