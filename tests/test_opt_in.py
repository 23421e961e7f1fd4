"""Rules mark texts only where somebody asked for them, whatever else is installed."""

from typing import Any

import pytest

pytest.importorskip("transformers")

from shared.backend.registry import choose_backends
from shared.pipeline.scheduling.request_scope import RequestScope
from shared.server.backend_service import BackendService
from shared.server.http_messages import PredictRequest

XML = """<View><Labels name="label" toName="text" ATTRS>
<Label value="Person"/><Label value="Date"/><Label value="Ordinal"/></Labels>
<Text name="text" value="$text"/></View>"""
TEXT = "Angela Berg came third on 3 May 2024."


@pytest.mark.parametrize(
    ("named", "attrs", "filled_by"),
    [
        pytest.param((), "", "ner", id="all-installed"),
        pytest.param(("ner", "detection", "ocr"), "", "ner", id="others-named"),
        pytest.param((), 'model_backend="ner"', "ner", id="another-by-the-tag"),
        pytest.param(("pattern",), "", "pattern", id="named"),
        pytest.param((), 'model_backend="pattern"', "pattern", id="by-the-tag"),
    ],
)
def test_rules_are_off_unless_asked_for(
    named: tuple[str, ...], attrs: str, filled_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NER_MODEL", "starter")
    service = BackendService(choose_backends(named), named)
    xml = XML.replace("ATTRS", attrs)
    request = PredictRequest.model_validate(
        {"tasks": [{"id": 1, "data": {"text": TEXT}}], "label_config": xml}
    )
    [answer] = service.predict(request, None, RequestScope())
    assert isinstance(answer, dict)
    assert answer["model_version"].startswith(filled_by)
    values: list[Any] = [result["value"] for result in answer["result"]]
    found = {(value["labels"][0], value["text"]) for value in values}
    assert (("Ordinal", "third") in found) == (filled_by == "pattern")
    assert (("Person", "Angela Berg") in found) == (filled_by == "ner")
