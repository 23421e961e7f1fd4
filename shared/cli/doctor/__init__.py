"""The way of a user's predictions, looked at link by link: `prelabel doctor`."""

from shared.cli.doctor.check import Check
from shared.cli.doctor.runner import run_checks
from shared.cli.doctor.session import DoctorSession

__all__ = ["Check", "DoctorSession", "run_checks"]
