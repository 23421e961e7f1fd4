import re
from pathlib import Path

import orjson
import pytest

from shared.errors import SettingError
from shared.evaluation.problems import ProblemLog
from shared.evaluation.report import ReportSources, write_report
from shared.label_studio.label_config import LabelConfig
from shared.results import (
    TextSpan,
    region,
    whole_task,
)
from tests.evaluation.gallery import (
    CONFIG,
    EVIL,
    GALLERY,
    TASK_URL,
    evaluate,
    gallery_task,
    sources_of,
    text_regions,
    written,
)
from tests.evaluation.tasks import annotation, prediction, raw_task


def test_page_needs_nothing_else(tmp_path: Path) -> None:
    page = written(GALLERY, tmp_path)
    assert re.findall(r'(?:src|href|action)="(?!#|data:)([^"]*)"', page) == [
        f"{TASK_URL}{task}" for task in (3, 2, 1)
    ]
    assert "@import" not in page
    assert "url(" not in page
    assert "<script" not in page


def test_json_holds_the_figures_and_the_problems(tmp_path: Path) -> None:
    report, evaluated, problems = evaluate(GALLERY)
    problems.add("the label config has no label", "task 9")
    write_report(tmp_path / "new" / "folder", report, sources_of(evaluated, problems))
    found = orjson.loads((tmp_path / "new" / "folder" / "report.json").read_bytes())
    listed = found.pop("problems")
    assert found == report
    assert listed == [{"problem": "the label config has no label", "count": 1, "tasks": ["task 9"]}]
    assert "the label config has no label" in (tmp_path / "new/folder/report.html").read_text()


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="the report cannot be written to"):
        written(GALLERY, tmp_path / "file")


def test_figures_stand_in_the_page(tmp_path: Path) -> None:
    text = re.sub(r"<[^>]+>|\s+", " ", written(GALLERY, tmp_path))
    text = re.sub(r" +", " ", text)
    # Of the boxes one is right (Car), one invented, one missed: 1/2 each. Only task 1 has any.
    assert "box RectangleLabels label tasks true predicted precision recall F1" in text
    assert "all labels 3 2 2 0.500 0.500–0.500 0.500 0.500–0.500 0.500 0.500–0.500" in text
    assert "bad 0 1 0.000 0.000–0.000 no cases 0.000" in text


def test_figures_that_labels_do_not_have_are_left_blank(tmp_path: Path) -> None:
    """Unlike those that only some of them lack, which have no cases."""
    report, evaluated, problems = evaluate(GALLERY)
    part = report["versions"]["v1"]["controls"]["quality"]
    part |= {"accuracy": 0.25, "schemes": {"strict": {"f1": 0.75}}}
    page = write_report(tmp_path, report, sources_of(evaluated, problems)).read_text()
    table = page.partition('aria-label="Figures of quality"')[2].partition("</table>")[0]
    rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in table.split("</tr>")]
    assert rows[1].endswith("0.000 0.000–0.000 0.250")
    assert rows[2] == "bad 0 1 0.000 0.000–0.000 no cases 0.000 0.000–0.000"
    matches = page.partition("Matches of quality by scheme")[2].partition("</table>")[0]
    assert "offsets and label" in matches
    assert "0.750" in matches


def test_further_parts_stand_in_the_page(tmp_path: Path) -> None:
    """As `prelabel evaluate` adds them with --thresholds, --agreement and --label-errors."""
    report, evaluated, problems = evaluate(GALLERY)
    point = {"score": 0.42, "precision": 0.95, "recall": 0.5, "f1": 0.655}
    counts = {"predicted": 1200, "truths": 2000}
    report["thresholds"] = {
        "v1": [
            {"control": "box", "label": None, "point": point | counts},
            {"control": "box", "label": "Car", "point": None, "note": "no true regions"},
        ]
    }
    pairs = {"ann": {"bob": {"agreement": 0.5, "tasks": 3}}}
    agreed = {"tag": "Choices", "tasks": 3, "annotations": 6, "agreement": 0.5, "alpha": 0.25}
    report["agreement"] = {
        "tasks": 4,
        "controls": {"quality": {**agreed, "pairs": pairs}, "box": {"tag": "A", "tasks": 0}},
    }
    issue = {"control": "quality", "label": "good", "kind": "label", "suggestion": "bad"}
    report["label_errors"] = [
        {"task": 12, "confidence": 0.93, "region": "", **issue},
        {"task": "<i>", "confidence": 0.9, "region": "", **issue},
    ]
    page = write_report(tmp_path, report, sources_of(evaluated, problems, TASK_URL)).read_text()
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "box all labels 0.42 0.950 0.500 0.655 1,200 2,000" in text
    assert "box Car no true regions" in text
    assert "quality all 3 0.500 0.250 ann and bob 3 0.500 box all 0 no cases" in text
    assert f'<a href="{TASK_URL}12" target="_blank" rel="noopener">12</a>' in page
    assert "12 quality label good bad 0.930 &lt;i&gt; quality" in text
    report |= {"thresholds": {"v1": []}, "label_errors": []}
    page = write_report(tmp_path, report, sources_of(evaluated, problems, TASK_URL)).read_text()
    assert "no cases: no predictions have scores" in page
    assert "no cases: the predictions contradict no annotation" in page


def test_nothing_to_show_is_said(tmp_path: Path) -> None:
    report = {"versions": {}}
    sources = ReportSources({}, ProblemLog(), sources_of(*evaluate(())[1:]).media)
    page = write_report(tmp_path, report, sources).read_text()
    assert "No version was evaluated: no cases" in page
    page = written([raw_task({}, [annotation()], [prediction()])], tmp_path)
    assert page.count('<p class="none">no cases</p>') == len(CONFIG.controls)
    assert "worst tasks: none" in page


def test_versions_stand_side_by_side(tmp_path: Path) -> None:
    first, one, problems = evaluate(GALLERY, "v1")
    second, other, _ = evaluate(GALLERY[:1], "v1")
    report = {**first, "versions": {"v1": first["versions"]["v1"], "v2": second["versions"]["v1"]}}
    media = sources_of(one, problems).media
    sources = ReportSources({"v1": one, "v2": other}, problems, media)
    page = write_report(tmp_path, report, sources).read_text()
    table = page.partition('id="comparison"')[2].partition("</table>")[0]
    [entity] = [part for part in table.split("</tbody>") if ">entity<" in part]
    rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in entity.split("</tr>")]
    # Of the entities one of three predicted is right; task 1 alone has none.
    assert rows[0] == "entity tasks · true · predicted 3 · 4 · 3 1"
    assert rows[1] == "precision 0.333 0.333–0.333 no cases"
    assert page.count("data:image/jpeg") == 1  # the same image in both


def test_user_content_is_escaped_everywhere(tmp_path: Path) -> None:
    config = LabelConfig.parse(
        '<View><Text name="t" value="$t"/><Labels name="l" toName="t"/>'
        '<Choices name="c" toName="t"/><TextArea name="a" toName="t"/></View>'
    )
    [label, choice, area] = config.controls
    said = [
        region(TextSpan(0, 30), {label: [EVIL]}, EVIL * 2),
        whole_task(choice, EVIL),
        whole_task(area, [EVIL]),
    ]
    task = raw_task({"t": EVIL * 2}, [annotation(said)], [prediction([], EVIL)], EVIL)
    report, evaluated, problems = evaluate([task], EVIL, config)
    report["versions"][EVIL]["controls"]["c"]["confusion"] = {EVIL: {EVIL: 1}}
    problems.add(EVIL, EVIL)
    sources = sources_of(evaluated, problems, TASK_URL)
    sources = ReportSources(sources.versions, problems, sources.media, EVIL, TASK_URL)
    page = write_report(tmp_path, report, sources).read_text()
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") > 10
    assert 'href="http' not in page  # the id is no number


def test_lone_surrogates_of_a_text_are_written(tmp_path: Path) -> None:
    written([gallery_task(1, text_regions, text="\ud800" + "x" * 80)], tmp_path)
