"""Which of Ultralytics' tasks a label config is for."""

from shared.errors import SettingError
from shared.evaluation.dataset.image_classes import (
    BOX_TAGS,
    OUTLINE_TAGS,
    POINT_TAG,
    drawing_tags,
    picture_controls,
)
from shared.evaluation.dataset.options import YoloTask
from shared.label_studio.label_config import Control, LabelConfig

NEEDED = {
    YoloTask.detect: "a control tag that draws boxes, outlines or masks on an Image, or"
    " VideoRectangle",
    YoloTask.segment: "a control tag that draws boxes, outlines or masks on an Image",
    YoloTask.obb: "a control tag that draws boxes, outlines or masks on an Image",
    YoloTask.pose: "KeyPointLabels, and boxes on the same Image",
    YoloTask.classify: "Choices for the whole Image",
}


def choose_yolo_task(config: LabelConfig, wanted: YoloTask | None) -> YoloTask:
    """Return the wanted task, or the one that fits best; SettingError if it does not fit."""
    fitting = fitting_tasks(config)
    if wanted is not None and wanted in fitting:
        return wanted
    has = f"the label config has {config.describe_controls()}"
    fits = ", ".join(task.value for task in fitting) or "none of Ultralytics' tasks"
    if wanted is not None:
        raise SettingError(
            f"--task {wanted.value} needs {NEEDED[wanted]}, but {has}; what fits: {fits}"
        )
    if not fitting:
        raise SettingError(f"--format yolo: {has}, for which there is no task of Ultralytics")
    return fitting[0]


def fitting_tasks(config: LabelConfig) -> list[YoloTask]:
    """Return the tasks for which a label config has what it takes, the most telling first."""
    tags = drawing_tags(config)
    outlines, boxes = bool(tags & OUTLINE_TAGS), bool(tags & BOX_TAGS)
    fitting = []
    if boxes and any(control.tag == POINT_TAG for control in picture_controls(config)):
        fitting.append(YoloTask.pose)
    if outlines:
        fitting.append(YoloTask.segment)
    if boxes and not outlines and _turns_boxes(config):
        fitting.append(YoloTask.obb)
    if outlines or boxes or "VideoRectangle" in tags:
        fitting.append(YoloTask.detect)
    if outlines or boxes:
        fitting += [YoloTask.segment, YoloTask.obb]
    if image_choices(config):
        fitting.append(YoloTask.classify)
    return list(dict.fromkeys(fitting))


def image_choices(config: LabelConfig) -> list[Control]:
    """Return the Choices for whole images."""
    return [
        control
        for control, target in config.tag_pairs()
        if control.tag == "Choices" and target.tag == "Image" and not control.per_region
    ]


def _turns_boxes(config: LabelConfig) -> bool:
    """Return whether the config says that boxes are turned; by default the editor allows it."""
    return any(
        control.tag.removesuffix("Labels") in BOX_TAGS and control.get_flag("canRotate")
        for control in picture_controls(config)
    )
