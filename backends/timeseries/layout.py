"""What a TimeSeries tag shows: its columns, and how its times are written."""

from dataclasses import dataclass

from shared.backend import LabelConfig, ObjectTag
from shared.errors import ConfigError
from shared.label_studio.series_channels import find_channels
from shared.results.time_format import unknown_directive


@dataclass(frozen=True)
class SeriesLayout:
    """The columns of a TimeSeries tag.

    - `time_column`: empty where the rows are counted from 0
    - `time_format`: that of dates, in d3's directives; empty where times are numbers
    - `channels`: the columns of its Channel tags; empty: all others
    """

    time_column: str = ""
    time_format: str = ""
    separator: str = ","
    channels: tuple[str, ...] = ()

    @property
    def has_dates(self) -> bool:
        """Whether times are dates: without a time column the editor counts rows."""
        return bool(self.time_column and self.time_format)

    @classmethod
    def of_tag(
        cls, config: LabelConfig, target: ObjectTag, control: str | None = None
    ) -> "SeriesLayout":
        """Read the tag and its channels; ConfigError if the editor cannot read its timeFormat.

        `control` is the name of the control tag that cannot be filled then.
        """
        written = target.attrs.get("timeFormat", "")
        wrong = unknown_directive(written) if written else None
        if wrong is not None:
            raise ConfigError(
                f'{target}: timeFormat="{written}" has "{wrong}", which the editor does not know;'
                " it takes the directives of d3-time-format, such as %Y-%m-%d %H:%M:%S",
                control,
            )
        return cls(
            target.attrs.get("timeColumn", "").strip(),
            written,
            target.attrs.get("sep", ","),
            find_channels(config, target),
        )
