"""The environment of the run over the gallery, and the plans of the templates in it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.backend.registry import find_backends
from shared.editor.templates import Template
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import reset_runtime, runtime
from shared.settings import changed_environment

from .settings import NETWORKS, apply_settings

# As users set it; the name means nothing to the server of the run.
MODEL = "any-model"


@dataclass(frozen=True)
class FilledTemplate:
    """Who fills the control tags of a template, by their names.

    - `config`: with what is set in it; `filled_by` is who fills it then
    - `offered_to`: who fills it without that; `alone`: without a model of `prompt`, too
    """

    template: Template
    config: LabelConfig
    filled_by: dict[str, str]
    offered_to: dict[str, str]
    alone: dict[str, str]


@contextmanager
def starter_models(model_dir: Path | None = None, **more: str) -> Iterator[None]:
    """Let all backends serve with the models of their examples, in a runtime of its own.

    `model_dir` has further weights; `more` are further environment variables.
    """
    environment: dict[str, str] = {}
    for backend in find_backends().values():
        environment |= backend.example_settings
    environment |= {"MODEL_DIR": str(model_dir)} if model_dir else {}
    planner = logging.getLogger("shared.pipeline.planner")
    with changed_environment({**environment, **more}):
        reset_runtime()
        planner.setLevel(logging.CRITICAL)  # what it would say stands in the table
        try:
            yield
        finally:
            planner.setLevel(logging.NOTSET)
            reset_runtime()


def fill_templates(templates: tuple[Template, ...]) -> list[FilledTemplate]:
    """Plan each template with and without what is set in it; no model is loaded."""
    with starter_models(PROMPT_MODEL=""):
        alone = [_plan(LabelConfig.parse(one.label_config)) for one in templates]
    with (
        TemporaryDirectory() as folder,
        starter_models(Path(folder), PROMPT_MODEL=MODEL, PROMPT_BASE_URL="http://127.0.0.1:9/v1"),
    ):
        for name in NETWORKS:  # a plan asks only whether the weights are there
            Path(folder, name).touch()
        return [
            FilledTemplate(
                template,
                config := apply_settings(template.name, template.label_config),
                _plan(config),
                _plan(LabelConfig.parse(template.label_config)),
                without_prompt,
            )
            for template, without_prompt in zip(templates, alone, strict=True)
        ]


def _plan(config: LabelConfig) -> dict[str, str]:
    backends = [
        backend(label_config=config.xml, served=True)
        for backend in find_backends().values()
        if backend.unavailable_reason() is None
    ]
    return runtime().planner.plan(config, backends).filled_by()
