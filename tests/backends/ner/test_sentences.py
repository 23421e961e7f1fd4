"""Where sentences end, and where they only seem to end."""

import time

import pytest

from backends.ner.sentence_splitter import sentence_gaps
from backends.ner.starter.sentences import FINAL, Writer


def split(text: str) -> list[str]:
    found, begin = [], 0
    for end, start in sentence_gaps(text):
        found.append(text[begin:end])
        begin = start
    return [*found, text[begin:]]


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("It rained.| He left!| Why?| Nobody knows…| So what", id="signs"),
        pytest.param('"I left."| She stayed.| “Ulm.”| (It rained.)| He left', id="closed"),
        pytest.param("It rained.| “Ulm” is far.| (It is.)| ¿Qué?| Nada", id="opened"),
        pytest.param('"Really?" she asked.| "No!" he said', id="goes on after a quotation"),
        pytest.param("Wait...| Ann came.| Or was it... him?| No", id="three periods"),
        pytest.param("It rained in 2012.| 7 came.| It cost 5 %.| He paid 3 €.| OK", id="sums"),
        pytest.param("It was 3.5 km to v2.1 of a.com.| It was", id="inside a word"),
        pytest.param("Mr. Hill met Dr. Berg and Prof. Li on St. John St. and left", id="titles"),
        pytest.param("J. R. Berg and Ann P. Hill met O. Li.| They left", id="initials"),
        pytest.param("They sold it to Acme Inc.| It rained.| He left Acme Inc. Ulm", id="firms"),
        pytest.param("The law of the U.S. Senate.| Ann left the U.S.| The end", id="states"),
        pytest.param("It began at 9 a.m. sharp.| It ended at 5 p.m.| Ann left", id="hours"),
        pytest.param("On Apr. 13, 1993 and 3. August 2004, 5. Apr. 2037.| Ann left", id="dates"),
        pytest.param("See No. 5, Fig. 3 and p. 8.| The answer is no.| Ann left", id="numbers"),
        pytest.param("1. Ann came\n|2. Bob left.\n|It rained", id="lists"),
        pytest.param("i saw a cat.| then the cat left. i did not", id="small letters"),
        pytest.param("the firm, i.e. Acme, e.g. in Ulm vs. Bonn, approx. five", id="short words"),
        pytest.param("谷歌在北京。|他走了！|「好。」|再见", id="without white space"),
        pytest.param("Hello Ann,\n\n|It rained\r\n|Best regards,\n|Bob", id="lines"),
        pytest.param("Ann met Dr.\n|Hill of Acme Inc.\n|Lisbon", id="lines in any case"),
        pytest.param("", id="nothing"),
        pytest.param(".| ...| ?", id="signs alone"),
    ],
)  # fmt: skip
def test_sentence_ends(marked: str) -> None:
    text = marked.replace("|", "")
    assert [part.strip() for part in split(text)] == [part.strip() for part in marked.split("|")]


@pytest.mark.parametrize(
    "part", [" ", ".", ". ", '."', ". (", "Mr. ", "1. ", "?)", "。", "\r\n", "x"]
)
def test_time_is_linear_in_the_length(part: str) -> None:
    """Half a second is needed; quadratic time would take minutes."""
    begun = time.process_time()
    assert all(end <= start for end, start in sentence_gaps(part * 200_000))
    assert time.process_time() - begun < 10


def test_almost_all_ends_in_running_text_are_found() -> None:
    """In generated texts one sentence in thirty begins in lower case or ends in an initial."""
    writer, places, text = Writer(41, "held_out"), set(), ""
    while len(text) < 100_000:
        for line in writer.sentence().text.strip().splitlines():
            if line.strip().endswith(FINAL):
                text += line.strip()
                places.add(len(text))
                text += " "
    found = {end for end, _ in sentence_gaps(text)} | {len(text) - 1}
    assert len(found & places) >= 0.96 * len(places)
    assert len(found - places) <= 0.01 * len(places)
