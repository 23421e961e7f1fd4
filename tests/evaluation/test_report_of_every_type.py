from pathlib import Path

import pytest

from shared.backend.process_resources import shared_resources
from shared.evaluation.evaluation import Evaluation
from shared.evaluation.problems import ProblemLog
from shared.evaluation.report import ReportSources, write_report
from shared.evaluation.report.drawings import TaskDrawer
from shared.label_studio.label_config import LabelConfig
from tests.e2e.every_type import ROWS, SCENES, Row
from tests.evaluation.tasks import annotation, prediction, raw_task, read_task


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_regions_of_every_control_tag_are_shown(row: Row, tmp_path: Path) -> None:
    """All predicted and nothing true: each is an invention, by the real metrics."""
    scene = SCENES[row.scene]
    built = [one for one in row.regions() if one.results[0]["type"] != "relation"]
    raw = raw_task(scene.data(), [annotation()], [prediction(built)])
    config, problems = LabelConfig.parse(scene.config), ProblemLog()
    evaluation = Evaluation(config)
    task = read_task(raw, config, problems)
    assert task is not None
    evaluation.add(task)
    media = shared_resources().media
    sources = ReportSources(evaluation.versions, problems, media)
    page = write_report(tmp_path, evaluation.report(), sources).read_text()
    [version] = evaluation.versions.values()
    [result] = version.worst_tasks()
    drawing = TaskDrawer(media).draw(result)
    shown = sum(len(one.marks) for one in drawing.drawings) + len(drawing.values)
    assert shown > 0
    assert all(one.picture or one.lines or one.timeline for one in drawing.drawings)
    assert all(not one.reason for one in drawing.drawings)
    assert "The 1 worst task<" in page
