"""What operators ask: which models are ready, and everything else there is to know."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from shared.backend.process_resources import shared_resources
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime


@dataclass(frozen=True)
class Readiness:
    """Models that are not loaded yet, with their state; those that failed, with the reason.

    `optional` are those that label configs have asked for since the start: one that is mistyped
    there must not take the server from all other projects.
    """

    waiting: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()

    @property
    def ready(self) -> bool:
        """Whether all models that load at the start can predict."""
        return not (self.waiting.keys() | self.failed.keys()) - self.optional

    def to_json(self) -> dict[str, Any]:
        """Return what `/ready` answers."""
        return {"ready": self.ready, "waiting": self.waiting, "failed": self.failed}

    def with_state(self, names: Collection[str], state: str) -> "Readiness":
        """Return the same, where those of these models that wait are in another state."""
        waiting = {name: state if name in names else old for name, old in self.waiting.items()}
        return replace(self, waiting=waiting)


def check_readiness(starting: Iterable[str], unavailable: Mapping[str, str]) -> Readiness:
    """Return the readiness of the models that load at the start or were asked for since.

    `starting` are the names of the former. `unavailable` are backends that should serve and
    cannot, with the reason.
    """
    # A project's own models replace others, and are replaced, while those serve.
    models = [m for m in runtime().models.all_models() if not m.spec.trained_version]
    states = dict.fromkeys(starting, "waiting")
    needed = states.keys() | unavailable.keys()
    # One that waits is known to /setup only, and loads when its first tasks arrive.
    states |= {model.spec.label: model.state for model in models if model.state != "waiting"}
    failed = {model.spec.label: model.error for model in models if model.error is not None}
    failed |= unavailable
    waiting = {
        name: state
        for name, state in states.items()
        if state not in {"loaded", "unloaded"} and name not in failed
    }
    return Readiness(waiting, failed, frozenset((waiting.keys() | failed.keys()) - needed))


def report_models() -> list[dict[str, Any]]:
    """Return the state, memory and queue of each model."""
    return [
        {
            "model": model.spec.label,
            "state": model.state,
            "engine": model.engine or None,
            "seconds": round(model.load_seconds, 2),
            "error": model.error,
            "memory": model.memory_bytes,
            "waiting": len(model.queue) if model.queue is not None else 0,
        }
        for model in runtime().models.all_models()
    ]


def report_failures() -> dict[str, Any]:
    """Return how many tasks and regions were lost, by backend and reason, and the last of them."""
    failures = runtime().failures
    counts = {f"{name}:{reason}": count for (name, reason), count in failures.counts().items()}
    return {"counts": counts, "recent": failures.recent()}


def report_tokens() -> list[dict[str, Any]]:
    """Return what each language model has taken for each project since this process began."""
    return [
        {"model": model, "project": project or None, **asdict(count)}
        for (model, project), count in shared_resources().token_counts.all().items()
    ]


def report_plan(plan: PredictionPlan, project: str | None = None) -> dict[str, Any]:
    """Return how a label config is filled: backends, mapped labels, problems.

    `project` is the key of the one whose own models fill it.
    """
    claims = list(plan.all_claims())
    return {
        "digest": hashlib.sha256(plan.config.xml.encode()).hexdigest()[:12],
        "tags": plan.config.describe_controls(),
        "model_version": plan.version(),
        "project": project,
        "filled": plan.filled_by(),
        "controls": _report_controls(plan),
        "labels": [report for claim in claims for report in claim.mapping_report()],
        "mappings": [label_map.to_json() for claim in claims for label_map in claim.label_maps()],
        "problems": list(plan.problems),
    }


def _report_controls(plan: PredictionPlan) -> list[dict[str, Any]]:
    """Return each control tag, what it is on, and which backend and models fill it, if any."""
    filled = plan.filled_by()
    models: dict[str, dict[str, None]] = {}
    for claim in plan.all_claims():
        for control in claim.controls:
            models.setdefault(control.name, {})[claim.spec.label] = None
    return [
        {
            "name": control.name,
            "tag": control.tag,
            "on": list(control.to_names),
            "backend": filled.get(control.name),
            "models": list(models.get(control.name, ())),
        }
        for control in plan.config.controls
    ]
