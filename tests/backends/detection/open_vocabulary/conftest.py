"""Models in a MODEL_DIR, each made when a test first asks for it, and predictions by them."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shared.pipeline import runtime
from shared.settings import changed_environment
from tests.backends.detection.conftest import data_url, route_of
from tests.backends.detection.open_vocabulary import word_models, word_networks

Model = Callable[[str], Path]
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def word_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the MODEL_DIR of these tests."""
    pytest.importorskip("ultralytics")
    pytest.importorskip("transformers")
    return tmp_path_factory.mktemp("word-models")


@pytest.fixture(scope="session")
def model(word_dir: Path) -> Model:
    """Return a function that makes a model by its name, or `clip`, once."""

    @cache
    def make(name: str) -> Path:
        if name.startswith("yolo"):
            return word_networks.save_word_network(
                name.removesuffix("-wordless"), word_dir, stored=not name.endswith("-wordless")
            )
        if name == "clip":
            return word_networks.save_clip(word_dir / name)
        return word_models.save_word_model(name, word_dir / name)

    return make


@pytest.fixture
def ask(model: Model, word_dir: Path) -> Iterator[Ask]:
    """Return a function that predicts the picture by a model, for the control tags of an image."""
    with changed_environment({"MODEL_DIR": str(word_dir), "ENGINE": "torch"}):
        runtime.reset_runtime()

        def answer(
            name: str,
            tags: str,
            context: Any = None,
            data: Any = None,
            image: str = 'value="$image"',
            **settings: str,
        ) -> dict[str, Any]:
            path = model(name)
            xml = f'<View><Image name="image" {image}/>{tags}</View>'
            task = {"id": 1, "data": data or {"image": data_url()}}
            with changed_environment({"DETECTION_MODEL": path.name, **settings}):
                [outcome] = runtime.runtime().pipeline.run(route_of(xml), [task], context)
            if outcome.error is not None:
                raise outcome.error
            answered = outcome.to_response(interactive=context is not None)
            assert isinstance(answered, dict)
            return answered

        yield answer
        runtime.reset_runtime()


def boxes_tag(*labels: str, **attributes: Any) -> str:
    """Return a RectangleLabels tag with labels, each a value or the attributes of a Label."""
    written = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    inner = "".join(
        f"<Label {label}/>" if "=" in label else f'<Label value="{label}"/>' for label in labels
    )
    return f'<RectangleLabels name="box" toName="image" {written}>{inner}</RectangleLabels>'
