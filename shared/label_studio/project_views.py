"""Views (tabs) of a project's Data Manager: created or replaced by our own mark, and removed."""

from collections.abc import Container, Iterable, Sequence
from typing import Any, NamedTuple

from shared.label_studio.project import Project
from shared.label_studio.task_keys import KEY_PREFIX, column_of

# The key in a view's data that tells which of our views it is: the key of the tasks' data by which
# it was made to sort. Label Studio keeps unknown keys, but its page loses them when it saves a
# view, and it does so when someone only opens one: then the title and the order tell.
MARK_KEY = "prelabel"
WORST_TITLE = "Worst predictions first"
ERRORS_TITLE = "Annotations that may be wrong"
NEXT_TITLE = "Label next"
TITLES = (WORST_TITLE, ERRORS_TITLE, NEXT_TITLE)
# Columns that a new view does not show, so that those of the data, which come last, are on the
# screen.
HIDDEN_COLUMNS = (
    *("completed_at", "cancelled_annotations", "annotators"),
    *("inner_id", "annotations_results", "annotations_ids", "predictions_score"),
    *("predictions_model_versions", "predictions_results", "file_upload", "storage_filename"),
    *("created_at", "updated_at", "updated_by", "avg_lead_time", "draft_exists"),
)


class MarkedView(NamedTuple):
    """One of our views: its id, mark and data."""

    id: int
    mark: str
    data: dict[str, Any]


class ProjectViews:
    """Our views in a project. Those of users are never changed."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def save(
        self,
        mark: str,
        title: str,
        ordering: Sequence[str],
        number_columns: Iterable[str] = (),
        filters: Sequence[dict[str, Any]] = (),
    ) -> int:
        """Create the view with a mark, or replace it; return its id.

        `ordering` are columns such as `-tasks:data.score`, of which Label Studio reads the first.
        It sorts a column of the data as text unless it is among `number_columns`. The labelling
        stream follows the order with "Label Tasks As Displayed" (not with "Label All Tasks"), and
        always as text on PostgreSQL: the browser sends it `ordering` and `filters` alone.
        """
        columns = list(number_columns)
        widths = {column: _column_width(column) for column in columns}
        data: dict[str, Any] = {
            MARK_KEY: mark,
            "title": title,
            "type": "list",
            "target": "tasks",
            "ordering": list(ordering),
            "columnsDisplayType": dict.fromkeys(columns, "Number"),
            "filters": {"conjunction": "and", "items": list(filters)},
        }
        known = next((view for view in self.list_marked() if view.mark == mark), None)
        with self._project.named_errors(f'saving the view "{title}"'):
            if known is None:
                data |= {"hiddenColumns": _hidden_columns(), "columnsWidth": widths}
                return int(self._project.client.views.create(**self._request(data)).id)
            # What the user has changed of it, such as the widths of columns, stays.
            merged = {**known.data, **data}
            view = self._project.client.views.update(str(known.id), **self._request(merged))
            return int(view.id)

    def remove(self, *prefixes: str, keep: Container[str] = ()) -> int:
        """Remove our views whose mark begins with one of `prefixes`; return how many there were.

        Those whose mark is in `keep` stay.
        """
        marked = [one for one in self.list_marked() if one.mark.startswith(prefixes)]
        views = [one for one in marked if one.mark not in keep]
        for view in views:
            with self._project.named_errors("removing a view"):
                self._project.client.views.delete(str(view.id))
        return len(views)

    def list_marked(self) -> list[MarkedView]:
        """Return our views."""
        with self._project.named_errors("reading its views"):
            views = self._project.client.views.list(project=self._project.number)
        found = [(view.id, _plain(view.data)) for view in views]
        marked = [(number, read_mark(data), data) for number, data in found]
        return [MarkedView(number, mark, data) for number, mark, data in marked if mark is not None]

    def _request(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"project": self._project.number, "data": data}


def read_mark(data: dict[str, Any]) -> str | None:
    """Return the mark of a view of ours; None of a user's own."""
    if MARK_KEY in data:
        return str(data[MARK_KEY])
    title = str(data.get("title", ""))
    ordering = data.get("ordering") or [""]
    sorts_by = str(ordering[0]).removeprefix("-")
    ours = title in TITLES or title.startswith(f"{WORST_TITLE} (")
    if not ours or not sorts_by.startswith(column_of(KEY_PREFIX)):
        return None
    return sorts_by.removeprefix(column_of(""))


def _hidden_columns() -> dict[str, list[str]]:
    """Return what is hidden in the list of tasks, and in the list beside the editor."""
    hidden = [f"tasks:{column}" for column in HIDDEN_COLUMNS]
    return {"explore": hidden, "labeling": [*hidden, "tasks:id", "tasks:total_predictions"]}


def _column_width(column: str) -> int:
    """Return the pixels in which a column's title can be read whole."""
    return 50 + 8 * len(column.removeprefix("tasks:data."))


def _plain(data: Any) -> dict[str, Any]:
    if data is None or isinstance(data, dict):
        return data or {}
    plain: dict[str, Any] = data.dict()
    return plain
