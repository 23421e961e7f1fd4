"""What the page of projects shows: how each label config is filled, and what failed last."""

from typing import Any

from shared.server.pages.task_link import task_link
from shared.server.service import PredictionService
from shared.settings import Settings

# Failures that the page lists.
MAX_FAILURES = 30


def describe_projects(service: PredictionService, settings: Settings) -> dict[str, Any]:
    """Return the values of the page's template; the label config that was used last comes first."""
    status = service.status()
    failures = status["failures"]
    return {
        "configs": list(reversed(status.get("label_configs", []))),
        "failures": [
            {**failure, "link": task_link(settings, failure["task"])}
            for failure in failures["recent"][:MAX_FAILURES]
        ],
        "counts": failures["counts"],
        "has_url": settings.label_studio_url is not None,
    }
