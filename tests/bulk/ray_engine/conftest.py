"""A Ray of this machine for all tests here: its start takes seconds."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.bulk.ray_engine.cluster import quiet_loggers
from shared.settings import restrain_libraries
from tests.cli.conftest import prelabel

__all__ = ["local_ray", "prelabel"]

REPO = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def local_ray() -> Iterator[Any]:
    """The module `ray`, connected: two actors fit, whatever cores there are."""
    import ray

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(REPO)  # of its workers
    restrain_libraries()
    quiet_loggers()
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        object_store_memory=100 << 20,
    )
    yield ray
    ray.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
