"""What label-studio-ml's own server calls to train."""

import pytest

from backends.pattern import PatternBackend
from shared.backend.base import Backend
from tests.training.words import WordsBackend


@pytest.mark.parametrize(
    ("backend", "is_told"),
    [(WordsBackend, True), (PatternBackend, False)],
    ids=["trainable", "not trainable"],
)
def test_a_server_that_does_not_train_says_so(
    backend: type[Backend], is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert backend().fit("START_TRAINING", {}) == {}
    assert ("Serve it by `prelabel serve`" in caplog.text) is is_told
