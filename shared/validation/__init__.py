"""Checks that Label Studio will take a prediction, and show what is meant, with reasons."""

from shared.validation.check import check_prediction, check_results, check_task
from shared.validation.config import config_problems
from shared.validation.finding import Finding
from shared.validation.fractions import Fractions

__all__ = [
    "Finding",
    "Fractions",
    "check_prediction",
    "check_results",
    "check_task",
    "config_problems",
]
