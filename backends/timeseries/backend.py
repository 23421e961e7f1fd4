"""The time series backend: spans, instants, choices and ratings of series."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from backends.timeseries.findings import MethodModel, SeriesFindings, SeriesItem
from backends.timeseries.layout import SeriesLayout
from backends.timeseries.regions import SeriesRegions
from backends.timeseries.series import Series
from backends.timeseries.settings import TimeSeriesSettings
from backends.timeseries.tag_request import TagRequest
from shared.backend import (
    Backend,
    BackendSettings,
    Claim,
    Context,
    Control,
    LabelConfig,
    ModelSpec,
    ObjectTag,
    Task,
    TrainingRun,
    spec_options,
)
from shared.results import Region

SPAN_TAG = "TimeSeriesLabels"
WHOLE_TAGS = ("Choices", "Rating")
# Rows that one batch has at most, and tasks that are read in advance: each may be large.
READ_AHEAD = 8


class TimeSeriesBackend(Backend):
    """Fills TimeSeriesLabels, Choices and Rating on TimeSeries."""

    name = "timeseries"
    fills = frozenset((tag, "TimeSeries") for tag in (SPAN_TAG, *WHOLE_TAGS))
    dataset_format = "series"
    modules = ("ruptures", "scipy")
    preload_modules = ("scipy.ndimage",)
    settings_class: ClassVar[type[BackendSettings]] = TimeSeriesSettings

    def claim(self, config: LabelConfig) -> list[Claim]:
        claims, told = [], set[str]()
        for control, target in config.tag_pairs():
            if (control.tag, target.tag) not in self.fills or control.per_region:
                continue
            if control.has_nested_choices:
                continue
            others: tuple[Control, ...] = ()
            if control.tag == SPAN_TAG and target.name not in told:
                others = _about_regions(config, target)
                told.add(target.name)
            claims.append(self._claim(config, (control, *others), target))
        return list(self.with_task_labels(claims))

    def _claim(
        self, config: LabelConfig, controls: tuple[Control, ...], target: ObjectTag
    ) -> Claim:
        layout = SeriesLayout.of_tag(config, target, controls[0].name)
        options = {
            "layout": layout,
            "score_threshold": self.score_threshold(*controls),
        }
        return Claim(controls, target, self.spec(controls[0]), options)

    def with_task_labels(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Return the claims with what their labels ask for; what a series is read for is shared."""
        requests = [TagRequest.of_controls(claim.controls) for claim in claims]
        methods = tuple(dict.fromkeys(m for request in requests for m in request.methods))
        rates = any(request.rates for request in requests)
        return [
            replace(
                claim,
                options={**claim.options, "request": request, "methods": methods, "rates": rates},
            )
            for claim, request in zip(claims, requests, strict=True)
        ]

    def spec(self, control: Control) -> ModelSpec:
        trained = self.trained_spec(control)
        if trained is not None:
            return trained
        settings = self.settings
        sensitivity = control.get_number("model_sensitivity", settings.sensitivity, 0.01, 10)
        window = int(control.get_number("model_window", settings.window, 0, 100_000))
        options = spec_options(sensitivity=sensitivity, window=window)
        return ModelSpec(self.name, self.name, options)

    def train(self, run: TrainingRun) -> None:
        from backends.timeseries.training.train import train_model

        settings = self.settings
        window = int(run.control.get_number("model_window", settings.window, 0, 100_000))
        train_model(run, window, settings.class_weights, settings.max_points)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        from backends.timeseries.training.train import model_files

        return model_files(Path(spec.model)) if spec.trained_version else ()

    def load(self, spec: ModelSpec) -> Any:
        """Load a trained model; the methods need none."""
        if not spec.trained_version:
            return MethodModel(**dict(spec.options))
        from backends.timeseries.trained import TrainedModel
        from backends.timeseries.training.train import load_model

        return TrainedModel(load_model(Path(spec.model)))

    def read(self, task: Task, claim: Claim, context: Context | None) -> SeriesItem:
        options = claim.options
        series = Series.read(
            task, claim.object, options["layout"], self.media, self.settings.max_points
        )
        return SeriesItem(series.times, series.values, options["methods"], options["rates"])

    def reads_inline(self, claim: Claim) -> bool:
        return False

    def read_ahead(self, claim: Claim) -> int:
        return READ_AHEAD

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 1  # a series takes as long beside others as alone

    def item_size(self, item: SeriesItem) -> float:
        return float(item.values.size)

    def infer(self, model: Any, items: list[SeriesItem]) -> Sequence[SeriesFindings]:
        return [model.find(item) for item in items]

    def regions(self, output: SeriesFindings, claim: Claim) -> Iterable[Region]:
        yield from SeriesRegions(claim).build(output)


def _about_regions(config: LabelConfig, target: ObjectTag) -> tuple[Control, ...]:
    """Return the control tags that say something of each region on a series."""
    return tuple(
        control
        for control in config.controls_on(target.name)
        if control.per_region and control.tag in WHOLE_TAGS and not control.has_nested_choices
    )
