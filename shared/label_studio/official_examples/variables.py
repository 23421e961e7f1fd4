"""Every environment variable of the official examples, and the variable of ours that it stands for.

What has no meaning here has a sentence that says why, and what helps.
`tests/label_studio/official_examples/test_variables.py` holds it against the list of their names.
"""

from collections.abc import Iterable

from shared.label_studio.official_examples.common_variables import COMMON, SOUND, STORES
from shared.label_studio.official_examples.picture_variables import OCR, PICTURES
from shared.label_studio.official_examples.text_variables import LANGUAGE, TEXTS
from shared.label_studio.official_examples.variable import OfficialVariable

VARIABLES: tuple[OfficialVariable, ...] = (
    *COMMON,
    *TEXTS,
    *LANGUAGE,
    *PICTURES,
    *OCR,
    *SOUND,
    *STORES,
)
"""Several of one name where examples mean different things; of two for one of ours the first."""


def find_variables(name: str, examples: Iterable[str] = ()) -> list[OfficialVariable]:
    """Return what a name means to these examples, or to any: first what is read here."""
    wanted = set(examples)
    found = [
        one
        for one in VARIABLES
        if one.name == name
        and (not wanted or not one.examples or wanted.intersection(one.examples))
    ]
    return sorted(found, key=lambda one: not one.ours)
