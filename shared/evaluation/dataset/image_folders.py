"""Datasets for classifiers of images: a folder of pictures for each choice."""

import json
from collections.abc import Sequence

from shared.evaluation.annotated_task import labels_of
from shared.evaluation.dataset.file_names import distinct_file_names
from shared.evaluation.dataset.pictures import Picture, PictureReader
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.workspace import place_file, write_file
from shared.evaluation.dataset.writer import SampleFile, WriterContext
from shared.evaluation.dataset.yolo_task import image_choices

CLASSES = "classes.json"


class ImageFolderWriter:
    """Writes PART/CHOICE/NAME.jpg; classes.json holds the choice of each folder's name."""

    def __init__(self, context: WriterContext) -> None:
        self._context = context
        self._pictures = PictureReader(context.config)
        [self._control, *others] = image_choices(context.config)
        if others:
            what = f"{self._control} makes the classes, the first Choices of the label config"
            context.problems.add(what)
        self._folders = distinct_file_names(context.labels[self._control.name])
        for part in context.options.split_names:
            for folder in self._folders.values():
                (context.folder / part / folder).mkdir(parents=True)

    def add(self, part: str, sample: Sample, files: Sequence[SampleFile]) -> None:
        """Put the sample's pictures into the folders of their choices."""
        for picture in self._pictures.read(sample, files):
            choice = self._choice_of(picture)
            if choice is not None:
                folder = self._context.folder / part / self._folders[choice]
                place_file(picture.path, folder / picture.name)

    def _choice_of(self, picture: Picture) -> str | None:
        chosen = labels_of(self._control, picture.answers.get(self._control.name))
        if len(chosen) == 1:
            return chosen[0]
        what = f"{len(chosen)} choices of {self._control}" if chosen else f"no {self._control}"
        self._context.problems.add(
            f"a picture with {what} is left out: a folder stands for exactly one", picture.task
        )
        return None

    def finish(self) -> None:
        """Write classes.json."""
        names = {folder: label for label, folder in self._folders.items()}
        text = json.dumps(names, ensure_ascii=False, indent=1) + "\n"
        write_file(self._context.folder / CLASSES, text.encode())
