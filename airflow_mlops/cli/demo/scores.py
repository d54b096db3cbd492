"""What a month came to: drift, the frozen model's AUC, the loop's AUC, and what was decided and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import Backends, LoadedModel
from airflow_mlops.cli.demo.traffic import Answer, MonthOfTraffic
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import Entry

if TYPE_CHECKING:
    import pandas as pd


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
    return MonthScore(
        month=month.window.start,
        flights=len(landed),
        late_share=float(label.mean()),
        drift_share=seen[0].data.get("drift_share") if seen else None,
        frozen_auc=auc(frozen.predict(landed[list(config.data.features)])),
        loop_auc=auc(given),
        champions=versions_in_order(month.answers.values()),
        decision=what_was_decided(entries, monitor_run, train_run),
    )


def versions_in_order(answers: Iterable[Answer]) -> tuple[str, ...]:
    """Each version that answered, in the order in which they first did."""
    return tuple(dict.fromkeys(answer.version for answer in answers))


def what_was_decided(entries: Sequence[Entry], monitor_run: str, train_run: str | None) -> str:
    """The ledger's story of one month: monitor's decision, the gate's, the rollout's."""
    parts = [_asked(item) for item in entries if item.run_id == monitor_run and item.kind in _DECISIONS]
    if not parts:
        monitored = [item for item in entries if item.run_id == monitor_run and item.kind == "monitored"]
        return "kept: " + "; ".join(monitored[0].reasons) if monitored else "nothing was seen"
    versions = set()
    for item in entries:
        if train_run is not None and item.run_id == train_run:
            if item.kind == "gated" and item.data.get("outcome") != "pass":
                parts.append(f"challenger held ({item.data.get('outcome')}): {_first(item.reasons)}")
            elif item.kind == "registered":
                versions.add(item.subject)
        elif item.kind == "promoted" and item.subject in versions:
            parts.append(f"v{item.subject} promoted")
        elif item.kind == "rolled_back" and item.subject in versions:
            parts.append(f"v{item.subject} rolled back: {_first(item.reasons)}")
    return ". ".join(parts)


_DECISIONS = frozenset({"retrain_requested", "retrain_refused"})


def _asked(item: Entry) -> str:
    if item.kind == "retrain_refused":
        return f"retraining refused: {_first(item.reasons)}"
    return f"retrained for {item.data.get('cause')}: {_first(item.reasons)}"


def _first(reasons: Sequence[str]) -> str:
    return reasons[0] if reasons else "no reason was recorded"
