"""Checks of models on other machines, which backends ask by the settings that hold here."""

from collections.abc import Iterator

from shared.backend.registry import find_backends
from shared.doctor.check import Check, broken_check, ok_check
from shared.doctor.session import DoctorSession
from shared.errors import PrelabelError

LINK = "Remote model"


def check_remote_models(session: DoctorSession) -> Iterator[Check]:
    """Check that each such model answers; nothing is said where none is set."""
    for name, backend in find_backends().items():
        if backend.unavailable_reason() is not None:
            continue
        try:
            found = backend(served=True).check_model()
        except PrelabelError as error:
            yield broken_check(LINK, "remote_model", f"{name}: {error}")
        else:
            if found is not None:
                yield ok_check(LINK, f"{name}: {found}")
