"""The train pipeline: snapshot, validate, train, evaluate, gate, register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.exceptions import DataRefused
from airflow_mlops.operators.base import Configured, StepOperator
from airflow_mlops.operators.links import ModelCardLink, ModelVersionLink, ReportLink, TrainingRunLink

if TYPE_CHECKING:
    from airflow_mlops.core.values import RunInfo


class SnapshotOperator(StepOperator):
    """Freezes the rows of the run's window. Skipped where an asset woke the run and nothing is pending."""

    step = "snapshot"
    opens_run = True

    def run_info(self, context: Any, configured: Configured) -> RunInfo:
        """Raises ``DataRefused`` where the partition key names a moment and nobody says how long it lasts: to
        train as of now instead would be another model than the one that was asked for."""
        from airflow_mlops.operators.partitions import PartitionKeys

        key = getattr(context["dag_run"], "partition_key", None)
        if PartitionKeys.of(configured.config.schedule).is_unclear(key):
            raise DataRefused(
                f"the run's partition key {key!r} says when its partition begins, but not how long it is; "
                "give schedule.partition_length, or keys such as 2026-03-01"
            )
        return super().run_info(context, configured)


class ValidateDataOperator(StepOperator):
    """Checks the snapshot against the model's expectations and for leaks; what is critical ends the run."""

    step = "validate"
    inputs = template_fields = ("snapshot",)
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, snapshot: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot


class TrainOperator(StepOperator):
    """Trains on the snapshot's training part and logs the model to MLflow. ``tuned``, where it is given, is
    what a search chose: its parameters stand in for those of the YAML."""

    step = "train"
    inputs = template_fields = ("snapshot", "tuned")
    optional_inputs = ("tuned",)
    operator_extra_links = (TrainingRunLink(),)

    def __init__(self, *, snapshot: Any, tuned: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.tuned = tuned


class EvaluateOperator(StepOperator):
    """Scores challenger and champion on the same holdout rows."""

    step = "evaluate"
    inputs = template_fields = ("snapshot", "training")
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, snapshot: Any, training: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.training = training


class GateOperator(StepOperator):
    """Judges the evaluation. A challenger that is held leaves the task green: the gate did its work, and
    the registration downstream is what is skipped."""

    step = "gate"
    inputs = template_fields = ("snapshot", "training", "evaluation")

    def __init__(self, *, snapshot: Any, training: Any, evaluation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.training = training
        self.evaluation = evaluation


class RegisterModelOperator(StepOperator):
    """Registers the challenger. Skipped, with the gate's reasons, where its verdict did not pass and the
    ``review``, if there is one, did not override it. With a review it runs where that was skipped."""

    step = "register"
    inputs = template_fields = ("snapshot", "training", "evaluation", "verdict", "review")
    optional_inputs = ("review",)
    operator_extra_links = (ModelVersionLink(), ModelCardLink())

    def __init__(
        self,
        *,
        snapshot: Any,
        training: Any,
        evaluation: Any,
        verdict: Any,
        review: Any = None,
        **kwargs: Any,
    ) -> None:
        if review is not None:
            kwargs.setdefault("trigger_rule", "none_failed")
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.training = training
        self.evaluation = evaluation
        self.verdict = verdict
        self.review = review

    def skip_without_inputs(self) -> None:
        super().skip_without_inputs()
        overridden = self.review is not None and self.review["outcome"] == "pass"
        if self.verdict["outcome"] != "pass" and not overridden:
            reasons = "; ".join(self.verdict["reasons"])
            raise AirflowSkipException(
                f"the gate held this challenger ({self.verdict['outcome']}): {reasons}"
            )
