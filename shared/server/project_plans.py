"""How projects are predicted outside of requests: as the server would, with trained versions."""

from shared.backend.registry import choose_backends, split_available
from shared.errors import SettingError
from shared.label_studio.project import Project
from shared.pipeline.runtime import Runtime
from shared.server.plan_store import Plans, PlanStore
from shared.settings import Settings


class ProjectPlans:
    """Makes the plans of projects with the backends of BACKENDS that can run here."""

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        classes, self.problems = split_available(choose_backends(settings.backends))
        named = [name.partition(":")[0] for name in settings.backends]
        self._store = PlanStore(classes, named, runtime)
        self._models = runtime.models

    def load(self, project: Project, backend: str | None = None) -> Plans:
        """Return the plans that a project gets now, their models loaded.

        The label config is read anew. `backend` alone predicts, if one is named. SettingError if
        nothing can be filled; ModelError if a model cannot be loaded.
        """
        plans = self.make(project, backend)
        for plan in plans:
            for step in plan.steps:
                self._models.get_or_load(step.backend, step.spec)
        return plans

    def make(self, project: Project, backend: str | None = None) -> Plans:
        """Return the same plans, whose models are loaded when they are needed."""
        project.refresh()
        self._store.refresh_examples(project.key, project.label_config)
        plans = self._store.make(project.key, project.label_config, backend)
        if not plans[0].steps:
            raise SettingError("; ".join((*plans[0].problems, *self.problems.values())))
        return plans
