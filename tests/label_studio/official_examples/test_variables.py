"""No variable of the official examples is silently ignored, and what ours are called is true."""

import pytest
from pydantic import AliasChoices

from shared.backend.registry import find_backends
from shared.label_studio.official_examples import EXAMPLES
from shared.label_studio.official_examples.reading import describe_readings, read_variables
from shared.label_studio.official_examples.variables import VARIABLES, find_variables
from shared.settings import Settings, setting_rows
from tests.label_studio.official_examples.names import ALL, COMMON, OWN

SETTINGS = [Settings, *(cls.settings_class for cls in find_backends().values())]
OURS = {name for settings in SETTINGS for name, _, _ in setting_rows(settings)}
# Each other name that a setting reads, and the setting's own.
ALIASES = {
    (str(alias), str(info.validation_alias.choices[0]))
    for settings in SETTINGS
    for info in settings.model_fields.values()
    if isinstance(info.validation_alias, AliasChoices)
    for alias in info.validation_alias.choices[1:]
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_variable_of_an_example_is_read_or_answered(example: str) -> None:
    for name in (*OWN[example], *COMMON):
        readings = read_variables({name: "1"}, [example])
        assert {one.name for one in readings} == {name}
        for one in readings:
            assert one.ours or one.note, f"{name} of {example}: nothing is said"
        assert list(describe_readings(readings))


def test_the_table_has_the_variables_of_the_examples_and_no_others() -> None:
    listed = {(example, one.name) for one in VARIABLES for example in (one.examples or EXAMPLES)}
    assert listed == set(ALL)
    assert set(OWN) == set(EXAMPLES)


def test_what_a_variable_stands_for_is_a_setting_of_ours() -> None:
    assert {one.ours for one in VARIABLES if one.ours} <= OURS


def test_aliases_are_the_other_names_of_our_settings() -> None:
    listed = {(one.name, one.ours) for one in VARIABLES if one.is_alias}
    assert listed <= ALIASES
    names = {name for name, _ in ALIASES}
    assert not {one.name for one in VARIABLES if not one.is_alias} & names


def test_what_has_no_meaning_is_said_in_a_clause() -> None:
    for one in VARIABLES:
        if not one.ours:
            assert len(one.note) > 15, one.name
            assert not one.note.endswith("."), one.name


def test_names_with_several_meanings_name_their_examples() -> None:
    names = [one.name for one in VARIABLES]
    for one in VARIABLES:
        if names.count(one.name) > 1:
            assert one.examples
            assert len(find_variables(one.name)) == names.count(one.name)
