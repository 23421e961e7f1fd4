"""The links in their order; where one is broken, those that need it are skipped."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

from shared.cli.doctor import connection, label_studio, ml_backend, prediction, stored_prediction
from shared.cli.doctor.check import Check, broken, skipped
from shared.cli.doctor.session import DoctorSession
from shared.errors import PrelabelError, redact_url

Look = Callable[[DoctorSession], Iterator[Check]]


@dataclass(frozen=True)
class CheckStep:
    """One link: what it is called, which others must hold first, and who looks at it."""

    name: str
    needs: tuple[str, ...]
    look: Look


LINKS = (
    CheckStep("Settings", (), label_studio.settings),
    CheckStep("Label Studio", ("Settings",), label_studio.reachable),
    CheckStep("Token", ("Label Studio",), label_studio.token),
    CheckStep("Project", ("Token",), label_studio.project),
    CheckStep("Server", (), ml_backend.reachable),
    CheckStep("Models", ("Server",), ml_backend.models),
    CheckStep("Connection", ("Project",), connection.connection),
    CheckStep("Versions", ("Project",), connection.versions),
    CheckStep("Label config", ("Project", "Server"), prediction.label_config),
    CheckStep("Media", ("Label config",), prediction.media),
    CheckStep("Prediction", ("Media",), prediction.prediction),
    CheckStep("Labels", ("Prediction",), prediction.labels),
    CheckStep("Validation", ("Prediction",), prediction.validation),
    CheckStep("Storing", ("Validation",), stored_prediction.storing),
)


def run_checks(way: DoctorSession) -> Iterator[Check]:
    """Look at every link, from Label Studio to the stored prediction."""
    unknown: set[str] = set()
    for link in LINKS:
        missing = next((name for name in link.needs if name in unknown), None)
        if missing is not None:
            unknown.add(link.name)
            yield skipped(link.name, f"needs: {missing}")
            continue
        for check in _looked(link, way):
            if check.state in {"broken", "skipped"}:
                unknown.add(link.name)
            yield check


def _looked(link: CheckStep, way: DoctorSession) -> Iterator[Check]:
    """What the look says; what it does not expect is a broken link too."""
    try:
        yield from link.look(way)
    except PrelabelError as error:
        yield broken(link.name, "unexpected", str(error))
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:  # an answer of its own
        what = redact_url(repr(error))
        yield broken(link.name, "unexpected", f"an answer that makes no sense: {what}")
