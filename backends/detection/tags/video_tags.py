"""Which control tags on videos are filled, by which networks, and what their attributes ask for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from backends.detection.model.detector import Thresholds
from backends.detection.settings import DetectionSettings
from backends.detection.tags import tag_options
from shared.backend.base import spec_options
from shared.backend.claim import Claim, ModelSpec
from shared.errors import ConfigError
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag

TAGS = ("VideoRectangle", "TimelineLabels", "Choices", "Taxonomy")
TRACKERS = ("botsort", "bytetrack")
# Scores from which an object is followed, and from which it starts a track: Ultralytics' defaults.
FOLLOW_SCORE, NEW_TRACK_SCORE = 0.1, 0.25
TIMELINE_SCORE_THRESHOLD = 0.5
MAX_GAP_FRAMES = 5
SMOOTHING_FRAMES = 5

# Numeric parameters of the trackers, with their upper limits.
NUMERIC_PARAMETERS = {
    "track_high_thresh": 1.0,
    "track_low_thresh": 1.0,
    "new_track_thresh": 1.0,
    "match_thresh": 1.0,
    "track_buffer": 10_000.0,
}
OPTICAL_FLOW = "sparseOptFlow"
# The other parameters, with their values. Re-identification would need one more network, which
# Ultralytics would download.
WORD_PARAMETERS = {
    "fuse_score": ("true", "false"),
    "gmc_method": (OPTICAL_FLOW, "none"),
    "with_reid": ("false",),
}

# Returns the network that fills a control tag.
ChooseNetwork = Callable[[Control], ModelSpec]


class VideoTagRequest(NamedTuple):
    """A control tag on a video (and its Labels), the network that it needs, and its options."""

    controls: tuple[Control, ...]
    network: ModelSpec
    options: Mapping[str, Any]
    frame_step: int


def claim_videos(
    config: LabelConfig, settings: DetectionSettings, choose_network: ChooseNetwork
) -> list[Claim]:
    """Return the claims on all videos. Those on one video share a model, so it is decoded once."""
    return [
        claim
        for target in config.objects.values()
        if target.tag == "Video"
        for claim in _claim_video(target, config, settings, choose_network)
    ]


def _claim_video(
    target: ObjectTag,
    config: LabelConfig,
    settings: DetectionSettings,
    choose_network: ChooseNetwork,
) -> list[Claim]:
    requests = _merge_min_scores(
        [
            _read_request(control, config, settings, choose_network(control))
            for control, shown in config.tag_pairs()
            if shown is target and control.tag in TAGS and not control.per_region
        ]
    )
    model = _build_model_spec(requests)
    return [
        Claim(request.controls, target, model, {**request.options, "network": request.network})
        for request in requests
    ]


def _merge_min_scores(requests: Sequence[VideoTagRequest]) -> list[VideoTagRequest]:
    """Let networks that differ in nothing but their minimum score run once, with the lowest."""
    lowest: dict[ModelSpec, float] = {}
    for request in requests:
        network = _with_min_score(request.network, 0.0)
        min_score = dict(request.network.options)["min_score"]
        lowest[network] = min(min_score, lowest.get(network, min_score))
    return [
        request._replace(
            network=_with_min_score(request.network, lowest[_with_min_score(request.network, 0.0)])
        )
        for request in requests
    ]


def _with_thresholds(network: ModelSpec, thresholds: Thresholds) -> ModelSpec:
    """Fix how the output is decoded: a frame is not kept, so it cannot be decoded once more."""
    options = {**dict(network.options), **thresholds._asdict()}
    return replace(network, options=spec_options(**options))


def _with_min_score(network: ModelSpec, min_score: float) -> ModelSpec:
    options = {**dict(network.options), "min_score": min_score}
    return replace(network, options=spec_options(**options))


def _build_model_spec(requests: Sequence[VideoTagRequest]) -> ModelSpec:
    """Build the spec of the model that runs all networks on a video's frames."""
    networks = dict.fromkeys(request.network for request in requests)
    names = dict.fromkeys(
        network.trained_version or PurePosixPath(network.model).name for network in networks
    )
    options = spec_options(
        networks=tuple(
            (network.model, network.options, network.trained_version) for network in networks
        ),
        estimates_motion=any(request.options.get("camera_motion") for request in requests),
        frame_step=min((request.frame_step for request in requests), default=1),
    )
    return ModelSpec("detection", ",".join(names), options)


def _read_request(
    control: Control, config: LabelConfig, settings: DetectionSettings, network: ModelSpec
) -> VideoTagRequest:
    network = _with_thresholds(network, tag_options.read_thresholds(control, settings))
    frame_step = int(control.get_number("model_frame_step", 1, low=1, high=1000))
    options: dict[str, Any] = {"classes": tag_options.read_classes(control, settings, network)}
    if control.tag == "VideoRectangle":
        labels = [other for other in config.controls_on(control.to_name) if other.tag == "Labels"]
        options |= _read_tracking_options(control, settings)
        network = _with_min_score(network, options["min_score"])
        return VideoTagRequest((control, *labels[:1]), network, options, frame_step)
    is_timeline = control.tag == "TimelineLabels"
    default = TIMELINE_SCORE_THRESHOLD if is_timeline else settings.score_threshold
    options["score_threshold"] = control.get_number("model_score_threshold", default, low=0, high=1)
    options["smoothing"] = int(control.get_number("model_smoothing", SMOOTHING_FRAMES, 1, 1000))
    return VideoTagRequest((control,), network, options, frame_step)


def _read_tracking_options(control: Control, settings: DetectionSettings) -> dict[str, Any]:
    tracker = control.attrs.get("model_tracker", "").strip() or TRACKERS[0]
    tracker = tracker.removesuffix(".yaml")
    if tracker not in TRACKERS:
        raise ConfigError(
            f'{control}: model_tracker="{tracker}" should be {" or ".join(TRACKERS)}', control.name
        )
    threshold = control.get_number("model_score_threshold", settings.score_threshold, low=0, high=1)
    min_score = control.get_number("model_conf", min(FOLLOW_SCORE, threshold), low=0, high=1)
    start_score = min(NEW_TRACK_SCORE, max(threshold, min_score))
    parameters: dict[str, Any] = {
        "new_track_thresh": start_score,
        "track_high_thresh": start_score,
        "track_low_thresh": min(FOLLOW_SCORE, min_score),
    }
    if start_score < NEW_TRACK_SCORE:
        # A match's cost would be scaled by the score: no weak object would ever be confirmed.
        parameters["fuse_score"] = False
    parameters |= _read_tracker_parameters(control, tracker)
    return {
        "score_threshold": threshold,
        "min_score": min_score,
        "tracker": tracker,
        "parameters": tuple(sorted(parameters.items())),
        "camera_motion": tracker == "botsort"
        and parameters.get("gmc_method", OPTICAL_FLOW) == OPTICAL_FLOW,
        "max_gap": int(control.get_number("model_max_gap", MAX_GAP_FRAMES, low=0, high=1000)),
        "tolerance": control.get_number("model_tolerance", -1, low=0, high=1000),
    }


def _read_tracker_parameters(control: Control, tracker: str) -> dict[str, Any]:
    """Read attributes such as `botsort_track_buffer`."""
    parameters: dict[str, Any] = {}
    for key, text in control.attrs.items():
        name = key.removeprefix(f"{tracker}_")
        if name == key:
            continue
        if name in NUMERIC_PARAMETERS:
            number = control.get_number(key, 0, low=0, high=NUMERIC_PARAMETERS[name])
            parameters[name] = int(number) if name == "track_buffer" else number
        elif text.strip() in WORD_PARAMETERS.get(name, ()):
            parameters[name] = text.strip() if name == "gmc_method" else text == "true"
        else:
            words = (f"{n} ({'/'.join(values)})" for n, values in WORD_PARAMETERS.items())
            raise ConfigError(
                f'{control}: {key}="{text}" is not a parameter of {tracker} that can be set;'
                f" available: {', '.join([*NUMERIC_PARAMETERS, *words])}",
                control.name,
            )
    return parameters
