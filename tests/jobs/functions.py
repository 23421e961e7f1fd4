"""Functions that jobs of the tests run."""

import time
from collections.abc import Mapping
from typing import Any

from shared.jobs.context import JobContext


def count(context: JobContext) -> Mapping[str, Any]:
    """Report `steps` steps of `seconds` each."""
    steps = context.arguments.get("steps", 3)
    for step in range(steps):
        context.report(epoch=step + 1, epochs=steps, fraction=(step + 1) / steps)
        time.sleep(context.arguments.get("seconds", 0.01))
    return {"steps": steps}
