"""What a month came to: drift, the frozen model's AUC, the loop's AUC, and what was decided and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.tracking import LoadedModel
from airflow_mlops.cli.demo.traffic import Answer, MonthOfTraffic
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import Entry

if TYPE_CHECKING:
    import pandas as pd


ASKED = "retraining asked"


@dataclass(frozen=True, slots=True)
class MonthScore:
    """One line of the final table. ``champions`` are the versions that answered, in order."""

    month: datetime
    flights: int
    late_share: float
    drift_share: float | None
    frozen_auc: float
    loop_auc: float
    champions: tuple[str, ...]
    decision: str
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """What was decided, in a few words, and the reasons in numbers."""

    decision: str
    why: tuple[str, ...]


def score_month(
    config: ModelConfig,
    month: MonthOfTraffic,
    landed: pd.DataFrame,
    frozen: LoadedModel,
    backends: Backends,
    entries: Sequence[Entry],
    monitor_run: str,
    train_run: str | None,
) -> MonthScore:
    """The month's line: both AUCs on the same landed flights, the rest from the ledger."""
    label = landed[config.data.label].astype("int64")
    given = landed[config.data.key].map(lambda key: month.answers[key].prediction)
    metrics = backends.metrics(config.task)

    def auc(prediction: Any) -> float:
        return metrics.score(["roc_auc"], label, prediction, config.evaluation.confidence)["roc_auc"].value

    seen = [item for item in entries if item.kind == "monitored" and item.run_id == monitor_run]
    story = what_was_decided(entries, monitor_run, train_run)
    return MonthScore(
        month=month.window.start,
        flights=len(landed),
        late_share=float(label.mean()),
        drift_share=seen[0].data.get("drift_share") if seen else None,
        frozen_auc=auc(frozen.predict(landed[list(config.data.features)])),
        loop_auc=auc(given),
        champions=versions_in_order(month.answers.values()),
        decision=story.decision,
        why=story.why,
    )


def versions_in_order(answers: Iterable[Answer]) -> tuple[str, ...]:
    """Each version that answered, in the order in which they first did."""
    return tuple(dict.fromkeys(answer.version for answer in answers))


def what_was_decided(entries: Sequence[Entry], monitor_run: str, train_run: str | None) -> Story:
    """The ledger's story of one month: monitoring's decision, the gates', the rollout's."""
    seen = [item for item in entries if item.run_id == monitor_run]
    decided = next((item for item in seen if item.kind in ("retrain_requested", "retrain_refused")), None)
    if decided is None:
        looked = next((item for item in seen if item.kind == "monitored"), None)
        return Story("champion kept", looked.reasons if looked else ("nothing was seen",))
    cause, why = decided.data.get("cause"), decided.reasons[:_TOLD]
    if decided.kind == "retrain_refused":
        return Story(f"{cause}: no retraining", why)
    if train_run is None:
        return Story(f"{cause}: {ASKED}", why)
    end, more = _what_became(entries, train_run)
    return Story(f"{cause}: {end}", (*why, *more))


# The policy's sentence, the metric's and the drift's; the scores of single columns follow in the ledger.
_TOLD = 3


def _what_became(entries: Sequence[Entry], train_run: str) -> tuple[str, tuple[str, ...]]:
    """What a training run led to, and why where it is not a promotion."""
    trained = [item for item in entries if item.run_id == train_run]
    held = next((item for item in trained if item.kind == "gated" and item.data["outcome"] != "pass"), None)
    if held is not None:
        return "challenger held", held.reasons[:1]
    versions = {item.subject for item in trained if item.kind == "registered"}
    for item in entries:
        if item.kind == "promoted" and item.subject in versions:
            return f"v{item.subject} promoted", ()
        if item.kind == "rolled_back" and item.subject in versions:
            return f"v{item.subject} rolled back", item.reasons[:1]
    return "rollout not finished", ()
