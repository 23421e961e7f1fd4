"""The editor in a browser of its own: task after task, scripts that are not run, clear failures."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.editor.browser import EditorBrowser
from shared.errors import FetchError, TaskError
from shared.label_studio.label_config import LabelConfig
from shared.settings import Settings

from .conftest import label_studio_folder

TEXT = LabelConfig.parse(
    '<View><Labels name="label" toName="text"><Label value="Person"/></Labels>'
    '<Text name="text" value="$text"/></View>'
)
HTML = LabelConfig.parse('<View><HyperText name="html" value="$html" inline="true"/></View>')
IMAGE = LabelConfig.parse('<View><Image name="image" value="$image"/></View>')
SCRIPTS = (
    "<script>window.ran = 1</script><img src='x:' onerror='window.ran = 2'>"
    "<svg onload='window.ran = 3'></svg><a href='javascript:window.ran = 4'>a</a>"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[EditorBrowser]:
    with EditorBrowser(Settings(label_studio_assets=label_studio_folder()), timeout=15) as opened:
        yield opened


def task(text: str, end: int = 3, label: str = "Person") -> dict[str, Any]:
    value = {"start": 0, "end": end, "text": text[:end], "labels": [label]}
    result = {"id": "a", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    return {"data": {"text": text}, "predictions": [{"result": [result]}]}


def test_tasks_follow_each_other_in_one_page(browser: EditorBrowser) -> None:
    browser.show(TEXT, task("warm up"))
    start = time.monotonic()
    for name in ("Ann", "Bob", "Eve", "Tom", "Kim"):
        assert browser.show(TEXT, task(f"{name} came.")) == 1
        browser.select(0)
        assert browser.ask("() => prelabelDrawn.highlights()") == {"a": name}
    assert time.monotonic() - start < 5 * 1.5  # it takes 0.3 s each alone on two cores


def test_scripts_of_a_task_are_not_run(browser: EditorBrowser) -> None:
    data = {"data": {"html": SCRIPTS}, "predictions": [{"result": []}]}
    browser.show(HTML, data)
    browser.select(0)
    browser.ask("() => new Promise((done) => setTimeout(done, 300))")
    assert browser.ask("() => window.ran ?? null") is None


def test_scripts_of_labels_are_text(browser: EditorBrowser) -> None:
    name = "&lt;img src=x: onerror=window.ran=1&gt;"
    xml = TEXT.xml.replace("Person", name)
    browser.show(LabelConfig.parse(xml), task("Ann", label="<img src=x: onerror=window.ran=1>"))
    browser.select(0)
    assert browser.ask("() => window.ran ?? null") is None
    assert browser.ask("() => document.body.innerText").count("onerror") >= 1


def test_a_private_address_is_not_opened(browser: EditorBrowser) -> None:
    private = {"data": {"image": "http://127.0.0.1:9/a.png"}, "predictions": []}
    with pytest.raises(FetchError, match=r'"image" of Image "image": '):
        browser.show(IMAGE, private)


def test_a_file_that_is_no_image_costs_its_task_alone(browser: EditorBrowser) -> None:
    broken = {"data": {"image": "data:image/png;base64,AAAA"}, "predictions": [{"result": []}]}
    browser.show(IMAGE, broken)
    with pytest.raises(TaskError, match="image is not loaded"):
        browser.select(0)
    browser.show(TEXT, task("Ann came."))
    browser.select(0)
    assert browser.ask("() => prelabelDrawn.highlights()") == {"a": "Ann"}
