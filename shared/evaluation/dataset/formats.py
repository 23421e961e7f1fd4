"""Which writer a format has, and which media it needs."""

from shared.backend.extras import require
from shared.errors import SettingError
from shared.evaluation.dataset.labelled_series import LabelledSeriesWriter, check_series
from shared.evaluation.dataset.labelled_videos import LabelledVideoWriter, check_timelines
from shared.evaluation.dataset.options import DatasetFormat, DatasetOptions, YoloTask
from shared.evaluation.dataset.writer import DatasetWriter, WriterContext
from shared.evaluation.dataset.yolo_task import choose_yolo_task
from shared.label_studio.label_config import LabelConfig

# The library that each format needs, by the extra `dataset`.
LIBRARIES = {DatasetFormat.hf: "datasets", DatasetFormat.spacy: "spacy"}


def fetched_tags(config: LabelConfig, options: DatasetOptions) -> frozenset[str]:
    """Return the object tags whose media a format holds; SettingError if the two do not fit."""
    if options.task is not None and options.format is not DatasetFormat.yolo:
        raise SettingError(
            f"--task {options.task.value} is for --format yolo, not {options.format.value}"
        )
    if options.format in LIBRARIES:
        require(LIBRARIES[options.format], "dataset")
    if options.format is DatasetFormat.yolo:
        detects = choose_yolo_task(config, options.task) is YoloTask.detect
        return frozenset(("Image", "Video") if detects else ("Image",))
    if options.format is DatasetFormat.coco:
        return frozenset(("Image", "Video"))
    if options.format is DatasetFormat.video:
        check_timelines(config)
        return frozenset(("Video",))
    if options.format is DatasetFormat.series:
        check_series(config)
        return frozenset(("TimeSeries",))
    return frozenset(("Image", "Audio") if options.format is DatasetFormat.hf else ())


def create_writer(context: WriterContext) -> DatasetWriter:
    """Return the writer of the format; SettingError if the label config does not fit it."""
    chosen = context.options.format
    if chosen is DatasetFormat.yolo:
        return _create_yolo_writer(context)
    if chosen is DatasetFormat.coco:
        from shared.evaluation.dataset.coco import CocoWriter

        return CocoWriter(context)
    if chosen is DatasetFormat.hf:
        from shared.evaluation.dataset.hugging_face import HuggingFaceWriter

        return HuggingFaceWriter(context)
    if chosen is DatasetFormat.spacy:
        from shared.evaluation.dataset.spacy_docs import SpacyWriter

        return SpacyWriter(context)
    if chosen is DatasetFormat.video:
        return LabelledVideoWriter(context)
    if chosen is DatasetFormat.series:
        return LabelledSeriesWriter(context)
    from shared.evaluation.dataset.json_lines import JsonLinesWriter

    return JsonLinesWriter(context)


def _create_yolo_writer(context: WriterContext) -> DatasetWriter:
    from shared.evaluation.dataset.image_folders import ImageFolderWriter
    from shared.evaluation.dataset.yolo import YoloWriter

    task = choose_yolo_task(context.config, context.options.task)
    if task is YoloTask.classify:
        return ImageFolderWriter(context)
    return YoloWriter(context, task)
