"""What a challenger must prove before it is registered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airflow_mlops.config.parts.asking import Question
from airflow_mlops.config.parts.base import Part, PeriodText
from airflow_mlops.config.parts.gates_baseline import BaselineGate
from airflow_mlops.config.parts.gates_calibration import CalibrationGate
from airflow_mlops.config.parts.gates_custom import CustomGate
from airflow_mlops.config.parts.gates_folds import CrossValidationGate
from airflow_mlops.config.parts.gates_groups import FairnessGate, SlicesGate
from airflow_mlops.config.parts.gates_metric import ChampionGate, ThresholdGate
from airflow_mlops.config.parts.gates_model import ConvergenceGate, OverfittingGate, RobustnessGate, SkewGate
from airflow_mlops.config.parts.gates_resources import LatencyGate, MemoryGate, SizeGate

Gate = Annotated[
    ThresholdGate
    | ChampionGate
    | BaselineGate
    | OverfittingGate
    | CrossValidationGate
    | ConvergenceGate
    | RobustnessGate
    | SkewGate
    | LatencyGate
    | SizeGate
    | MemoryGate
    | FairnessGate
    | SlicesGate
    | CalibrationGate
    | CustomGate,
    Field(discriminator="type"),
]


class Gates(Part):
    """What a challenger must pass before it is registered. There is no empty list of gates."""

    rules: tuple[Gate, ...] = Field(min_length=1, strict=False, description="Every rule must pass.")
    minimum_rows: int = Field(
        200, ge=1, description="Fewer holdout rows than this are inconclusive, whatever the numbers."
    )
    bootstrap: Literal["thresholds_only", "refuse"] = Field(
        "thresholds_only",
        description="A first model has no champion to beat: judge it by the other gates, or refuse it.",
    )
    on_inconclusive: Literal["hold", "collect", "ask"] = Field(
        "hold",
        description="What is neither proven good nor bad is held; with collect the next run also holds out "
        "more rows, with ask a person may override.",
    )
    on_fail: Literal["hold", "ask"] = Field(
        "hold", description="What fails is held; with ask a person may override, and must say why."
    )
    review: Question = Field(
        default_factory=Question, description="Who is asked where on_inconclusive or on_fail says ask."
    )
    incompatible_champion: Literal["hold", "first_model"] = Field(
        "hold",
        description="A champion that cannot be compared (it cannot be loaded, or not answer these rows): "
        "hold the challenger, or judge it as a first model.",
    )
    evidence_expires: PeriodText | None = Field(
        None,
        description="A challenger that was judged longer ago is rejected instead of rolled out; if left out, "
        "evidence never expires.",
    )

    @property
    def labels(self) -> tuple[str, ...]:
        """One name for each rule, told apart by number where two are called the same."""
        called = [rule.called for rule in self.rules]
        return tuple(
            name if called.count(name) == 1 else f"{name} {called[: index + 1].count(name)}"
            for index, name in enumerate(called)
        )
