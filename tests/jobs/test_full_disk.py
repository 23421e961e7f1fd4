"""A disk that is full in earnest: a small one, in a mount namespace of the test's own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).parents[2]

SCRIPT = """
import json, sys, time
from pathlib import Path
from shared.jobs.job_store import JobStore
from shared.jobs.submit import submit_job
from shared.settings import Settings
settings = Settings(train_dir=Path(sys.argv[1]) / "training")
store = JobStore(settings.train_dir)
job = submit_job(settings, "training", "7", "tests.jobs.functions:" + sys.argv[2], {})
deadline = time.monotonic() + 60
while not store.find(job.id).is_finished and time.monotonic() < deadline:
    time.sleep(0.05)
time.sleep(0.3)
next_one = submit_job(settings, "training", "7", "tests.jobs.functions:count", {})
log = store.folder(job.id).log.read_text()
sys.stdout.write(json.dumps([store.find(job.id).to_json(), log, next_one.state.value]))
"""


def run_on_small_disk(folder: Path, function: str) -> tuple[dict[str, Any], str, str]:
    """Run a job on a disk of 1 MB; return the job, its log, and the state of the next one."""
    mount = f"mount -t tmpfs -o size=1m tmpfs {folder} && exec {sys.executable} -c"
    inner = f'{mount} "$SCRIPT" {folder} {function}'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inner]
    environment = {"PYTHONPATH": str(REPO), "SCRIPT": SCRIPT, "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "unshare" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip(f"no mount namespace here: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr
    job, log, next_state = json.loads(ran.stdout)
    return job, log, next_state


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare(1) is not installed")
@pytest.mark.parametrize(
    ("function", "state", "message"),
    [
        pytest.param(
            "fill_disk", "done", "the disk of TRAIN_DIR was full at times", id="while-it-reports"
        ),
        pytest.param(
            "fill_disk_and_fail",
            "failed",
            "the disk of TRAIN_DIR is full: free some room, and start it again",
            id="while-it-writes",
        ),
    ],
)
def test_a_full_disk_is_said(tmp_path: Path, function: str, state: str, message: str) -> None:
    job, log, next_state = run_on_small_disk(tmp_path, function)
    assert (job["state"], job["message"]) == (state, message)
    assert job.get("result") == ({"weights": "kept"} if state == "done" else None)
    assert "Traceback" not in log or state == "failed"
    assert next_state in {"waiting", "running"}  # what filled the disk went with the job
