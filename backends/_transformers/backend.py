"""The base class of backends that run a transformers model on texts."""

import importlib.util
import shutil
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from backends._transformers import hub
from backends._transformers.conversion import CONVERSION_VERSION
from backends._transformers.engine import TextModel, export_text_model
from backends._transformers.model_source import ModelSource
from backends._transformers.network import Network
from shared.backend import Backend, Claim, Control, ModelSpec
from shared.backend.base import BatchLanes
from shared.backend.installation import extra_command
from shared.errors import ModelError, short_path

# What an exported model keeps of its own folder, besides the conversions: its kind, and a head.
EXPORTED_FILES = ("config.json", "pieces.safetensors")
# While the streams of an engine run one batch, the next is turned into tokens, and waits for the
# first stream that is free.
LANES = 2
# What the extra `train` installs, as far as texts need it.
TRAINING_MODULES = ("accelerate", "safetensors", "sklearn")


class TransformersBackend(Backend):
    """A backend of texts with one model, which the setting `model` names.

    A subclass sets `auto_class`, the transformers class that reads the model, and
    `starter_folder`, that of the small model for demo and tests.
    """

    modules = ("openvino", "tokenizers")
    auto_class: ClassVar[str]
    starter_folder: ClassVar[Path]
    telling_files: ClassVar[Sequence[str]] = ("config.json",)
    """The files that tell its models from others: a model's folder has one of them."""
    file_patterns: ClassVar[Sequence[str]] = hub.FILE_PATTERNS
    """The names of a model's files: only these are downloaded, and part of its version."""
    expected_models: ClassVar[str] = "config.json, tokenizer.json and model.safetensors"
    """What a model's folder has to hold, in words, for the error about one that does not."""

    def default_specs(self) -> Iterable[ModelSpec]:
        return (ModelSpec(self.name, self.settings.model),) if self.settings.model else ()

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return hub.list_files(self.find_folder(spec), self.file_patterns)

    def training_obstacle(self, claim: Claim) -> str | None:
        obstacle = super().training_obstacle(claim)
        if obstacle is not None:
            return obstacle
        if claim.control.dynamic:
            return "its labels come with each task, so there are none to learn"
        missing = [name for name in TRAINING_MODULES if importlib.util.find_spec(name) is None]
        if missing:
            command = extra_command("train")
            return f"{', '.join(missing)} not installed: install the extra, e.g. {command}"
        return None

    def describe_engine(self, model: Any) -> str:
        network = getattr(model, "network", None)  # GLiNER's model has none of ours
        return network.describe_engine() if isinstance(network, Network) else ""

    def reads_inline(self, claim: Claim) -> bool:
        return not claim.object.value_is_url

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 256

    def batch_lanes(self, spec: ModelSpec, model: Any) -> BatchLanes:
        lanes = super().batch_lanes(spec, model)
        network = getattr(model, "network", None)
        if not isinstance(network, Network) or network.runner.concurrency == 1:
            return lanes
        return lanes._replace(threads=LANES)

    def read_ahead(self, claim: Claim) -> int:
        return 1024

    def find_source(self, spec: ModelSpec) -> ModelSource:
        """Return where the model is loaded from, after downloading it if need be."""
        folder = self.find_folder(spec)
        digest = self.weights_hash(spec)
        name = f"{spec.label}-{digest[:16]}-{CONVERSION_VERSION}"
        conversions = self.server_settings.cache_dir / "openvino" / name
        return ModelSource(self.auto_class, folder, conversions, spec.label)

    def export_model(self, spec: ModelSpec, folder: Path) -> str:
        source = self.find_source(spec)
        if source.is_exported:
            raise ModelError(f"{source.name} is exported already")
        for name in EXPORTED_FILES:
            if (source.folder / name).is_file():
                shutil.copy(source.folder / name, folder / name)
        return export_text_model(self.complete_source(source)._replace(cache_folder=folder))

    def quantize_model(self, spec: ModelSpec, folder: Path, items: Iterable[Any]) -> str:
        from backends._transformers.int8 import add_int8

        source = self.complete_source(ModelSource(self.auto_class, folder, folder, spec.label))

        def infer(model: TextModel, items: list[Any]) -> Sequence[Any]:
            return self.infer(self.open_model(source, model), items)

        return add_int8(source, items, infer, self.compare_outputs)

    def check_calibration(self, items: Iterable[Any]) -> None:
        from backends._inference.quantization import check_calibration

        check_calibration(items)

    @abstractmethod
    def open_model(self, source: ModelSource, model: TextModel) -> Any:
        """Return what `infer` takes: a tokenizer and a network, with what else belongs to it."""

    @abstractmethod
    def compare_outputs(self, expected: Any, found: Any) -> float:
        """Return the largest difference of scores in two outputs for an item.

        Infinite where they answer it otherwise.
        """

    def complete_source(self, source: ModelSource) -> ModelSource:
        """Return a source with the class that reads the network in its folder."""
        return source

    def find_base(self) -> hub.TrainingBase:
        """Return what trainings begin with: the model of the setting TRAIN_BASE, else of MODEL."""
        setting = "TRAIN_BASE" if self.settings.train_base else "MODEL"
        model = self.settings.train_base or self.settings.model
        reference = hub.ModelReference(model, self._setting_name(setting), self.starter_folder)
        return hub.TrainingBase(hub.find_folder(reference, self.server_settings), model)

    def find_folder(self, spec: ModelSpec) -> Path:
        """Return the folder of a model; ModelError if there is none, or one of another kind."""
        if spec.trained_version:
            return hub.find_trained_folder(spec)
        reference = hub.ModelReference(
            spec.model, self._setting_name("MODEL"), self.starter_folder, self.file_patterns
        )
        folder = hub.find_folder(reference, self.server_settings)
        if not any((folder / name).is_file() for name in self.telling_files):
            raise ModelError(
                f"{reference.setting}={short_path(spec.model)} is a folder with"
                f" {hub.describe_folder(folder)}; expected: {self.expected_models}"
                + self.explain_folder(spec.model, folder)
            )
        return folder

    def explain_folder(self, model: str, folder: Path) -> str:
        """Return what a folder of another kind is, and what helps, as the end of a message."""
        return ""

    def _setting_name(self, name: str) -> str:
        return f"{self.settings_class.model_config['env_prefix']}{name}"


def merge_prompts(
    claims: Sequence[Claim], option: str, prompt: Callable[[Control], Iterable[str]]
) -> Sequence[Claim]:
    """Return the claims with the names that a zero-shot model is asked for in an option.

    Claims on one object tag get the names of all of them: they share one run of the model.
    """
    names: dict[str, dict[str, None]] = {}  # an ordered set for each object tag
    for claim in claims:
        names.setdefault(claim.object.name, {}).update(dict.fromkeys(prompt(claim.control)))
    return [
        replace(claim, options={**claim.options, option: tuple(names[claim.object.name])})
        for claim in claims
    ]
