"""The links in their order; where one is broken, those that need it are skipped."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

from shared.doctor import connection, home, prediction, server, store
from shared.doctor.check import Check, broken, skipped
from shared.doctor.way import Way, without_password
from shared.errors import PrelabelError

Look = Callable[[Way], Iterator[Check]]


@dataclass(frozen=True)
class Link:
    """One link: what it is called, which others must hold first, and who looks at it."""

    name: str
    needs: tuple[str, ...]
    look: Look


LINKS = (
    Link("Settings", (), home.settings),
    Link("Label Studio", ("Settings",), home.reachable),
    Link("Token", ("Label Studio",), home.token),
    Link("Project", ("Token",), home.project),
    Link("Server", (), server.reachable),
    Link("Models", ("Server",), server.models),
    Link("Connection", ("Project",), connection.connection),
    Link("Versions", ("Project",), connection.versions),
    Link("Label config", ("Project", "Server"), prediction.label_config),
    Link("Media", ("Label config",), prediction.media),
    Link("Prediction", ("Media",), prediction.prediction),
    Link("Labels", ("Prediction",), prediction.labels),
    Link("Validation", ("Prediction",), prediction.validation),
    Link("Storing", ("Validation",), store.storing),
)


def walk(way: Way) -> Iterator[Check]:
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


def _looked(link: Link, way: Way) -> Iterator[Check]:
    """What the look says; what it does not expect is a broken link too."""
    try:
        yield from link.look(way)
    except PrelabelError as error:
        yield broken(link.name, "unexpected", str(error))
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:  # an answer of its own
        what = without_password(repr(error))
        yield broken(link.name, "unexpected", f"an answer that makes no sense: {what}")
