"""What to set in place of the extra parameters of a connection."""

from typing import Any

import pytest

from shared.label_studio.official_examples.connection import OURS, describe_parameters
from tests.label_studio.official_examples.test_variables import OURS as VARIABLES


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (None, ""),
        ("", ""),
        ({}, ""),
        ([], ""),
        ("{}", ""),
        ("[1]", ""),
        ("model=gpt", "they are no JSON"),
        (
            '{"model": "gpt", "api_key": "secret"}',
            "set PROMPT_MODEL for model, PROMPT_API_KEY for api_key",
        ),
        ({"colour": "secret"}, "nothing here reads colour"),
        (
            {"provider": "azure", "mine": 1},
            "set PROMPT_PROVIDER for provider; nothing here reads mine",
        ),
    ],
)
def test_parameters_are_named_without_their_values(parameters: Any, expected: str) -> None:
    assert describe_parameters(parameters) == expected


def test_parameters_stand_for_settings_of_ours() -> None:
    assert set(OURS.values()) <= VARIABLES
