"""The editor in a browser of its own: task after task, scripts that are not run, clear failures."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shared.editor.browser import EditorBrowser
from shared.errors import FetchError, TaskError
from shared.label_studio.label_config import LabelConfig
from shared.media.named_file import LocalPath

TEXT = LabelConfig.parse(
    '<View><Labels name="label" toName="text"><Label value="Person"/></Labels>'
    '<Text name="text" value="$text"/></View>'
)
HTML = LabelConfig.parse('<View><HyperText name="html" value="$html" inline="true"/></View>')
VIDEO = LabelConfig.parse('<View><Video name="video" value="$video"/></View>')
IMAGE = LabelConfig.parse('<View><Image name="image" value="$image"/></View>')
SCRIPTS = (
    "<script>window.ran = 1</script><img src='x:' onerror='window.ran = 2'>"
    "<svg onload='window.ran = 3'></svg><a href='javascript:window.ran = 4'>a</a>"
)


def task(text: str, end: int = 3, label: str = "Person") -> dict[str, Any]:
    value = {"start": 0, "end": end, "text": text[:end], "labels": [label]}
    result = {"id": "a", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    return {"data": {"text": text}, "predictions": [{"result": [result]}]}


def test_tasks_follow_each_other_in_one_page(browser: EditorBrowser) -> None:
    browser.ask("() => void (window.loadedOnce = true)")
    for name in ("Ann", "Bob", "Eve", "Tom", "Kim"):
        assert browser.show(TEXT, task(f"{name} came.")) == 1
        browser.select(0)
        assert browser.ask("() => prelabelDrawn.highlights()") == {"a": name}
    assert browser.ask("() => window.loadedOnce"), "a task costs no page"


def test_pictures_of_tasks_are_their_own(browser: EditorBrowser, tmp_path: Path) -> None:
    """Files of two tasks that were shown under one address: the second had the first's picture."""
    for size in ((30, 20), (40, 50)):
        path = tmp_path / f"{size[0]}.png"
        Image.new("RGB", size).save(path)
        picture = {"image": LocalPath.from_file(path.name, path)}
        browser.show(IMAGE, {"data": picture, "predictions": [{"result": []}]})
        browser.select(0)
        found = browser.ask("() => prelabelDrawn.boxes()")
        assert (found["width"], found["height"]) == size


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


@pytest.mark.parametrize("name", ["film.mp4", "film.avi"])
def test_a_video_that_the_browser_cannot_play(
    name: str, browser: EditorBrowser, tmp_path: Path
) -> None:
    """It ended after the whole timeout, without a reason: a <source> leaves no error.

    For a name that no browser plays the editor shows no <video>.
    """
    av = pytest.importorskip("av")
    path = tmp_path / name
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        file.mux([*stream.encode(av.VideoFrame(64, 48, "yuv420p")), *stream.encode()])
    film = {"video": LocalPath.from_file(path.name, path)}
    browser.show(VIDEO, {"data": film, "predictions": [{"result": []}]})
    with pytest.raises(TaskError, match="the browser cannot play the video: convert it to WebM"):
        browser.select(0)
    browser.show(TEXT, task("Ann came."))
    browser.select(0)
    assert browser.ask("() => prelabelDrawn.highlights()") == {"a": "Ann"}
