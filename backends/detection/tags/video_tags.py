"""Which control tags on a video are filled, by which networks, and what their attributes say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from backends.detection.model.detector import Look
from backends.detection.settings import DetectionSettings
from backends.detection.tags import tag_options
from shared.backend.base import spec_options
from shared.backend.claim import Claim, ModelSpec
from shared.errors import ConfigError
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag
from shared.settings import Settings

TAGS = ("VideoRectangle", "TimelineLabels", "Choices", "Taxonomy")
TRACKERS = ("botsort", "bytetrack")
# Score from which an object is followed, and from which a track begins, as Ultralytics has it.
LEAST, BEGIN = 0.1, 0.25
TIMELINE_THRESHOLD = 0.5
GAP = 5
SMOOTHING = 5
# A key frame is left out if it is less than a pixel off on a video this wide.
SIDE = 640

# Parameters of the trackers that are numbers, and the highest they may be.
NUMBERS = {
    "track_high_thresh": 1.0,
    "track_low_thresh": 1.0,
    "new_track_thresh": 1.0,
    "match_thresh": 1.0,
    "track_buffer": 10_000.0,
}
FLOW = "sparseOptFlow"
# Those that are words. A network that recognises objects would have to be downloaded.
WORDS = {
    "fuse_score": ("true", "false"),
    "gmc_method": (FLOW, "none"),
    "with_reid": ("false",),
}
UNTRAINED = (
    "{}: model_trainable and model_classifier_… are about a network that the official example"
    " trains on what users submit; there is none here: the model's own classes are used, which"
    " predicted_values can map to labels"
)


class VideoTagRequest(NamedTuple):
    """A control tag on a video, the network that it needs, and what becomes of its findings."""

    controls: tuple[Control, ...]
    network: ModelSpec
    options: Mapping[str, Any]
    step: int


def claims(config: LabelConfig, settings: DetectionSettings, server: Settings) -> list[Claim]:
    """The claims on all videos. Those on one share a model, so that it is decoded once."""
    return [claim for target in _videos(config) for claim in _on(target, config, settings, server)]


def _videos(config: LabelConfig) -> Iterable[ObjectTag]:
    return (target for target in config.objects.values() if target.tag == "Video")


def _on(
    target: ObjectTag, config: LabelConfig, settings: DetectionSettings, server: Settings
) -> list[Claim]:
    wishes = _united(
        [
            _wish(control, config, settings, server)
            for control, shown in config.pairs()
            if shown is target and control.tag in TAGS and not control.per_region
        ]
    )
    model = _model(wishes)
    made = [
        Claim(wish.controls, target, model, {**wish.options, "network": wish.network})
        for wish in wishes
    ]
    for claim in made:
        if any(key.startswith(("model_trainable", "model_classifier_")) for key in _given(claim)):
            claim.warn_once(UNTRAINED.format(claim.control))
    return made


def _united(wishes: Sequence[VideoTagRequest]) -> list[VideoTagRequest]:
    """Networks that differ in nothing but the least score that is looked at run once."""
    least: dict[ModelSpec, float] = {}
    for wish in wishes:
        alike = _from(wish.network, 0.0)
        own = dict(wish.network.options)["least"]
        least[alike] = min(own, least.get(alike, own))
    return [
        wish._replace(network=_from(wish.network, least[_from(wish.network, 0.0)]))
        for wish in wishes
    ]


def _looked_at(network: ModelSpec, look: Look) -> ModelSpec:
    """The network and how it is read: the frames are not kept to be read once more."""
    return replace(network, options=spec_options(**dict(network.options), **look._asdict()))


def _from(network: ModelSpec, least: float) -> ModelSpec:
    """The network, looked at from another least score."""
    run = {**dict(network.options), "least": least}
    return replace(network, options=spec_options(**run))


def _given(claim: Claim) -> Iterable[str]:
    """The attributes that say something."""
    attrs = claim.control.attrs.items()
    return (key for key, text in attrs if text.strip().lower() not in {"", "false"})


def _model(wishes: Sequence[VideoTagRequest]) -> ModelSpec:
    networks = dict.fromkeys(wish.network for wish in wishes)
    names = dict.fromkeys(PurePosixPath(network.model).name for network in networks)
    options = spec_options(
        networks=tuple((network.model, network.options) for network in networks),
        motion=any(wish.options.get("motion") for wish in wishes),
        step=min((wish.step for wish in wishes), default=1),
    )
    return ModelSpec("detection", ",".join(names), options)


def _wish(
    control: Control, config: LabelConfig, settings: DetectionSettings, server: Settings
) -> VideoTagRequest:
    network = _looked_at(
        tag_options.spec(control, settings, server), tag_options.look(control, settings)
    )
    step = int(control.number("model_frame_step", 1, low=1, high=1000))
    options: dict[str, Any] = {"classes": tag_options.options(control, settings)["classes"]}
    if control.tag == "VideoRectangle":
        beside = config.controls_on(control.to_name)
        labels = [other for other in beside if other.tag == "Labels"]
        threshold = control.number("model_score_threshold", settings.score_threshold, 0, 1)
        least = control.number("model_conf", min(LEAST, threshold), low=0, high=1)
        options |= _tracking(control, threshold, least)
        return VideoTagRequest((control, *labels[:1]), _from(network, least), options, step)
    timeline = control.tag == "TimelineLabels"
    default = TIMELINE_THRESHOLD if timeline else settings.score_threshold
    options["score_threshold"] = control.number("model_score_threshold", default, low=0, high=1)
    options["smoothing"] = int(control.number("model_smoothing", SMOOTHING, low=1, high=1000))
    return VideoTagRequest((control,), network, options, step)


def _tracking(control: Control, threshold: float, least: float) -> dict[str, Any]:
    tracker = control.attrs.get("model_tracker", "").strip() or TRACKERS[0]
    tracker = tracker.removesuffix(".yaml")
    if tracker not in TRACKERS:
        raise ConfigError(
            f'{control}: model_tracker="{tracker}" should be {" or ".join(TRACKERS)}', control.name
        )
    begin = min(BEGIN, max(threshold, least))
    parameters = {
        "new_track_thresh": begin,
        "track_high_thresh": begin,
        "track_low_thresh": min(LEAST, least),
        **({"fuse_score": False} if begin < BEGIN else {}),  # or no weak object would be confirmed
        **_parameters(control, tracker),
    }
    flow = tracker == "botsort" and parameters.get("gmc_method", FLOW) == FLOW
    return {
        "score_threshold": threshold,
        "least": least,
        "tracker": tracker,
        "parameters": tuple(sorted(parameters.items())),
        "motion": flow,
        "gap": int(control.number("model_max_gap", GAP, low=0, high=1000)),
        "tolerance": control.number("model_tolerance", -1, low=0, high=1000),
    }


def _parameters(control: Control, tracker: str) -> dict[str, Any]:
    """From attributes such as `botsort_track_buffer`."""
    found: dict[str, Any] = {}
    for key, text in control.attrs.items():
        name = key.removeprefix(f"{tracker}_")
        if name == key:
            continue
        if name in NUMBERS:
            number = control.number(key, 0, low=0, high=NUMBERS[name])
            found[name] = int(number) if name == "track_buffer" else number
        elif text.strip() in WORDS.get(name, ()):
            found[name] = text == "true" if name != "gmc_method" else text.strip()
        else:
            known = ", ".join([*NUMBERS, *(f"{n} ({'/'.join(w)})" for n, w in WORDS.items())])
            raise ConfigError(
                f'{control}: {key}="{text}" is no parameter of {tracker} that can be set here;'
                f" these are: {known}",
                control.name,
            )
    return found
