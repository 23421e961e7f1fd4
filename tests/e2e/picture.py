"""Takes the README's picture: `python -m tests.e2e.picture` writes docs/playground.png."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from shared.editor.browser import FLAGS
from tests.serving import served

from .conftest import label_studio_environment
from .editor import browser

PICTURE = Path(__file__).parents[2] / "docs" / "playground.png"
SIZE = {"width": 1400, "height": 900}


def main() -> None:
    """The example of a receipt, predicted in the playground and shown in Label Studio's editor."""
    log = Path(tempfile.mkdtemp()) / "log"
    assets = {"LABEL_STUDIO_ASSETS": str(label_studio_environment())}
    with served("ocr", log=log, **assets) as server, sync_playwright() as playwright:
        server.wait("/ready")
        launched = playwright.chromium.launch(executable_path=browser(), args=list(FLAGS))
        page = launched.new_page(viewport=SIZE)  # type: ignore[arg-type]
        page.goto(f"{server.url}/pages/playground?start=ocr:0")
        page.click("#predict")
        page.wait_for_selector('iframe[data-shown="1"]', timeout=60_000)
        page.wait_for_timeout(1000)  # what the editor draws last
        page.screenshot(path=PICTURE)
        launched.close()


if __name__ == "__main__":
    main()
