"""What one look at a stage of a rollout, shadow or canary, proves."""

from airflow_mlops.core.analysis.counts import StageCounts
from airflow_mlops.core.analysis.judge import judge_stage
from airflow_mlops.core.analysis.limits import ErrorLimits, LatencyLimits, StageLimits

__all__ = ["ErrorLimits", "LatencyLimits", "StageCounts", "StageLimits", "judge_stage"]
