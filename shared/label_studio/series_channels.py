"""The channels of a TimeSeries tag: the columns of its file that the editor draws."""

from shared.label_studio.label_config import LabelConfig, ObjectTag


def find_channels(config: LabelConfig, target: ObjectTag) -> tuple[str, ...]:
    """Return the columns of the channels of a tag, those in a MultiChannel, too."""
    found, inside = [], False
    for tag in config.written_tags():
        name = tag.name.lower()
        if name == "timeseries":
            inside = tag.attrs.get("name") == target.name
        elif name == "channel" and inside and tag.attrs.get("column"):
            found.append(tag.attrs["column"].strip())
    return tuple(dict.fromkeys(found))
