"""The gates of configs/flight_delay.yaml on the real flights: what they let through and what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_mlops.backends.base import Backends, Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.gates import judge
from airflow_mlops.core.values import Evaluation, ModelRef, Verdict
from airflow_mlops.core.windows import Period, Window
from airflow_mlops.steps.gate import rules_of

REPOSITORY = Path(__file__).resolve().parents[2]
YEAR = 2013
pytestmark = pytest.mark.slow


def first_of(month: int) -> datetime:
    """The beginning of a month of 2013; 13 is the next January."""
    return datetime(YEAR + (month > 12), (month - 1) % 12 + 1, 1, tzinfo=timezone.utc)


@dataclass
class Flights:
    """The year in memory, models fitted on parts of it, and the YAML's own rules."""

    config: ModelConfig
    backends: Backends
    frame: pd.DataFrame
    fitted: dict[Window, Any] = field(default_factory=dict)

    def rows(self, start: datetime, end: datetime) -> pd.DataFrame:
        at = self.frame[self.config.data.time_column]
        return self.frame[(at >= start) & (at < end)]

    def model(self, as_of: datetime, months: int | None = None) -> Any:
        """What a run with this window end trains: the newest slice is left out."""
        data = self.config.data
        start = Period(months=months).before(as_of) if months else first_of(1)
        window = Window(max(start, first_of(1)), Period.parse(data.holdout.length).before(as_of))
        if window not in self.fitted:
            rows, training = self.rows(window.start, window.end), self.config.training
            trainer = self.backends.trainer("callable", str(training.callable))
            features = rows[list(data.features)]
            self.fitted[window] = trainer.fit(features, rows[data.label], training.params, training.seed)
        return self.fitted[window]

    def answers(self, model: Any, rows: pd.DataFrame) -> Any:
        return model.predict_proba(rows[list(self.config.data.features)])[:, 1]

    def auc(self, model: Any, month: int) -> float:
        rows = self.rows(first_of(month), first_of(month + 1))
        label, answers = rows[self.config.data.label], self.answers(model, rows)
        scored = self.backends.metrics(self.config.task).score(["roc_auc"], label, answers, 0.95)
        return scored["roc_auc"].value

    def verdict(self, challenger: Any, champion: Any, as_of: datetime) -> Verdict:
        """The gates' answer on the newest slice before ``as_of``."""
        config = self.config
        rows = self.rows(Period.parse(config.data.holdout.length).before(as_of), as_of)
        label, names = rows[config.data.label], config.evaluation.names
        ours, theirs = self.answers(challenger, rows), self.answers(champion, rows)
        metrics, confidence = self.backends.metrics(config.task), config.evaluation.confidence
        evaluation = Evaluation(
            rows=len(rows),
            confidence=confidence,
            challenger=metrics.score(names, label, ours, confidence),
            champion=ModelRef(config.model, "1"),
            champion_metrics=metrics.score(names, label, theirs, confidence),
            difference=metrics.difference(names, label, ours, theirs, confidence),
        )
        gates = config.gates
        return judge(
            rules_of(gates, config.evaluation),
            evaluation,
            minimum_rows=gates.minimum_rows,
            bootstrap=gates.bootstrap,
        )


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flights]:
    config = load_model(REPOSITORY / "configs" / "flight_delay.yaml").config
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "plugins")
        backends = connect(Endpoints(store=str(tmp_path_factory.mktemp("store"))))
        source = backends.data_source("python", config.data.source.model_dump(exclude={"type"}))
        window = Window(first_of(1), first_of(13))
        frame = source.read(window, time_column=config.data.time_column, columns=config.data.columns)
        yield Flights(config, backends, frame)


@pytest.mark.parametrize(("month", "name"), [(10, "October"), (11, "November"), (12, "December")])
def test_a_challenger_of_the_last_three_months_is_held_against_the_frozen_champion_in_autumn(
    flights: Flights, month: int, name: str
) -> None:
    end_of_month = first_of(month + 1)
    frozen = flights.model(first_of(4))
    verdict = flights.verdict(flights.model(end_of_month, months=3), frozen, end_of_month)
    assert not verdict.passed, f"{name}: {verdict}"
    assert any("roc_auc" in reason for reason in verdict.reasons)


def test_models_of_the_last_three_months_really_are_worse_than_the_frozen_one_in_autumn(
    flights: Flights,
) -> None:
    frozen = flights.model(first_of(4))
    for month in (10, 11, 12):
        assert flights.auc(flights.model(first_of(month), months=3), month) < flights.auc(frozen, month)


def test_the_loop_on_all_flights_so_far_passes_its_gates_and_beats_the_frozen_model(
    flights: Flights,
) -> None:
    frozen = champion = flights.model(first_of(4))
    passed, gains = 0, []
    for month in range(4, 13):
        gains.append(flights.auc(champion, month) - flights.auc(frozen, month))
        challenger = flights.model(first_of(month + 1))
        if flights.verdict(challenger, champion, first_of(month + 1)).passed:
            champion, passed = challenger, passed + 1
    assert passed >= 5
    assert sum(gains) / len(gains) > 0.01
