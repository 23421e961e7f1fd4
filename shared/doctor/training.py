"""Checks of what a training needs: settings, a tag to train, examples. Predictions need none."""

from collections.abc import Iterator, Mapping

from shared.backend.registry import find_backends, split_available
from shared.doctor.check import Check, ok_check, warning_check
from shared.doctor.session import DoctorSession
from shared.evaluation.dataset.label_index import MAX_NAMED_LABELS
from shared.pipeline.runtime import runtime
from shared.training.examples import MIN_TASKS
from shared.training.trainable import (
    ServingBackends,
    TrainableTag,
    describe_obstacles,
    find_trainable,
)

Counts = Mapping[str, Mapping[str, int]]


def check_setup(session: DoctorSession) -> Iterator[Check]:
    """Check that the server has what every training needs."""
    if not session.backend_names:
        yield ok_check("Training", "not known for this server")
        return
    session.training = session.ask_server("/status").json().get("training") or {}
    obstacle, names = session.training.get("obstacle"), session.training.get("trainable")
    if not names:
        yield ok_check("Training", "nothing that serves here can be trained")
    elif obstacle:
        yield warning_check("Training", "train_setting", obstacle)
    else:
        each = session.training["each_n_updates"]
        when = f"after {each} changed annotations, or when asked" if each else "when asked"
        yield ok_check("Training", f"{', '.join(names)}: {when}")


def check_examples(session: DoctorSession) -> Iterator[Check]:
    """Check that the project has a control tag to train, and annotations to learn from."""
    if not session.training.get("trainable"):
        return
    yield from _check_last_job(session)
    tags = _find_tags(session)
    trainable = [tag for tag in tags if tag.can_train]
    if tags and not trainable:
        yield warning_check("Examples", "train_tags", describe_obstacles(tags))
        return
    counts = _count_labels(session)
    lacking = [line for tag in trainable for line in _describe_rare(tag, counts)]
    for line in lacking:
        yield warning_check("Examples", "train_examples", line, count=MIN_TASKS)
    if not lacking:
        names = ", ".join(str(tag.control) for tag in trainable) or "its control tags"
        yield ok_check("Examples", f"{names} can be trained")


def _check_last_job(session: DoctorSession) -> Iterator[Check]:
    known = session.training.get("projects", {}).get(session.project.key, {})
    last = known.get("last_job", {})
    if known.get("obstacle"):
        yield warning_check("Examples", "train_failed", known["obstacle"])
    elif last.get("state") == "failed":
        message = f"job {last['id']} failed: {last.get('message', 'no reason is known')}"
        yield warning_check("Examples", "train_failed", message)


def _find_tags(session: DoctorSession) -> list[TrainableTag]:
    """Return the control tags; none if the server's backends are not installed here."""
    found = find_backends()
    known = [found[name] for name in session.backend_names if name in found]
    classes, problems = split_available(known)
    if problems or len(classes) < len(session.backend_names):
        return []
    backends = ServingBackends(classes, session.backend_names)
    return find_trainable(backends.plan(runtime().planner, session.label_config, {}))


def _count_labels(session: DoctorSession) -> Counts:
    """Return how often each label is given in annotations, by control tag, as Label Studio counts.

    These are regions, and so at least as many as tasks.
    """
    path = f"/api/projects/{session.project_id}/summary/"
    found = session.ask_label_studio("GET", path).raise_for_status().json()
    counts: Counts = found.get("created_labels") or {}
    return counts


def _describe_rare(tag: TrainableTag, counts: Counts) -> Iterator[str]:
    """Yield that labels of a control tag have too few examples, in one line."""
    given = counts.get(tag.control.name, {})
    rare = [
        f'"{label}" {given.get(label, 0)}'
        for label in tag.control.labels
        if given.get(label, 0) < MIN_TASKS
    ]
    if rare:
        more = len(rare) - MAX_NAMED_LABELS
        named = ", ".join(rare[:MAX_NAMED_LABELS]) + (f" and {more} more" if more > 0 else "")
        yield f"{tag.control}: too few examples of {named}"
