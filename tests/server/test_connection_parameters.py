"""Extra parameters of a connection: told of once for a project, or given to a third-party class."""

import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from backends.pattern import PatternBackend
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.server.service import PredictionService
from shared.server.third_party_service import open_model
from shared.settings import Settings

CONFIG = """<View><Text name="t" value="$t"/>
<Labels name="l" toName="t"><Label value="Date"/></Labels></View>"""
MODEL = """
from label_studio_ml.model import LabelStudioMLBase

class Takes(LabelStudioMLBase):
    taken = []

    def predict(self, tasks, context=None, **kwargs):
        return [{"result": []} for _ in tasks]

    def set_extra_params(self, parameters):
        if parameters == "bad":
            raise ValueError("no JSON")
        self.taken.append(parameters)
"""


def setup(service: PredictionService, *parameters: Any, project: str = "3.1") -> None:
    with TestClient(create_app(service, Settings())) as client:
        for one in parameters:
            body = {"project": project, "schema": CONFIG, "extra_params": one}
            assert client.post("/setup", json=body).status_code == 200


def test_a_project_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    service = BackendService([PatternBackend], named=["pattern"])
    with caplog.at_level(logging.WARNING):
        setup(service, '{"api_key": "hunter2"}', '{"api_key": "hunter2"}', None, {"api_key": "x"})
        setup(service, {"model": "gpt"}, project="4.1")
    told = [one for one in caplog.messages if "extra parameters" in one]
    assert told == [
        "Project 3.1: the extra parameters of its connection have no effect: set PROMPT_API_KEY for"
        " api_key",
        "Project 4.1: the extra parameters of its connection have no effect: set PROMPT_MODEL for"
        " model",
    ]


def test_a_third_party_class_gets_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("label_studio_ml")
    (tmp_path / "takes_parameters.py").write_text(MODEL)
    service = open_model(f"{tmp_path}/takes_parameters.py:Takes")
    setup(service, '{"model": "gpt"}', "bad", {"a": 1}, None)
    import takes_parameters  # type: ignore[import-not-found]

    assert takes_parameters.Takes.taken == ['{"model": "gpt"}', {"a": 1}]
    assert "Takes takes no extra parameters of the connection" in caplog.messages
