"""The base class of backends that run a transformers model on texts."""

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from backends._transformers import hub
from backends._transformers.model_source import ModelSource
from backends._transformers.network import PRELOAD_MODULES
from shared.backend import Backend, Claim, Control, ModelSpec
from shared.backend.installation import extra_command

# What the extra `train` installs, as far as texts need it.
TRAINING_MODULES = ("accelerate", "safetensors", "sklearn")


class TransformersBackend(Backend):
    """A backend of texts with one model, which the setting `model` names.

    A subclass sets `auto_class`, the transformers class that reads the model, and
    `starter_folder`, that of the small model for demo and tests.
    """

    modules = ("torch", "transformers")
    preload_modules = PRELOAD_MODULES
    auto_class: ClassVar[str]
    starter_folder: ClassVar[Path]

    def default_specs(self) -> Iterable[ModelSpec]:
        return (ModelSpec(self.name, self.settings.model),) if self.settings.model else ()

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return hub.list_files(self._find_folder(spec))

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

    def reads_inline(self, claim: Claim) -> bool:
        return not claim.object.value_is_url

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 256

    def read_ahead(self, claim: Claim) -> int:
        return 1024

    def find_source(self, spec: ModelSpec) -> ModelSource:
        """Return where the model is loaded from, after downloading it if need be."""
        folder = self._find_folder(spec)
        digest = self.weights_hash(spec)
        conversions = self.server_settings.cache_dir / "openvino" / f"{spec.label}-{digest[:16]}"
        return ModelSource(self.auto_class, folder, conversions, spec.label)

    def find_base(self) -> hub.TrainingBase:
        """Return what trainings begin with: the model of the setting TRAIN_BASE, else of MODEL."""
        setting = "TRAIN_BASE" if self.settings.train_base else "MODEL"
        model = self.settings.train_base or self.settings.model
        reference = hub.ModelReference(model, self._setting_name(setting), self.starter_folder)
        return hub.TrainingBase(hub.find_folder(reference, self.server_settings), model)

    def _find_folder(self, spec: ModelSpec) -> Path:
        if spec.trained_version:
            return hub.find_trained_folder(spec)
        reference = hub.ModelReference(spec.model, self._setting_name("MODEL"), self.starter_folder)
        return hub.find_folder(reference, self.server_settings)

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
