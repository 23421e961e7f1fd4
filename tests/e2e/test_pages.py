"""The pages in a browser: each is opened and used; the playground's editor shows what was sent."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from shared.backend.example import FILES_ROOT, Example
from shared.backend.registry import find_backends
from tests.serving import Served, served
from tests.test_probes import p99, probe

from .conftest import label_studio_environment
from .editor import FLAGS, browser

pytestmark = pytest.mark.e2e

BACKENDS = ("detection", "ner", "text_classification", "ocr", "pattern")
PATHS = ("/", "/pages/projects", "/pages/playground", "/pages/doctor")
WIDTHS = {"wide": 1300, "phone": 400}
SERIALIZED = "() => Htx.annotationStore.predictions[0].serializeAnnotation()"
# What axe-core calls serious and can be told without it: names, labels, one main, contrast 4.5.
FAULTS = """() => {
  const faults = [];
  const named = (e) => e.getAttribute("aria-label") || e.labels?.length || e.textContent.trim();
  for (const e of document.querySelectorAll("a, button, select, textarea, summary, input"))
    if (e.type !== "hidden" && !named(e)) faults.push(`no name: ${e.outerHTML.slice(0, 80)}`);
  for (const e of document.querySelectorAll("img")) if (!e.alt) faults.push("image without alt");
  for (const e of document.querySelectorAll("svg")) if (!e.ariaLabel) faults.push("unnamed svg");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) faults.push(`ids twice: ${ids}`);
  for (const e of document.querySelectorAll("[aria-labelledby]"))
    if (!document.getElementById(e.getAttribute("aria-labelledby"))) faults.push("no such id");
  if (document.querySelectorAll("main").length !== 1) faults.push("no main");
  if (document.querySelectorAll("h1").length !== 1) faults.push("no h1");
  if (!document.documentElement.lang) faults.push("no language");
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const back = (e) => {
    for (; e; e = e.parentElement) {
      const found = rgb(getComputedStyle(e).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  for (const e of document.querySelectorAll("main *, header *")) {
    const words = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!words || !e.offsetParent || e.closest("svg") || e.matches(":disabled")) continue;
    const [a, b] = [rgb(getComputedStyle(e).color), back(e)].map(light);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5)
      faults.push(`contrast ${contrast.toFixed(2)}: ${e.textContent.slice(0, 30)}`);
  }
  return faults;
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    variables = {
        "DETECTION_MODEL": "starter",
        "NER_MODEL": "starter",
        "TEXT_CLASSIFICATION_MODEL": "starter",
        "LABEL_STUDIO_ASSETS": str(label_studio_environment()),
    }
    log = tmp_path_factory.mktemp("pages") / "log"
    with served(*BACKENDS, log=log, **variables) as running:
        running.wait("/ready", 300)
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if browser() is None and os.environ.get("CI") != "true":
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser(), args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1300, "height": 900})
    yield context.new_page()
    context.close()


def predict(page: Page) -> None:
    page.click("#predict")
    page.wait_for_function("() => !document.getElementById('predict').disabled", timeout=60_000)


def shown_editor(page: Page, times: int = 1) -> Any:
    page.wait_for_selector(f'iframe[data-shown="{times}"]', timeout=60_000)
    return next(frame for frame in page.frames if frame.url.endswith("/pages/editor/frame"))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_page_fits_and_has_no_fault(
    path: str, scheme: Any, width: str, server: Served, chromium: Browser, tmp_path: Path
) -> None:
    size = {"width": WIDTHS[width], "height": 800}
    context = chromium.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page, errors, foreign = context.new_page(), [], []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda r: foreign.append(r.url) if server.url not in r.url else None)
    page.goto(server.url + path)
    if path.endswith("playground"):
        page.select_option("#start", "ner:0")
        page.wait_for_url("**start=ner*")
        page.goto(f"{page.url}#")
        context.route("**/pages/editor/**", lambda route: route.abort())
        page.click("#predict")
        page.wait_for_selector("#drawing mark")
        errors.clear()  # the editor was kept away: its own page is not ours to judge
    if path.endswith("doctor"):
        page.click("text=Run the checks")
        page.wait_for_selector("tbody .state")
    faults = page.evaluate(FAULTS)
    overflow = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    picture = tmp_path / "page.png"
    page.screenshot(path=picture, full_page=True)
    context.close()
    assert (faults, errors, overflow) == ([], [], 0)
    assert [url for url in foreign if not url.startswith("data:")] == []
    assert picture.stat().st_size > 5000


@pytest.mark.parametrize("name", BACKENDS)
def test_editor_shows_what_each_starter_predicts(name: str, server: Served, page: Page) -> None:
    page.goto(f"{server.url}/pages/playground?start={name}:0")
    predict(page)
    assert page.locator("#result .problem").all_inner_texts() == []
    frame = shown_editor(page)
    sent = json.loads(page.locator("#shown").text_content() or "")["task"]["predictions"][0]
    frame.wait_for_function("() => Htx.annotationStore.predictions[0].results.length")
    drawn = frame.evaluate(SERIALIZED)
    assert sent["result"]
    key = ["id", "from_name", "type"]
    assert sorted([r.get(k) for k in key] for r in drawn if "id" in r) == sorted(
        [r.get(k) for k in key] for r in sent["result"] if "id" in r
    )
    values = {(r.get("id"), r["from_name"]): r["value"] for r in drawn}
    for result in sent["result"]:
        value = values[result.get("id"), result["from_name"]]
        for part in ("start", "end", "text", result["type"]):
            assert value.get(part) == result["value"].get(part)
        for part in ("x", "y", "width", "height"):
            assert value.get(part) == pytest.approx(result["value"].get(part), abs=1e-6)


def test_config_of_ones_own_and_a_dropped_file_are_predicted(
    server: Served, page: Page, tmp_path: Path
) -> None:
    page.goto(f"{server.url}/pages/playground?start=detection:1")
    page.set_input_files("#file", FILES_ROOT / "detection" / "examples" / "shapes-3.png")
    page.wait_for_function("() => document.getElementById('data').value.includes('data:image/png')")
    predict(page)
    shown_editor(page)
    assert page.locator("#result").inner_text().count("Nothing to complain about") == 1
    text = tmp_path / "own.txt"
    text.write_text("Angela Berg lives in Lisbon.")
    page.set_input_files("#file", text)
    assert "shows no text" in page.locator("#file-message").inner_text()
    page.fill("#config", "<View><Labels")
    predict(page)
    assert "label config" in page.locator("#result .problem").inner_text()


def test_file_over_the_limit_is_refused_before_it_is_read(
    server: Served, page: Page, tmp_path: Path
) -> None:
    page.goto(f"{server.url}/pages/playground?start=detection:0")
    before = page.input_value("#data")
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(2_000_000_000)  # sparse: it takes no space
    page.set_input_files("#file", huge)
    assert "huge.png has 2000 MB; 50 MB can be sent" in page.locator("#file-message").inner_text()
    assert page.input_value("#data") == before


def test_playground_works_without_script(server: Served, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/pages/playground?start=ner:0")
    page.click("#predict")
    assert page.locator("mark").count() >= 2
    context.close()


def test_pages_are_used_by_keyboard(server: Served, page: Page) -> None:
    page.goto(server.url)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/pages/projects")
    page.goto(f"{server.url}/pages/playground?start=ner:0")
    page.focus("#predict")
    page.keyboard.press("Enter")
    page.wait_for_selector("#result mark", state="attached")


def test_overview_stays_up_to_date(server: Served, page: Page) -> None:
    page.goto(server.url)
    before = page.locator("#live").inner_text()
    asked = Example.load(find_backends()["ner"]).predict_request()
    asked["tasks"] = [{"id": 1, "data": {"text": "Nobody else has asked for Angela Berg here."}}]
    httpx.post(f"{server.url}/ner/predict", json=asked, timeout=60).raise_for_status()
    page.wait_for_function(
        "(before) => document.getElementById('live').innerText !== before",
        arg=before,
        timeout=70_000,
    )


def test_server_that_is_gone_is_a_sentence(page: Page, server: Served) -> None:
    page.goto(f"{server.url}/pages/playground?start=ner:0")
    page.route("**/pages/playground*", lambda route: route.abort())
    predict(page)
    assert "did not answer" in page.locator("#result .problem").inner_text()


def test_browser_that_goes_away_costs_nothing(server: Served, page: Page) -> None:
    page.goto(f"{server.url}/pages/playground?start=ocr:0")
    page.click("#predict")
    page.close()
    server.wait("/ready", 30)
    assert "Traceback" not in server.log.read_text()


def test_password_opens_pages_and_editor(chromium: Browser, tmp_path: Path) -> None:
    variables = {
        "BASIC_AUTH_USER": "anna",
        "BASIC_AUTH_PASS": "hunter2",
        "LABEL_STUDIO_ASSETS": str(label_studio_environment()),
    }
    with served("pattern", log=tmp_path / "log", **variables) as server:
        server.wait()
        context = chromium.new_context(
            http_credentials={"username": "anna", "password": "hunter2", "origin": server.url}
        )
        page = context.new_page()
        page.goto(f"{server.url}/pages/playground")
        predict(page)
        frame = shown_editor(page)
        assert frame.evaluate(SERIALIZED)
        context.close()


def test_fifty_open_pages_cost_probes_nothing(server: Served) -> None:
    busy = probe_while_looking(server, 50)
    if (
        max(busy.values()) >= 0.1
    ):  # others keep the machine busy: what do probes take without pages?
        idle = probe_while_looking(server, 0)
        assert max(busy.values()) < 3 * max(idle.values()), (busy, idle)


def probe_while_looking(server: Served, count: int) -> dict[str, float]:
    """Return the 99th percentile of the seconds of each probe while so many pages are open."""
    stop = threading.Event()

    def look(delay: float) -> None:
        stop.wait(delay)
        with httpx.Client(base_url=server.url, verify=False, timeout=60) as client:
            while not stop.is_set():
                client.get("/", headers={"Accept": "text/html"}).raise_for_status()
                stop.wait(3)  # as script.js does

    lookers = [threading.Thread(target=look, args=(3 * at / 50,)) for at in range(count)]
    for looker in lookers:
        looker.start()
    threading.Timer(6, stop.set).start()
    times = probe(server.url, stop)
    for looker in lookers:
        looker.join()
    return {path: p99(seconds) for path, seconds in times.items()}
