"""Which control tags on recordings speech fills, and with which labels."""

import pytest

from backends.speech.backend import SpeechBackend
from backends.speech.inputs import SpeechOutput
from backends.speech.transcript import Segment, Word
from shared.errors import ConfigError, UnfillableError
from shared.label_studio.label_config import LabelConfig
from shared.results import Region
from shared.settings import read_settings

AUDIO = '<Audio name="a" value="$a"/>'
VIDEO = '<Video name="a" value="$a"/>'


def labels(*names: str, more: str = "") -> str:
    inside = "".join(f'<Label value="{name}"/>' for name in names)
    return f'<Labels name="l" toName="a" {more}>{inside}</Labels>'


def area(name: str = "text", more: str = "") -> str:
    return f'<TextArea name="{name}" toName="a" {more}/>'


EACH = 'perRegion="true"'


def claimed(xml: str) -> list[tuple[str, ...]]:
    found = SpeechBackend(label_config=f"<View>{xml}</View>", served=True)
    claims = found.claim(LabelConfig.parse(f"<View>{xml}</View>"))
    return [tuple(control.name for control in claim.controls) for claim in claims]


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        pytest.param(AUDIO + area("transcription"), [("transcription",)], id="whole"),
        pytest.param(AUDIO + area("t1"), [("t1",)], id="no word tells"),
        pytest.param(AUDIO + area("notes"), [], id="notes"),
        pytest.param(AUDIO + area("t1", 'placeholder="Summarize it"'), [], id="summarize"),
        pytest.param(AUDIO + area("t1", 'placeholder="A summary"'), [], id="summary"),
        pytest.param(AUDIO + area("notes", 'model_backend="speech"'), [("notes",)], id="by hand"),
        pytest.param(AUDIO + area("english", 'model_task="translate"'), [("english",)], id="task"),
        pytest.param(VIDEO + area("subtitles"), [("subtitles",)], id="subtitles of a video"),
        pytest.param(VIDEO + area("t1"), [], id="video, no word tells"),
        pytest.param(labels("A", "B") + AUDIO + area("t", EACH), [("l", "t")], id="segments"),
        pytest.param(AUDIO + area("t", EACH), [], id="nothing draws"),
        pytest.param(labels("English", "de") + AUDIO, [("l",)], id="languages"),
        pytest.param(labels("Speech", "Noise") + AUDIO, [], id="voice activity is audio's"),
        pytest.param(
            labels("Speech", "Noise") + AUDIO + area("t", EACH) + area("whole"),
            [("l", "t"), ("whole",)],
            id="segments and the whole",
        ),
    ],
)
def test_what_is_claimed(xml: str, expected: list[tuple[str, ...]]) -> None:
    assert claimed(xml) == expected


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (AUDIO + area("notes"), 'TextArea "notes" is left empty: speech could fill it'),
        (AUDIO + area("t", EACH), "which only Labels on"),
    ],
)
def test_what_is_left_empty_is_explained(xml: str, message: str) -> None:
    config = LabelConfig.parse(f"<View>{xml}</View>")
    [said] = SpeechBackend(label_config=config.xml, served=True).explain_unfilled(config)
    assert message in said


SAID = Segment(0.5, 2.0, "guten Tag", 0.8, "de", (Word(0.5, 1, "guten", 0.9), Word(1, 2, "Tag")))


def drawn(xml: str, *segments: Segment) -> list[Region]:
    config = LabelConfig.parse(f"<View>{xml}</View>")
    backend = SpeechBackend(label_config=config.xml, served=True)
    [claim] = backend.claim(config)
    return list(backend.regions(SpeechOutput(segments or (SAID,), 3.0), claim))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["Speech", "Noise"], "Speech", id="speech"),
        pytest.param(["Utterance", "Noise"], "Utterance", id="another word for it"),
        pytest.param(["English", "German", "Speech"], "German", id="the language goes before"),
        pytest.param(["Anything"], "Anything", id="a single label"),
        pytest.param(["Speaker 1", "Speaker 2"], None, id="no label fits"),
    ],
)
def test_the_label_of_a_segment(names: list[str], expected: str | None) -> None:
    [region] = drawn(labels(*names) + AUDIO + area("t", EACH))
    values = {result["from_name"]: result["value"] for result in region.results}
    assert values["t"] == {"start": 0.5, "end": 2.0, "channel": 0, "text": ["guten Tag"]}
    assert values.get("l", {}).get("labels") == (None if expected is None else [expected])
    assert region.score == 0.8
    assert region.results[0]["original_length"] == 3.0


def test_a_language_without_a_label_is_no_answer() -> None:
    with pytest.raises(UnfillableError, match="fills nothing of Labels"):
        drawn(labels("English", "French") + AUDIO)


def test_words_are_regions_where_that_is_asked() -> None:
    more = 'perRegion="true" model_granularity="word"'
    regions = drawn(labels("Speech") + AUDIO + area("t", more))
    values = [region.results[1]["value"] for region in regions]
    assert [(v["start"], v["end"], v["text"]) for v in values] == [
        (0.5, 1.0, ["guten"]),
        (1.0, 2.0, ["Tag"]),
    ]
    assert [region.score for region in regions] == [0.9, None]


def test_unsure_segments_are_left_out() -> None:
    unsure = Segment(2.0, 2.5, "hm", 0.2)
    [region] = drawn(AUDIO + area("t", 'model_score_threshold="0.5"'), SAID, unsure)
    assert region.results[0]["value"] == {"text": ["guten Tag"]}
    assert region.score == 0.8


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('model_task="sing"', 'model_task="sing" should be one of transcribe, translate'),
        ('model_granularity="letter"', "should be one of segment, word"),
    ],
)
def test_a_bad_attribute_is_named(more: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        claimed(AUDIO + area("text", more))


@pytest.mark.parametrize(
    ("variables", "engine"),
    [
        ({"SPEECH_MODEL": "starter"}, "pocketsphinx"),
        ({"SPEECH_MODEL": "starter", "SPEECH_ENGINE": ""}, "pocketsphinx"),
        ({"SPEECH_MODEL": "starter", "SPEECH_ENGINE": "pocketsphinx"}, "pocketsphinx"),
        ({"SPEECH_MODEL": "small"}, "faster-whisper"),
        ({"SPEECH_MODEL": ""}, "faster-whisper"),
    ],
    ids=["alone", "empty engine", "with its engine", "other model", "no model"],
)
def test_the_starter_chooses_its_engine(
    variables: dict[str, str], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    read_settings.cache_clear()
    [spec] = SpeechBackend(served=True).default_specs()
    assert dict(spec.options)["engine"] == engine


def test_the_starter_is_of_one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_MODEL", "starter")
    monkeypatch.setenv("SPEECH_ENGINE", "faster-whisper")
    read_settings.cache_clear()
    with pytest.raises(ConfigError, match="starter is a model of pocketsphinx, not of faster-wh"):
        claimed(AUDIO + area("text"))
