"""Replays 2013: first champion, then month by month requests, labels, monitoring, retraining, rollout."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from itertools import pairwise

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.tracking import LoadedModel
from airflow_mlops.cli.demo.failures import DemoFailed
from airflow_mlops.cli.demo.progress import Narrator, Stage
from airflow_mlops.cli.demo.runs import Runs
from airflow_mlops.cli.demo.scores import MonthScore, score_month
from airflow_mlops.cli.demo.stack import Stack
from airflow_mlops.cli.demo.traffic import Endpoint, MonthOfTraffic, months
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import champion_at
from airflow_mlops.core.windows import Window

LEARNED = Window(datetime(2013, 1, 1, tzinfo=timezone.utc), datetime(2013, 4, 1, tzinfo=timezone.utc))
ROLES = ("train", "deploy", "monitor")
# While a rollout is open the next month's flights come in, at this many a look, up to this share of the
# month and slowly after it: enough for shadow and canary, and most are left for the champion to come.
LIVE_ROWS = 100
LIVE_SHARE = 0.6
SLOW_ROWS = 10
READY_SECONDS = 30.0


def stages(count: int) -> list[Stage]:
    """The parts of a replay of ``count`` months, with seconds measured on two cores."""
    names = [f"{window.start:%B}" for window in months(LEARNED.end, count)]
    return [
        Stage("start", 40),
        Stage("first champion", 45),
        *(Stage(name, 95) for name in names[:-1]),
        Stage(names[-1], 30),
    ]


class Replay:
    """One model's life: what its users send, what its operators would see."""

    def __init__(
        self,
        config: ModelConfig,
        stack: Stack,
        endpoint: Endpoint,
        backends: Backends,
        narrator: Narrator,
    ) -> None:
        self._config = config
        self._stack = stack
        self._endpoint = endpoint
        self._backends = backends
        self._narrator = narrator
        self._runs = Runs(stack, narrator, config.model)

    def run(self, count: int) -> list[MonthScore]:
        """Train on January to March and live through the ``count`` months after; a score for each."""
        dag_ids = [f"{self._config.model}.{role}" for role in ROLES]
        self._stack.wait_for_dags(dag_ids)
        for dag_id in dag_ids:
            self._stack.airflow.pause(dag_id, paused=False)
        self._narrator.finish_stage()
        frozen = self._first_champion()
        self._narrator.finish_stage()
        scores = []
        windows = [*months(LEARNED.end, count), None]
        month = self._month(LEARNED.end)
        for _, following in pairwise(windows):
            upcoming = self._month(following.start) if following else None
            scores.append(self._live_through(month, upcoming, frozen))
            self._narrator.say(_said(scores[-1]))
            self._narrator.finish_stage()
            month = upcoming or month
        return scores

    def _month(self, start: datetime) -> MonthOfTraffic:
        window = next(months(start, 1))
        self._narrator.now(f"reading the flights of {window.start:%B}")
        return MonthOfTraffic(self._config, window, self._endpoint, self._backends)

    def _first_champion(self) -> LoadedModel:
        self._narrator.say("Training the first model on January to March")
        self._runs.by_hand("train", _params(LEARNED))
        self._runs.by_asset("deploy")
        champion = champion_at(self._backends.ledger.entries(self._config.model))
        if champion is None or champion.version is None:
            raise DemoFailed(
                f"the first model was not promoted; airflow-mlops history {self._config.model} "
                f"--store {self._stack.site.store} says why"
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._endpoint.is_ready():
            self._stack.check()
            if time.monotonic() > deadline:
                raise DemoFailed(f"the model server has no champion after {READY_SECONDS:.0f} s")
            time.sleep(0.2)
        self._narrator.say(f"First champion serving: version {champion.version}")
        return self._backends.tracking.load(
            f"models:/{self._config.model}/{champion.version}",
            trusted_types=self._config.training.trusted_types,
        )

    def _live_through(
        self, month: MonthOfTraffic, upcoming: MonthOfTraffic | None, frozen: LoadedModel
    ) -> MonthScore:
        name = f"{month.window.start:%B}"
        self._narrator.say(f"{name}: {len(month.frame):,} flights ask the endpoint")
        while month.send():
            self._narrator.now(f"{name}: requests ({month.sent_share:.0%})")
        self._endpoint.flush()
        landed = month.land_labels()
        if upcoming is None:
            # No flights follow that a challenger could be tried on: a request stays pending in the ledger.
            self._stack.airflow.pause(f"{self._config.model}.train", paused=True)
        self._narrator.say(f"{name}: the labels of {len(landed):,} flights have landed; monitoring looks")
        monitor_run = self._runs.by_hand("monitor", _params(month.window))
        train_run = self._retrain(upcoming, monitor_run) if upcoming else None
        entries = self._backends.ledger.entries(self._config.model)
        return score_month(
            self._config, month, landed, frozen, self._backends, entries, monitor_run, train_run
        )

    def _retrain(self, upcoming: MonthOfTraffic, monitor_run: str) -> str | None:
        """Follow a request, if monitoring made one, through training and rollout; the training run."""
        if not self._has("retrain_requested", monitor_run):
            return None
        self._narrator.say("Retraining is requested; the monitor has started the training run")
        train_run = self._runs.by_asset("train")
        if not self._has("registered", train_run):
            self._narrator.say("The gates hold the challenger; the champion goes on serving")
            return train_run
        self._narrator.say("The challenger passed the gates; its rollout runs on live traffic")
        self._runs.by_asset("deploy", lambda: _live_traffic(upcoming))
        return train_run

    def _has(self, kind: str, run_id: str) -> bool:
        entries = self._backends.ledger.entries(self._config.model)
        return any(item.kind == kind and item.run_id == run_id for item in entries)


def _live_traffic(upcoming: MonthOfTraffic) -> None:
    upcoming.send(LIVE_ROWS if upcoming.sent_share < LIVE_SHARE else SLOW_ROWS)


def _params(window: Window) -> dict[str, str]:
    return {"window_start": window.start.isoformat(), "window_end": window.end.isoformat()}


def _said(score: MonthScore) -> str:
    return (
        f"{score.month:%B}: AUC {score.loop_auc:.3f} (frozen {score.frozen_auc:.3f}), "
        f"late {score.late_share:.0%}, {score.decision}"
    )
