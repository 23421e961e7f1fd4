"""Models of other libraries in a MODEL_DIR, and predictions of the drawn picture by them."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shared.pipeline import runtime
from shared.settings import changed_environment
from tests.backends.detection.box_models.transformers_models import save_detector
from tests.backends.detection.conftest import data_url, route_of

MakeModel = Callable[[str], Path]
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def box_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the MODEL_DIR of these tests."""
    pytest.importorskip("transformers")
    return tmp_path_factory.mktemp("box-models")


@pytest.fixture(scope="session")
def make_detector(box_model_dir: Path) -> MakeModel:
    """Return a function that makes a small detector of transformers by its family, once."""
    return cache(lambda family: save_detector(family, box_model_dir / family))


@pytest.fixture
def ask(box_model_dir: Path) -> Iterator[Ask]:
    """Return a function that predicts the picture by a model, for the control tags of an image."""
    with changed_environment({"MODEL_DIR": str(box_model_dir)}):
        runtime.reset_runtime()

        def answer(
            name: str, tags: str, data: Any = None, shown: str = "", **settings: str
        ) -> dict[str, Any]:
            xml = f"<View>{shown or _IMAGE}{tags}</View>"
            task = {"id": 1, "data": data or {"image": data_url()}}
            with changed_environment({"DETECTION_MODEL": name, **settings}):
                [outcome] = runtime.runtime().pipeline.run(route_of(xml), [task])
            if outcome.error is not None:
                raise outcome.error
            answered = outcome.to_response()
            assert isinstance(answered, dict)
            return answered

        yield answer
        runtime.reset_runtime()


_IMAGE = '<Image name="image" value="$image"/>'
