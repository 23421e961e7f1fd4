"""Runs the checks in their order, and skips those that depend on a broken one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

from shared.doctor import (
    connection,
    label_studio,
    ml_backend,
    prediction,
    remote_model,
    stored_prediction,
    training,
)
from shared.doctor.check import Check, broken_check, skipped_check
from shared.doctor.session import DoctorSession
from shared.errors import PrelabelError, redact_url

Checker = Callable[[DoctorSession], Iterator[Check]]


@dataclass(frozen=True)
class CheckStep:
    """One link: its name, the links that must work first, and the function that checks it."""

    link: str
    needs: tuple[str, ...]
    run: Checker


STEPS = (
    CheckStep("Settings", (), label_studio.check_settings),
    CheckStep("Label Studio", ("Settings",), label_studio.check_address),
    CheckStep("Token", ("Label Studio",), label_studio.check_token),
    CheckStep("Project", ("Token",), label_studio.check_project),
    CheckStep("Server", (), ml_backend.check_address),
    CheckStep("Models", ("Server",), ml_backend.check_models),
    CheckStep("Remote model", (), remote_model.check_remote_models),
    CheckStep("Connection", ("Project",), connection.check_connection),
    CheckStep("Versions", ("Project",), connection.check_versions),
    CheckStep("Label config", ("Project", "Server"), prediction.check_label_config),
    CheckStep("Media", ("Label config",), prediction.check_media),
    CheckStep("Prediction", ("Media",), prediction.check_prediction),
    CheckStep("Labels", ("Prediction",), prediction.check_label_mapping),
    CheckStep("Validation", ("Prediction",), prediction.check_validation),
    CheckStep("Storing", ("Validation",), stored_prediction.check_storing),
    CheckStep("Training", ("Server",), training.check_setup),
    CheckStep("Examples", ("Project", "Training"), training.check_examples),
)


def run_checks(session: DoctorSession) -> Iterator[Check]:
    """Check every link, from Label Studio to the stored prediction."""
    failed: set[str] = set()
    for step in STEPS:
        missing = next((link for link in step.needs if link in failed), None)
        if missing is not None:
            failed.add(step.link)  # so that what needs this link is skipped, too
            yield skipped_check(step.link, f"needs: {missing}")
            continue
        for check in _run_step(step, session):
            if check.state in {"broken", "skipped"}:
                failed.add(step.link)
            yield check


def _run_step(step: CheckStep, session: DoctorSession) -> Iterator[Check]:
    """Yield the step's checks; a response that it does not expect breaks the link, too."""
    try:
        yield from step.run(session)
    except PrelabelError as error:
        yield broken_check(step.link, "unexpected", str(error))
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        message = f"an unexpected response: {redact_url(repr(error))}"
        yield broken_check(step.link, "unexpected", message)
