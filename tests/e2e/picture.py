"""Takes the README's picture: `python -m tests.e2e.picture` writes docs/editor.png."""

import tempfile
from pathlib import Path

from shared.backend.example import FILES_ROOT, Example
from shared.backend.registry import find_backends
from tests.serving import served

from .conftest import DEFAULT_ENVIRONMENT
from .editor import Editor
from .label_studio import LabelStudio

REPO = Path(__file__).parents[2]


def main() -> None:
    """The example receipt in a real Label Studio, predicted by a server connected to it."""
    log = Path(tempfile.mkdtemp()) / "log"
    with LabelStudio(DEFAULT_ENVIRONMENT) as label_studio, Editor(label_studio) as editor:
        variables = {
            "LABEL_STUDIO_URL": label_studio.url,
            "LABEL_STUDIO_API_KEY": label_studio.token,
        }
        with served("ocr", log=log, **variables) as server:
            server.wait("/ready")
            config = Example.load(find_backends()["ocr"]).label_config
            project = label_studio.create_project("Receipts", config)
            label_studio.connect_backend(project, server.url)
            receipt = FILES_ROOT / "ocr" / "examples" / "receipt.png"
            [task] = label_studio.upload(project, [receipt])
            label_studio.retrieve_predictions(project)
            editor.screenshot(project, task, REPO / "docs" / "editor.png")


if __name__ == "__main__":
    main()
