"""What the YAML says of a stage, as the judge of its counts takes it."""

from __future__ import annotations

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core import analysis
from airflow_mlops.core.values import RolloutMode
from airflow_mlops.core.windows import Period


def stage_limits(config: ModelConfig, mode: RolloutMode) -> analysis.StageLimits:
    """Of each stage of a rollout of this model. Quality is one of the checks that share the false alarms."""
    deploy = config.deploy
    asked = deploy.analysis
    stage = deploy.shadow if mode == "shadow" else asked
    return analysis.StageLimits(
        minimum_requests=stage.minimum_requests,
        errors=analysis.ErrorLimits(
            asked.errors.max_rate, asked.errors.max_ratio, asked.errors.negligible_rate
        ),
        latency=analysis.LatencyLimits(
            quantile=asked.latency.quantile,
            max_ratio=asked.latency.max_ratio,
            objective=asked.latency.objective_seconds,
            negligible=asked.latency.negligible_seconds,
        ),
        split_tolerance=asked.split_ratio.tolerance if deploy.weights else None,
        max_disagreement=deploy.shadow.max_disagreement if deploy.shadows else None,
        minimum_duration=Period.parse(stage.minimum_duration) if stage.minimum_duration else None,
        false_alarm_rate=asked.false_alarm_rate,
        stages=max(1, len(deploy.weights) + deploy.shadows),
        other_checks=0 if asked.quality is None else 1,
    )
