"""Each kind of object tag gets data that the media reader and the editor can read."""

import csv
import io
import wave
from datetime import datetime

import pytest
from PIL import Image

from shared.label_studio.label_config import LabelConfig
from shared.label_studio.sample_data import SHAPES, TOPICS, make_sample_data
from shared.media.document import decode_pages
from shared.media.reader import MediaReader
from shared.settings import Settings

READER = MediaReader(Settings())
SERIES = (
    '<TimeSeriesLabels name="l" toName="t"><Label value="Change"/></TimeSeriesLabels>'
    '<TimeSeries name="t" value="$csv" valueType="{kind}" timeColumn="time" sep=";" {more}>'
    '<Channel column="a"/><Channel column="b"/></TimeSeries>'
)


def sample(inside: str) -> dict:
    return make_sample_data(LabelConfig.parse(f"<View>{inside}</View>"))


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        pytest.param(
            '<Paragraphs name="p" value="$talk" nameKey="role" textKey="content"/>',
            {"role", "content"},
            id="keys-of-paragraphs",
        ),
        pytest.param('<Paragraphs name="p" value="$talk"/>', {"author", "text"}, id="paragraphs"),
        pytest.param('<Chat name="p" value="$talk"/>', {"role", "content"}, id="chat"),
        pytest.param(
            '<Chat name="p" value="$talk" toName="p"/>', {"role", "content"}, id="chat-to-write"
        ),
        pytest.param('<List name="p" value="$talk"/>', {"id", "title", "body"}, id="list"),
    ],
)
def test_lists_have_the_keys_that_the_tag_reads(inside: str, expected: set[str]) -> None:
    assert all(entry.keys() == expected for entry in sample(inside)["talk"])


def test_several_texts_and_pictures_differ() -> None:
    pairs = [f'<Text name="t{n}" value="$t{n}"/><Image name="i{n}" value="$i{n}"/>' for n in "123"]
    data = sample("".join(pairs))
    assert len(set(data.values())) == 6
    for key in ("i1", "i2", "i3"):
        assert READER.read_image(data[key]).size == (480, 320)


def test_list_of_pictures_has_two() -> None:
    data = sample('<Image name="i" valueList="$pages"/>')
    assert len(set(data["pages"])) == 2


def test_sound_video_and_document_can_be_read() -> None:
    data = sample(
        '<Audio name="a" value="$sound"/><Video name="v" value="$film"/>'
        '<Pdf name="d" value="$file"/><Paragraphs name="p" value="$talk" audioUrl="$voice"/>'
    )
    with wave.open(io.BytesIO(READER.fetch(data["sound"]))) as sound:
        assert sound.getnframes() / sound.getframerate() == 3.0
    assert data["voice"] == data["sound"]
    frames = list(READER.read_video(data["film"]).frames())
    assert len(frames) == 25
    [page] = decode_pages(READER.fetch(data["file"]), 10)
    assert page.pixels.min() < 100  # letters are drawn


def test_sound_beside_a_video_of_the_same_key_is_the_video() -> None:
    data = sample('<Audio name="a" value="$film"/><Video name="v" value="$film"/>')
    assert data["film"].startswith("data:video/webm")


@pytest.mark.parametrize("time_format", ["", "%Y-%m-%d %H:%M:%S.%f"])
def test_table_of_a_series_has_its_columns(time_format: str) -> None:
    more = f'timeFormat="{time_format}"' if time_format else ""
    text = READER.read_text(sample(SERIES.format(kind="url", more=more))["csv"])
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert list(rows[0]) == ["time", "a", "b"]
    times = [row["time"] for row in rows]
    if time_format:
        assert datetime.strptime(times[-1], time_format) > datetime.strptime(times[0], time_format)
    else:
        assert times[:3] == ["0", "1", "2"]
    # row 60 has a spike of 6 in the first channel; from row 150 on all is 4 higher
    first = [float(row["a"]) for row in rows]
    assert first[60] - first[59] > 5
    assert min(first[150:]) > 13 > max(first[:60])


def test_series_in_the_task_is_columns() -> None:
    data = sample(SERIES.format(kind="json", more=""))
    assert {name: len(column) for name, column in data["csv"].items()} == {
        "time": 240,
        "a": 240,
        "b": 240,
    }


def test_labels_that_the_task_brings() -> None:
    data = sample(
        '<Image name="i" value="$i"/><RectangleLabels name="r" toName="i" value="$boxes"/>'
        '<Text name="t" value="$t"/><Choices name="c" toName="t" value="$topics"/>'
    )
    assert [label["value"] for label in data["boxes"]] == list(SHAPES)
    assert [label["value"] for label in data["topics"]] == list(TOPICS)


def test_other_variables_of_a_tag_get_numbers() -> None:
    assert sample('<Chat name="c" value="$chat" maxMessages="$most"/>')["most"] == 10


def test_text_at_an_address_is_one() -> None:
    data = sample('<Text name="t" value="$t" valueType="url"/>')
    assert READER.read_text(data["t"]).startswith("Angela Berg")
    picture = READER.fetch(sample('<Image name="i" value="$i"/>')["i"])
    assert Image.open(io.BytesIO(picture)).format == "PNG"
