"""Checks whether Label Studio accepts a prediction and displays it as intended."""

from shared.results.validation.checks import check_prediction, check_results, check_task
from shared.results.validation.config import config_problems
from shared.results.validation.finding import Finding
from shared.results.validation.fractions import FractionDetector

__all__ = [
    "Finding",
    "FractionDetector",
    "check_prediction",
    "check_results",
    "check_task",
    "config_problems",
]
