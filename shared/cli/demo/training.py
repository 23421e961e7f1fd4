"""`prelabel demo --training`: annotations become a model, in a real Label Studio."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from shared.cli.demo.demo_project import DemoProject
from shared.cli.demo.server import DemoServer, console, start_server
from shared.settings import Settings, read_settings

if TYPE_CHECKING:
    from shared.jobs.job import Job

ANNOTATED_COUNT, UNLABELLED_COUNT = 60, 40
# There is a job this long after the button at most.
JOB_TIMEOUT_SECONDS = 30.0
# A server looks for new weights every few seconds, and loads them.
SWAP_TIMEOUT_SECONDS = 60.0
# Nobody wants to watch the hour that is the setting's default.
MAX_MINUTES = 10


@dataclass(frozen=True)
class TrainingDemo:
    """A project with drawn pictures, of which some are annotated, and the server's folder."""

    project: DemoProject
    settings: Settings
    unlabelled: list[int] = field(default_factory=list)

    def fill_project(self) -> None:
        """Upload the pictures, and annotate the first ones through the API."""
        from rich.progress import track

        from shared.cli.demo.training_data.shapes import draw_picture

        pictures = [draw_picture(seed) for seed in range(ANNOTATED_COUNT + UNLABELLED_COUNT)]
        files = [(f"shapes-{number:03}.png", one.png()) for number, one in enumerate(pictures)]
        tasks = self.project.upload(files)
        self.unlabelled.extend(tasks[ANNOTATED_COUNT:])
        annotated = list(zip(tasks, pictures, strict=True))[:ANNOTATED_COUNT]
        for task, picture in track(annotated, "Annotating", console=console):
            self.project.annotate(task, picture.results())
        labels = Counter(label for _, picture in annotated for label in picture.labels)
        shown = ", ".join(f"{count} {label}" for label, count in labels.items())
        console.print(f"{len(annotated)} of {len(tasks)} pictures are annotated: {shown}")

    def press_button(self, model: int) -> None:
        """Press "Start Training"."""
        self.project.start_training(model)
        console.print('[bold]"Start Training" is pressed[/]')

    def follow_training(self) -> None:
        """Show the progress of the training that the button has started."""
        from shared.cli.jobs import follow_job

        job = follow_job(self.settings, self.find_job().id)
        if job.state.value != "done":
            raise typer.Exit(1)
        controls = (job.result or {}).get("controls", [])
        if not any(one.get("state") == "serving" for one in controls):
            for one in controls:
                console.print(f"[red]{one.get('control')}[/] is not served: {one.get('reason')}")
            raise typer.Exit(1)

    def find_job(self) -> "Job":
        """Return the job that the button has started."""
        from shared.jobs.job_store import JobStore

        until = time.monotonic() + JOB_TIMEOUT_SECONDS
        while time.monotonic() < until:
            # the folder has the jobs of earlier demos, too
            for job in JobStore(self.settings.train_dir).list_jobs():
                if job.key == self.project.key:
                    return job
            time.sleep(0.2)
        console.print("[red]No training was started.[/]")
        raise typer.Exit(1)

    def wait_for_swap(self, model: int, before: str) -> None:
        """Wait until Label Studio sees another model version than before, and print it."""
        until = time.monotonic() + SWAP_TIMEOUT_SECONDS
        while (version := self.project.model_version(model)) == before:
            if time.monotonic() > until:
                console.print(f"The server still says {before}: the new weights are no better.")
                raise typer.Exit(1)
            time.sleep(0.5)
        console.print(f"The server says [bold]{version}[/] instead of {before}")

    def show_predictions(self) -> None:
        """Retrieve predictions as a user does, and print what was found."""
        self.project.retrieve_predictions()
        predictions = self.project.predictions()
        versions = Counter(str(one.model_version) for one in predictions)
        labels = Counter(
            result["value"]["rectanglelabels"][0] for one in predictions for result in one.result
        )
        for version, count in versions.items():
            console.print(f"{count} predictions of [bold]{version}[/]")
        console.print("found: " + ", ".join(f"{n} {label}" for label, n in labels.items()))

    def order_rest(self) -> None:
        """Let `prelabel next` put the unlabelled pictures in order."""
        command = [sys.executable, "-m", "shared.cli", "next"]
        command += ["--project", str(self.project.number)]
        subprocess.run(command, check=True)


def show_training(port: int, once: bool, out: Path) -> None:
    """Show the whole loop; the project stays in Label Studio."""
    out.mkdir(parents=True, exist_ok=True)
    with started_demo(port, out) as (demo, server):
        model = demo.project.connect_model(server.url)
        before = demo.project.model_version(model)
        demo.press_button(model)
        demo.follow_training()
        demo.wait_for_swap(model, before)
        demo.show_predictions()
        demo.order_rest()
        console.print(f"\nLook at the pictures: [bold]{demo.project.page}[/]")
        if not once and sys.stdin.isatty():
            console.print(f"The server runs on {server.url}. Ctrl-C stops it.")
            server.keep_serving()


@contextmanager
def started_demo(port: int, out: Path) -> "Iterator[tuple[TrainingDemo, DemoServer]]":
    """Make the project, and start a server for it whose trainings are in `out`."""
    from shared.cli.demo.training_data.shapes import LABEL_CONFIG

    settings = read_settings(Settings)
    settings = settings.model_copy(update={"train_dir": (out / "training").resolve()})
    variables = {"DETECTION_MODEL": "starter", "TRAIN_DIR": str(settings.train_dir)}
    if "train_max_minutes" not in settings.model_fields_set:
        variables["TRAIN_MAX_MINUTES"] = str(MAX_MINUTES)
    with DemoProject.create(settings, "Hearts, moons and arrows", LABEL_CONFIG) as project:
        demo = TrainingDemo(project, settings)
        demo.fill_project()
        with start_server(("detection",), port, out / "server.log", variables) as server:
            server.wait_until_ready()
            yield demo, server
