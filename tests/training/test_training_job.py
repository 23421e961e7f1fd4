"""A training from an export file: what it leaves, and what it says."""

from .conftest import KEY, Trainings
from .words import texts


def test_a_first_training_serves(trainings: Trainings) -> None:
    result = trainings.run(texts(60))
    [outcome] = result["controls"]
    assert outcome["state"] == "serving"
    assert result["tasks"] == 60
    [version] = trainings.store.list_versions(KEY)
    assert trainings.store.serving_versions(KEY) == {"topic": version}
    assert trainings.context.message.startswith(
        f'Choices "topic" is served by {version.name}: accuracy 1.00'
    )
