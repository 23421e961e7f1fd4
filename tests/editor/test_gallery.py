"""Label Studio's own templates: predicted as docs/gallery.md says, and drawn as predicted."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.editor.assets import EditorAssets, find_assets
from shared.editor.browser import EditorBrowser
from shared.editor.comparison import find_differences
from shared.editor.drawn import read_drawing
from shared.editor.templates import Template, read_templates
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.tags import OTHER_EDITIONS, canonical_name
from shared.media.sample_files import to_data_url
from shared.pipeline.runtime import runtime
from shared.pipeline.sample_run import SampleRun, SampleRunner
from shared.settings import Settings
from tests.backends.audio.tiny_models import write_clap
from tests.backends.detection.networks import save_network
from tests.documents.gallery.__main__ import PAGE
from tests.documents.gallery.page import render_page
from tests.documents.gallery.run import MODEL, fill_templates, starter_models
from tests.documents.gallery.settings import UNFILLED, apply_settings, named_controls
from tests.e2e.compare import comparable, differences
from tests.prompt.answers import answer_schema
from tests.prompt.fault_server import Asked, FaultServer

from .conftest import REPO

PAGE_HEADING = re.compile(r"^Page \d+:", re.MULTILINE)
# Orders that are spoken, of the example of the backend that writes down what is said.
SPEECH = to_data_url(
    (REPO / "backends" / "speech" / "examples" / "orders.flac").read_bytes(), "audio/flac"
)
# Those of the networks for masks and key points, which no starter finds.
NETWORKS = {"masks.pt": "yolo11n-seg", "points.pt": "yolov8n-pose"}


def _templates() -> tuple[Template, ...]:
    folder = Path(".venv-label-studio").absolute()
    installed = folder.exists()
    return read_templates(find_assets(Settings(label_studio_assets=folder))) if installed else ()


def tag_names(config: LabelConfig) -> set[str]:
    return {canonical_name(tag.name) for tag in config.written_tags()}


def at_least_one(schema: Any) -> Any:
    """Return a schema whose lists have at least one entry, so that no tag stays empty."""
    if isinstance(schema, list):
        return [at_least_one(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    more = {"minItems": max(1, schema.get("minItems", 0))} if "items" in schema else {}
    return {key: at_least_one(part) for key, part in schema.items()} | more


def answer_fully(schema: Mapping[str, Any], asked: Asked) -> Any:
    """Answer each question; quotes are words of the task, not of the headings of its pages."""
    text = PAGE_HEADING.sub("", asked.text)
    return answer_schema(at_least_one(schema), text, 7)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, SampleRun]:
    """What was predicted of each template, by its name."""
    folder = tmp_path_factory.mktemp("networks")
    for name, network in NETWORKS.items():
        save_network(network, folder).rename(folder / name)
    with FaultServer() as server:
        server.answer = answer_fully
        models = {"PROMPT_MODEL": MODEL, "AUDIO_MODEL": str(write_clap(folder / "clap"))}
        with starter_models(folder, PROMPT_BASE_URL=server.url, **models):
            runner = SampleRunner(runtime())
            return {one.name: _run(runner, one) for one in _templates()}


def _run(runner: SampleRunner, template: Template) -> SampleRun:
    """Predict a template; where it has sound, that is someone who speaks."""
    config = apply_settings(template.name, template.label_config)
    tags = config.objects.values()
    return runner.run(config, {tag.key: SPEECH for tag in tags if tag.tag == "Audio" and tag.key})


@pytest.fixture(scope="module")
def filled(assets: EditorAssets) -> list[Any]:
    return fill_templates(read_templates(assets.folder))


def test_the_page_is_current(filled: list[Any]) -> None:
    page = PAGE.read_text("utf-8")
    assert page == render_page(filled), "run `python -m tests.documents.gallery`"


def test_every_tag_is_filled_or_has_a_reason(filled: list[Any]) -> None:
    """Each setting and each reason is about a control tag that needs it."""
    unfilled = {
        (one.template.name, control.name)
        for one in filled
        for control in one.config.controls
        if control.name not in one.filled_by
    }
    reasons = {(name, control) for name, controls in UNFILLED.items() for control in controls}
    assert unfilled == reasons
    known = {(one.template.name, c.name) for one in filled for c in one.config.controls}
    assert set(named_controls()) <= known


@pytest.mark.parametrize("template", _templates(), ids=lambda template: template.name)
def test_template_is_filled_and_drawn(
    template: Template, runs: Mapping[str, SampleRun], browser: EditorBrowser
) -> None:
    run = runs[template.name]
    assert run.failures == ()
    counts = run.count_results()
    assert [name for name in run.filled_by if not counts[name]] == []
    if not run.results or any(tag in OTHER_EDITIONS for tag in tag_names(run.config)):
        return
    browser.show(run.config, run.task)
    drawing = read_drawing(browser, 0, run.results)
    assert find_differences(run.results, drawing, run.config) == []
    sent = [comparable(result) for result in run.results]
    shown = [comparable(result) for result in drawing.given_back]
    assert differences(sent, shown) == []
