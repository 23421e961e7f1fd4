"""Attributes of tags by the names that the official examples have for them.

They have the names that backends here use, too, but for those in `OTHER_NAMES`.
"""

from shared.label_studio.attributes import Attributes

OTHER_NAMES = {"score_threshold": "model_score_threshold"}
"""Each attribute of the examples that has another name here, and that name."""


def with_our_names(attrs: Attributes) -> Attributes:
    """Return the attributes of a control tag, with ours for those that have another name here.

    One that stands there under its own name, too, counts.
    """
    added = {
        ours: attrs[name]
        for name, ours in OTHER_NAMES.items()
        if name in attrs and ours not in attrs
    }
    return Attributes({**attrs, **added}) if added else attrs
