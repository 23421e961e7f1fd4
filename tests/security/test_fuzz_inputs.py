"""Absurd label configs, images and texts: one sentence, in time, in bounded memory."""

import io
import os
import resource
import string
import time
from collections.abc import Callable

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image as Pillow

from backends.pattern import PatternBackend
from shared.errors import ConfigError, DecodeError, FetchError, PrelabelError
from shared.label_studio.label_config import MAX_CHARACTERS, LabelConfig
from shared.media.image import decode_image
from shared.media.reader import MediaReader
from shared.pipeline.process_memory import resident_bytes
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.backend_service import BackendService
from shared.server.http_messages import PredictRequest
from shared.settings import Settings
from tests.security.test_fuzz_server import BUDGET as SMALL_BUDGET

BUDGET = hypothesis.settings(SMALL_BUDGET, max_examples=400)

TAGS = ["View", "Labels", "Label", "Text", "Choices", "Choice", "Image", "Taxonomy", "Pairwise"]
TAGS += ["HyperText", "Paragraphs", "RectangleLabels", "Relation", "Ranker", "Bucket", "Number"]
KEYS = ["name", "toName", "value", "valueList", "alias", "model_backend", "model_skip", "choice"]
KEYS += ["perRegion", "predicted_values", "valueType", "model_score_threshold", "regex"]
WORDS = ["t", "l", "$t", "$", "Date", "Person", "", "true", "url", "a,b", "{{idx}}", "[[", "nan"]

attributes = st.dictionaries(
    st.sampled_from(KEYS), st.sampled_from(WORDS) | st.text(string.printable, max_size=12)
)


def element(tag: str, attrs: dict[str, str], inside: list[str]) -> str:
    quoted = "".join(
        f' {key}="{value.translate({38: "&amp;", 60: "&lt;", 34: "&quot;"})}"'
        for key, value in attrs.items()
    )
    return f"<{tag}{quoted}>{''.join(inside)}</{tag}>"


configs = st.recursive(
    st.builds(element, st.sampled_from(TAGS), attributes, st.just([])),
    lambda inner: st.builds(
        element, st.sampled_from(TAGS), attributes, st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def memory_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


# Label configs


@pytest.fixture(scope="module")
def service() -> BackendService:
    return BackendService([PatternBackend], named=["pattern"])


@BUDGET
@hypothesis.given(xml=configs | st.text(max_size=100), text=texts)
def test_any_label_config(xml: str, text: str, service: BackendService) -> None:
    """There are as many results as tasks, or an error of ours."""
    request = PredictRequest(tasks=[{"id": 1, "data": {"t": text}}, None], label_config=xml)
    try:
        service.version(xml)
        answers = service.predict(request, None, RequestScope(30))
    except PrelabelError as error:
        message = str(error)
    else:
        message = ""
        assert len(answers) == 2
    assert "\n" not in message


def billion_laughs(count: int) -> str:
    """Return nested entities, which expand to a billion words."""
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(count))
    return f'<!DOCTYPE v [<!ENTITY e0 "ha">{entities}]><View>&e{count};</View>'


@pytest.mark.parametrize(
    "xml",
    [
        pytest.param(billion_laughs(9), id="billion-laughs"),
        pytest.param(
            f'<!DOCTYPE v [<!ENTITY e "{"a" * 50_000}">]><v>{"&e;" * 9999}</v>', id="blow"
        ),
        pytest.param('<!DOCTYPE v [<!ENTITY e SYSTEM "file:///etc/passwd">]><v>&e;</v>', id="file"),
        pytest.param('<!DOCTYPE v SYSTEM "http://127.0.0.1:1/a.dtd"><v/>', id="dtd-elsewhere"),
        pytest.param('<!DOCTYPE v [<!ENTITY % p SYSTEM "file:///x">%p;]><v/>', id="parameter"),
    ],
)
def test_label_config_with_entities_is_refused(xml: str) -> None:
    with pytest.raises(ConfigError, match="DTD or entities"):
        LabelConfig.parse(xml)


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        pytest.param("<View>" + " " * MAX_CHARACTERS + "</View>", "are allowed", id="long"),
        pytest.param("<a>" * 99_999 + "</a>" * 99_999, "nested more than", id="deep"),
        pytest.param("<a>" * 600_000, "not well-formed", id="deep-and-open"),
    ],
)
def test_huge_label_config_is_refused(xml: str, words: str) -> None:
    before = memory_mb()
    with pytest.raises(ConfigError, match=words):
        LabelConfig.parse(xml)
    assert memory_mb() - before < 400


@pytest.mark.slow
def test_huge_label_configs_do_not_fill_the_memory(service: BackendService) -> None:
    """Each is near the limit: only the last five are kept, of 25 MB each."""
    labels = "".join(f'<Label value="a{n}"/>' for n in range(30_000))
    start = 0
    for number in range(14):
        if number == 6:
            start = resident_bytes()
        service.version(
            f'<View><Labels name="l{number}" toName="t">{labels}</Labels>'
            '<Text name="t" value="$t"/></View>'
        )
    grown = (resident_bytes() - start) / 1e6  # not the peak: another test's may be higher
    assert grown < 80, "if all were kept, it would be 200"


# Images


def encode_noise(kind: str) -> bytes:
    noise = np.random.default_rng(7).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    Pillow.fromarray(noise).save(file, kind)
    return file.getvalue()


IMAGES = {kind: encode_noise(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")}


@BUDGET
@hypothesis.given(
    kind=st.sampled_from(sorted(IMAGES)),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=12),
    end=st.integers(0, 6000),
)
def test_any_damaged_image(kind: str, changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(IMAGES[kind])
    for position, value in changes:
        data[position % len(data)] = value
    try:
        result = decode_image(bytes(data[:end]), 1)
    except DecodeError as error:
        message = str(error)
    else:
        message = ""
        assert result.pixels.size <= 3_000_000
    assert "\n" not in message


@BUDGET
@hypothesis.given(data=st.binary(max_size=300))
def test_any_bytes_as_an_image(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_image(data, 1)


# Texts


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: "1" * 300_000, id="digits"),
        pytest.param(lambda: "3 May " * 50_000, id="dates"),
        pytest.param(lambda: "$" * 300_000, id="signs"),
        pytest.param(lambda: "1,1." * 75_000, id="commas"),
        pytest.param(lambda: "\u0301" * 300_000, id="marks-without-a-letter"),
        pytest.param(lambda: "😀" * 150_000, id="emoji"),
        pytest.param(lambda: " \n\r\t" * 75_000, id="blanks"),
    ],
)
def test_long_text_is_answered_in_time(make: Callable[[], str], service: BackendService) -> None:
    """No pattern takes quadratic time; half a minute is ten times what is needed."""
    config = (
        '<View><Labels name="l" toName="t"><Label value="Date"/><Label value="Money"/>'
        '<Label value="Time"/></Labels><Text name="t" value="$t"/></View>'
    )
    request = PredictRequest(tasks=[{"id": 1, "data": {"t": make()}}], label_config=config)
    start = time.process_time()
    [answer] = service.predict(request, None, RequestScope(60))
    assert isinstance(answer, dict)
    assert time.process_time() - start < 30


@BUDGET
@hypothesis.given(
    value=texts
    | st.text("\n\r /:?=a", max_size=20)
    | st.sampled_from(["data:", "data:,", "s3:/", "http:", "//", "\0"])
)
def test_any_text_as_a_url(value: str) -> None:
    """It is read as a file of Label Studio, or refused; nothing else is raised."""
    media = MediaReader(
        Settings(allowed_hosts="only.example.org", local_files_root=os.path.dirname(__file__))
    )
    try:
        result = media.fetch(value, 1)
    except FetchError as error:
        message = str(error)
    else:
        message = ""
        assert value.lower().lstrip().startswith("data:"), result[:80]
    finally:
        media.close()
    assert "\n" not in message
