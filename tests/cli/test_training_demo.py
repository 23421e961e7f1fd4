"""`prelabel demo --training`, as far as it needs no Label Studio."""

from pathlib import Path

from shared.cli.demo.demo_project import DemoProject
from shared.cli.demo.training import TrainingDemo
from shared.jobs.job_store import JobStore
from shared.settings import Settings

from ..jobs.conftest import FUNCTIONS


def test_a_second_demo_follows_its_own_training(tmp_path: Path) -> None:
    """The folder still has the job of the first demo, whose project was another one."""
    store = JobStore(tmp_path)
    store.create("training", "1.1700000000", f"{FUNCTIONS}count", {})
    own = store.create("training", "2.1800000000", f"{FUNCTIONS}count", {})
    project = DemoProject(2, "2.1800000000", "http://label-studio.example", None, None)
    demo = TrainingDemo(project, Settings(train_dir=tmp_path))
    assert demo.find_job().id == own.id
