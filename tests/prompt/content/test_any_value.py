"""Whatever a task holds, its content is read or a TaskError says why not."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import TaskError
from tests.prompt.content.shown import data_url, read

TAGS = (
    "Text", "HyperText", "Paragraphs", "Chat", "List", "Table", "Image", "Pdf", "Audio", "Video",
    "TimeSeries",
)  # fmt: skip
TYPES = ("", "url", "csv", "json", "csv|separator=;|headless", "[url")
KEYS = st.sampled_from(
    ["id", "html", "title", "role", "content", "createdAt", "text", "author", "time", "a", ""]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.integers(-(10**18), 10**18)
    | st.text(max_size=8)
    | st.binary(max_size=30).map(lambda data: data_url(data, "image/png"))
    | st.sampled_from(["a,b\n1,2", "{}", "[", "<img src='data:,x'>", "\ud800", "%PDF-1"]),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(KEYS, inside, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("tag", TAGS)
@settings(max_examples=20, deadline=None)
@given(value=JSON, kind=st.sampled_from(TYPES), listed=st.booleans())
def test_any_value_is_read_or_refused(tag: str, value: Any, kind: str, listed: bool) -> None:
    shown = "valueList" if listed else "value"
    written = f' valueType="{kind}"' if kind else ""
    xml = f'<{tag} name="x" {shown}="$v"{written}/><Rating name="r" toName="x"/>'
    try:
        content = read(xml, {"v": value})
    except TaskError:
        return
    assert content.parts
