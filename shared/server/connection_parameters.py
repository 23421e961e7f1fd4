"""Says that extra parameters of a connection have no effect, and what to set instead."""

import logging
from typing import Any

from shared.label_studio.official_examples.connection import describe_parameters

logger = logging.getLogger(__name__)

# Projects that are remembered; after that many, each is told of once more.
MAX_PROJECTS = 1000


class ParameterNotice:
    """Logs it once for each project: Label Studio sends them with every /setup."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def tell(self, project: str, parameters: Any) -> None:
        """Log which variables to set for these parameters, unless that was said already."""
        described = describe_parameters(parameters)
        if not described or self._told.get(project) == described:
            return
        if len(self._told) >= MAX_PROJECTS:
            self._told.clear()
        self._told[project] = described
        logger.warning(
            "Project %s: the extra parameters of its connection have no effect: %s",
            project or "without a name",
            described,
        )
