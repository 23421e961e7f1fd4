"""Train the backend of docs/add-a-backend.md from annotations, and print predictions: its folder.

Run as a file, in a copy of the repository whose `backends.mood` the guide has made.
"""

import json
import sys
from pathlib import Path

from backends.mood.backend import MoodBackend  # type: ignore[import-not-found]

from shared.backend import TrainedWeights, TrainingRun
from shared.evaluation.annotated_task import TaskReader
from shared.evaluation.dataset.build import BuildTools, build_dataset
from shared.evaluation.dataset.options import DatasetFormat, DatasetOptions
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.media.reader import MediaReader
from shared.pipeline.standalone import predict
from shared.settings import Settings

LABELS = ("Annoyed", "Puzzled")
# A project with a mood that the first weights do not know.
CONFIG = """<View><Text name="text" value="$text"/><Choices name="mood" toName="text">
<Choice value="Annoyed"/><Choice value="Puzzled"/></Choices></View>"""
SUBJECTS = ("the train", "this letter", "my phone", "the new rule", "your answer", "the bill")
SENTENCES = {
    "Annoyed": ("{} is awful", "I am angry about {}", "I hate {}"),
    "Puzzled": ("what does {} mean?", "I wonder about {}", "how does {} work?"),
}
UNSEEN = ("I wonder what the sign means", "the lift is awful", "how does the lift work?")


def main(folder: Path) -> None:
    """Build the dataset, train, and print the predictions for unseen texts."""
    config, problems, media = LabelConfig.parse(CONFIG), ProblemLog(), MediaReader(Settings())
    tasks = [
        {
            "id": number,
            "data": {"text": sentence.format(subject)},
            "annotations": [{"id": number, "result": [answer(mood)]}],
        }
        for number, (mood, sentence, subject) in enumerate(
            (mood, sentence, subject)
            for mood, sentences in SENTENCES.items()
            for sentence in sentences
            for subject in SUBJECTS
        )
    ]
    reader = TaskReader(config, media, problems)
    read = [task for number, raw in enumerate(tasks) if (task := reader.read(raw, number))]
    options = DatasetOptions(folder / "dataset", DatasetFormat(MoodBackend.dataset_format))
    build_dataset(read, config, options, BuildTools(media, problems))
    output = folder / "weights"
    output.mkdir()
    dataset = folder / "dataset"
    MoodBackend().train(TrainingRun(config, config.controls[0], LABELS, dataset, None, output))
    own = TrainedWeights("mood", output, "v1-1a2b3c4d")
    backend = MoodBackend(label_config=CONFIG, served=True, trained_weights={"mood": own})
    asked = [{"id": number, "data": {"text": text}} for number, text in enumerate(UNSEEN)]
    sys.stdout.write(json.dumps(predict(backend, asked)))


def answer(mood: str) -> dict[str, object]:
    """Return an annotator's answer."""
    names = {"from_name": "mood", "to_name": "text", "type": "choices"}
    return {**names, "value": {"choices": [mood]}}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
