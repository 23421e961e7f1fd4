"""The process of one job: `python -m shared.jobs.worker TRAIN_DIR ID`."""

import sys
from pathlib import Path

from shared.errors import PrelabelError
from shared.jobs.job_store import JobStore
from shared.jobs.supervisor import Supervisor


def main() -> None:
    """Run the job of the command line to its end; what goes wrong is in its log."""
    train_dir, job_id = sys.argv[1:]
    try:
        Supervisor(JobStore(Path(train_dir)), job_id).run()
    except PrelabelError as error:
        sys.exit(f"job {job_id}: {error}")


if __name__ == "__main__":
    main()
