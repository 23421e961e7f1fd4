"""What is set in a template so that a model that is there fills it, and what no model can fill.

The models of the run are small: the starters, untrained networks for masks and key points, and a
server that answers each question of `prompt` from its schema. They do not know a template's
labels, so the run maps their classes to them, as a user does whose model has other names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from shared.label_studio.label_config import LabelConfig


@dataclass(frozen=True)
class Setting:
    """What is added to a control tag: attributes of its own, and of its labels by their value.

    `note` says what a user sets who has another model.
    """

    attributes: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    note: str = ""

    def __str__(self) -> str:
        own = [f'{name}="{value}"' for name, value in self.attributes.items()]
        written = [f"`{text}`" for text in own]
        for label, attributes in self.labels.items():
            pairs = " ".join(f'{name}="{value}"' for name, value in attributes.items())
            written.append(f"`{pairs}` on {label}")
        return ", ".join(written) + (f"; {self.note}" if self.note else "")


def _means(**classes: str) -> Setting:
    """Let a label stand for a class: `_means(Car="circle")`."""
    return Setting(
        labels={label.replace("_", " "): {"predicted_values": c} for label, c in classes.items()}
    )


ASK = Setting({"model_backend": "prompt"})
# Thresholds that only a few objects of untrained networks reach.
MASKS = {"model_path": "masks.pt", "model_score_threshold": "0.4"}
FEW_MASKS = MASKS | {"model_score_threshold": "0.2"}
POINTS = {"model_path": "points.pt", "model_score_threshold": "0.42"}
# Of the networks for masks and key points, which are no starters.
NETWORKS = (MASKS["model_path"], POINTS["model_path"])
# The choice of a model with random weights.
ANY_SCORE = {"model_score_threshold": "0"}
VISION, SOUND = "computer-vision", "audio-speech-processing"

SETTINGS: Mapping[str, Mapping[str, Setting]] = {
    "community-contributions/breast-cancer-mammogram-classification": dict.fromkeys(
        (
            *("birads_left", "density_left", "findings_left"),
            *("birads_right", "density_right", "findings_right"),
        ),
        ASK,
    ),
    "community-contributions/ner-tagging-invoices-bio-format": {
        "ner": Setting(labels={"B-FORN": {"predicted_values": "Organization"}})
    },
    "community-contributions/two-level-sentiment-analysis-of-x-twitter-posts": dict.fromkeys(
        ("sentiment", "other-props"), ASK
    ),
    f"{VISION}/image-classification": {"choice": ASK},
    f"{VISION}/inventory-tracking": {"objects": Setting(FEW_MASKS)},
    f"{VISION}/keypoints": {
        "kp-1": Setting(POINTS, {"Face": {"predicted_values": "car", "model_index": "9"}})
    },
    f"{VISION}/medical-image-classification-with-bboxes": {
        "label": _means(Tumor="circle"),
        "classification": ASK,
    },
    f"{VISION}/multipage-documents": {"rectangles": _means(Title="square")},
    f"{VISION}/object-detection-with-bounding-boxes": {
        "label": _means(Airplane="circle", Car="square")
    },
    f"{VISION}/semantic-segmentation-with-masks": {"tag": Setting(MASKS)},
    f"{VISION}/semantic-segmentation-with-polygons": {"label": Setting(MASKS)},
    f"{VISION}/visual-question-answering": {"aspect": ASK},
    f"{SOUND}/conversational-analysis": {"label": ASK},
    f"{SOUND}/intent-classification": {
        "labels": _means(Segment="speech"),
        "intent": Setting(ANY_SCORE),
    },
    f"{SOUND}/sound-event-detection": {"label": _means(Event_A="speech", Event_B="noise")},
    f"{SOUND}/speaker-segmentation": {
        "label": Setting(
            labels={
                "Speaker one": {"predicted_values": "speech"},
                "Speaker two": {"predicted_values": "noise"},
            },
            note="several speakers are told apart by the pipeline in `AUDIO_SPEAKER_MODEL`",
        )
    },
    "conversational-ai/coreference-resolution-and-entity-linking": {"label": _means(Noun="Person")},
    "conversational-ai/intent-classification-and-slot-filling": {"intent": ASK},
    "conversational-ai/response-selection": {"resp": ASK},
    "generative-ai/chatbot-assessment": dict.fromkeys(
        (
            *("fails_to_follow", "inappropriate_for_customer", "hallucination"),
            *("satisfies_constraint", "contains_sexual", "contains_violent"),
            *("encourages_violence", "denigrates_protected_class", "gives_harmful_advice"),
            *("expresses_opinion", "expresses_moral_judgment"),
        ),
        ASK,
    ),
    "natural-language-processing/content-moderation": {"content_moderation": ASK},
    "natural-language-processing/question-answering": {"answer": ASK},
    "natural-language-processing/taxonomy": {"taxonomy": ASK},
    "natural-language-processing/text-classification": {"sentiment": ASK},
    "ranking-and-scoring/content-based-image-search": {"similar": ASK},
    "ranking-and-scoring/document-retrieval": {"selection": ASK},
    "ranking-and-scoring/serp-ranking": {"dynamic_choices": ASK, "confidence": ASK},
    "structured-data-parsing/html-entity-recognition": {"ner": _means(Author="Person")},
    "time-series-analysis/activity-recognition": {
        "label": Setting(labels={"Walk": {"model_method": "segments"}})
    },
    "videos/video-classification": {"choice": _means(Sharp="circle")},
    "videos/video-frame-classification": {"videoLabels": _means(Still="circle")},
    "videos/video-object-tracking": {"videoLabels": _means(Other="circle")},
    "videos/video-timeline-segmentation": {"tricks": _means(Trick="speech")},
}

MESSAGES = "it is about single messages of a [Chat](#chat)"
# Control tags that get nothing, and why no model could.
UNFILLED: Mapping[str, Mapping[str, str]] = {
    f"{VISION}/optical-character-recognition": {
        "poly": "the text's place is drawn once, as a rectangle (`bbox`)"
    },
    f"{SOUND}/speech-transcription": {
        "sentiment": "`speech` draws the segments and writes their words, and leaves what is to be"
        " said of each; without `transcription` the template is filled by `audio`, with the choices"
    },
    "chat/chat_red_team": dict.fromkeys(
        (
            *("user_risk", "user_jailbreak_tactic"),
            *("assistant_outcome", "assistant_refusal_quality"),
        ),
        MESSAGES,
    ),
    "chat/chat_rlhf": dict.fromkeys(
        (
            *("assistant_response_accuracy", "relevance", "correctness", "tone"),
            "message_comment",
        ),
        MESSAGES,
    ),
    "chat/chatbot": dict.fromkeys(
        ("accuracy", "documentation", "questions_answered", "style"), MESSAGES
    ),
}


def apply_settings(name: str, label_config: str) -> LabelConfig:
    """Return a template's label config with what is set in it."""
    settings = SETTINGS.get(name)
    if not settings:
        return LabelConfig.parse(label_config)
    root = ElementTree.fromstring(label_config)
    for control, setting in settings.items():
        [element] = [e for e in root.iter() if e.get("name") == control and e.get("toName")]
        element.attrib.update(setting.attributes)
        for label, attributes in setting.labels.items():
            [found] = [child for child in element if child.get("value") == label]
            found.attrib.update(attributes)
    return LabelConfig.parse(ElementTree.tostring(root, encoding="unicode"))


def named_controls() -> Iterator[tuple[str, str]]:
    """Yield template and control tag of all settings and reasons."""
    for table in (SETTINGS, UNFILLED):
        for template, controls in table.items():
            for control in controls:
                yield template, control
