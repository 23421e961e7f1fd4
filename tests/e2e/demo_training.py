"""`make demo-training`: the demo of training with a Label Studio of its own.

`python -m tests.e2e.demo_training --pictures` takes the pictures of docs/training-loop.md.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from playwright.sync_api import Page, sync_playwright

from shared.cli.demo.training import TrainingDemo, started_demo
from shared.settings import changed_environment

from .conftest import DEFAULT_ENVIRONMENT
from .editor import FLAGS, VIEWPORT, Editor, browser
from .label_studio import EMAIL, PASSWORD, LabelStudio

DOCS = Path(__file__).parents[2] / "docs"


def main() -> int:
    """Return the exit status."""
    sys.stdout.write("Starting Label Studio …\n")
    with LabelStudio(DEFAULT_ENVIRONMENT) as label_studio:
        access = {
            "LABEL_STUDIO_URL": label_studio.url,
            "LABEL_STUDIO_API_KEY": label_studio.token,
        }
        if "--pictures" in sys.argv:
            with changed_environment(access):
                take_pictures(label_studio)
            return 0
        sys.stdout.write(f"{label_studio.url}: log in as {EMAIL}, password {PASSWORD}\n")
        command = [sys.executable, "-m", "shared.cli", "demo", "--training", "--port", "0"]
        return subprocess.run(command, env=os.environ | access).returncode


def take_pictures(label_studio: LabelStudio) -> None:
    """Go through the loop, and take a picture of each step in the browser."""
    with started_demo(0, Path(mkdtemp())) as (demo, server):
        model = demo.project.connect_model(server.url)
        before = demo.project.model_version(model)
        with_page(label_studio, lambda page: press_button(page, label_studio, demo))
        demo.follow_training()
        demo.wait_for_swap(model, before)
        demo.show_predictions()
        demo.order_rest()
        with_page(label_studio, lambda page: show_order(page, label_studio, demo))
        task = next(
            prediction["task"]
            for prediction in label_studio.predictions(demo.project.number)
            if prediction["task"] in demo.unlabelled and len(prediction["result"]) >= 3
        )
        with Editor(label_studio) as editor:
            editor.screenshot(demo.project.number, task, DOCS / "training-predictions.png")
    sys.stdout.write(f"model {model}: the pictures are in {DOCS}\n")


def with_page(label_studio: LabelStudio, work: Callable[[Page], None]) -> None:
    """Open a browser that is logged in."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser(), args=list(FLAGS))
        context = launched.new_context(viewport=VIEWPORT)
        context.add_cookies(
            [
                {"name": name, "value": value, "url": label_studio.url}
                for name, value in label_studio.cookies.items()
            ]
        )
        context.set_default_timeout(60_000)
        work(context.new_page())
        launched.close()


def press_button(page: Page, label_studio: LabelStudio, demo: TrainingDemo) -> None:
    """Press "Start Training" as a user does."""
    page.goto(f"{label_studio.url}/projects/{demo.project.number}/settings/ml")
    page.get_by_label("Machine learning model options").click()
    page.get_by_text("Start Training", exact=True).click()
    button = page.get_by_role("button", name="Start Training")
    button.wait_for()
    page.wait_for_timeout(1000)  # the dialog comes in slowly
    page.screenshot(path=DOCS / "training-button.png")
    with page.expect_response("**/api/ml/*/train") as answered:
        button.click()
    if not answered.value.ok:
        raise RuntimeError(f"Label Studio answers {answered.value.status} to the button")


def show_order(page: Page, label_studio: LabelStudio, demo: TrainingDemo) -> None:
    """Take a picture of the view that `prelabel next` has made."""
    page.goto(f"{label_studio.url}/projects/{demo.project.number}/data")
    page.get_by_text("Label next").first.click()
    page.wait_for_timeout(3000)
    page.screenshot(path=DOCS / "training-next.png")


if __name__ == "__main__":
    sys.exit(main())
