"""A rollout that is judged by labels, business metrics and an A/B test, on the log that the server writes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.backends.prometheus_endpoint import PrometheusEndpoint
from airflow_mlops.config.parts.deploy_evidence import BusinessMetric, Quality
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import ArmObservation, ModelRef, Rollout, RunRef, Traffic, Verdict
from airflow_mlops.exceptions import ConfigError, DataRefused, NotMeasured
from airflow_mlops.gateway.inference_log import InferenceLogWriter, LoggedCall
from airflow_mlops.gateway.rows import Rows, Signature, Source
from airflow_mlops.steps.ab_report import ab_report
from airflow_mlops.steps.look_quality import look_quality
from airflow_mlops.steps.requests import AbReportRequest, StageRequest
from airflow_mlops.steps.stage import judge_stage
from airflow_mlops.steps.stage_evidence import is_look_due

CHAMPION, CHALLENGER = ModelRef("churn", "1"), ModelRef("churn", "2")
ROLLOUT = Rollout("churn-v2", CHALLENGER, CHAMPION, RunRef("t2", "runs:/x"))

SIGNATURE = Signature({"age": "numeric"}, key_column="id", time_column="at")


class Uncounted:
    def written(self, rows: int) -> None: ...

    def dropped(self, rows: int) -> None: ...


@pytest.fixture
def now(make_run):
    return make_run(50).now


@pytest.fixture
def server(root, now):
    """``server.shadow(...)`` and ``server.split(...)`` log answers to made-up rows as the gateway does, and
    ``server.land(...)`` lets their labels land. Row ``n`` is ``r<n>``; every third one is positive."""
    return Server(root, now)


class Server:
    def __init__(self, root: Any, now: Any) -> None:
        self._root, self._now = root, now
        self._writer = InferenceLogWriter(root / "inference" / "churn", Uncounted())

    def shadow(self, rows: range, champion: float, challenger: float | None, **more: Any) -> None:
        """Both answer each row; a number is how sure of the truth a version is."""
        for role, version, sure in (("champion", "1", champion), ("shadow", "2", challenger)):
            self._log(rows, role, version, sure, "shadow", 0.0, **more)

    def split(self, rows: range, role: str, sure: float | None, **more: Any) -> None:
        version = "1" if role == "champion" else "2"
        self._log(rows, role, version, sure, "canary", more.pop("weight", 0.5), **more)

    def land(self, rows: range, *, flip: bool = False, shift: timedelta = timedelta(0)) -> None:
        labels = pd.DataFrame(
            {
                "id": [f"r{n}" for n in rows],
                "at": [self._at(n) + shift for n in rows],
                "churned": [int((n % 3 == 0) != flip) for n in rows],
            }
        )
        path = self._root / "labels" / f"{len(list((self._root / 'labels').iterdir()))}.parquet"
        labels.to_parquet(path)

    def _at(self, n: int) -> Any:
        return self._now - timedelta(hours=20) + timedelta(seconds=n)

    def _rows(self, numbers: range) -> Rows:
        asked = [{"id": f"r{n}", "at": self._at(n).isoformat(), "age": float(n)} for n in numbers]
        source = Source(json.dumps({"rows": asked}).encode(), "predict", SIGNATURE, "base")
        return Rows([row["id"] for row in asked], [(row["age"],) for row in asked], source)

    def _log(
        self, rows: range, role: Any, version: str, sure: float | None, mode: Any, weight: float, **more: Any
    ) -> None:
        for start in range(rows.start, rows.stop, 50):
            numbers = range(start, min(start + 50, rows.stop))
            random = np.random.default_rng(start)
            right = random.random(len(numbers)) < (sure or 0)
            truth = np.array([n % 3 == 0 for n in numbers])
            scores = np.where(right == truth, 0.9, 0.1).tolist()
            call = LoggedCall(
                request_id=more.get("request_id") or f"{mode}{start}",
                received_at=self._now - timedelta(minutes=30 - more.get("later", 0)),
                version=version,
                role=role,
                mode=mode,
                weight=weight,
                rollout_id=more.get("rollout_id", ROLLOUT.id),
                rows=self._rows(numbers),
                scores=None if sure is None else scores,
                error="ValueError: no" if sure is None else None,
                latency_seconds=0.01,
            )
            self._writer.add(call)
        self._writer.flush()


@pytest.fixture
def deploying(backends, make_run):
    """A rollout of version 2 over version 1 that the endpoint has sent 1,000 rows."""
    run = make_run(50, dag="deploy")
    taken = replace(run, now=run.now - timedelta(hours=1))
    backends.ledger.append(
        Entry("churn", "rollout_taken", "2", taken.now, "churn.deploy", run.key.run_id, version="2")
    )
    backends.serving.state = Traffic(champion=CHAMPION)
    backends.serving.seen = {
        "champion": ArmObservation("1", rows=1_000, errors=0),
        "challenger": ArmObservation("2", rows=1_000, errors=0),
    }
    return run


def with_deploy(config, *, strategy: str = "canary", **analysis: Any):
    deploy = config.deploy
    changed = deploy.model_copy(
        update={"strategy": strategy, "analysis": deploy.analysis.model_copy(update=analysis)}
    )
    return config.model_copy(update={"deploy": changed})


def judged_by(config, **more: Any):
    quality = Quality(**{"metric": "log_loss", "margin": 0.1, "minimum_labels": 200, **more})
    return with_deploy(config, strategy=more.pop("strategy", "canary"), quality=quality)


def stage(config, run, backends, mode: Any = "canary", weight: float = 0.5) -> StageRequest:
    weight = 0.0 if mode == "shadow" else weight
    backends.serving.set_traffic(ROLLOUT.id, CHALLENGER, mode=mode, weight=weight)
    return StageRequest(config, run, ROLLOUT, mode, weight)


def look(request: StageRequest, backends) -> Verdict:
    look_quality(request, backends)
    return judge_stage(request, backends)


def test_a_shadow_whose_answers_were_worse_by_their_labels_fails(config, backends, deploying, server):
    server.shadow(range(1_000), champion=0.9, challenger=0.6)
    server.land(range(1_000))
    verdict = look(stage(judged_by(config), deploying, backends, "shadow"), backends)
    assert verdict.outcome == "fail"
    assert "1000 labelled rows that both answered: proven worse" in verdict.reasons[0]
    (written,) = [item for item in backends.ledger.entries("churn") if item.kind == "shadowed"]
    assert written.reasons == verdict.reasons


def test_a_shadow_that_was_as_good_passes_with_its_labels(config, backends, deploying, server):
    server.shadow(range(1_000), champion=0.8, challenger=0.8)
    server.land(range(1_000))
    config = judged_by(config, metric="brier_score")
    config = config.model_copy(
        update={"evaluation": config.evaluation.model_copy(update={"metrics": (*config.evaluation.metrics,)})}
    )
    verdict = look(stage(config, deploying, backends, "shadow"), backends)
    assert verdict.outcome == "pass"
    assert any("proven no worse" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(("required", "outcome"), [(False, "pass"), (True, "inconclusive")])
def test_too_few_labels_hold_a_stage_only_where_they_are_required(
    config, backends, deploying, server, required, outcome
):
    server.shadow(range(1_000), champion=0.9, challenger=0.1)
    server.land(range(199))
    request = stage(judged_by(config, required=required), deploying, backends, "shadow")
    verdict = look(request, backends)
    assert verdict.outcome == outcome
    assert any("199 of 200 labels have landed" in reason for reason in verdict.reasons)


def test_a_split_is_judged_by_each_arms_own_rows(config, backends, deploying, server):
    server.split(range(2_000), "champion", 0.9)
    server.split(range(2_000, 4_000), "challenger", 0.6)
    server.land(range(4_000))
    verdict = look(stage(judged_by(config), deploying, backends), backends)
    assert verdict.outcome == "fail"
    assert "on 2000 labelled rows, the champion's on 2000: proven worse" in verdict.reasons[0]


def test_rows_of_another_weight_rollout_or_version_are_not_compared(config, backends, deploying, server):
    server.split(range(2_000), "champion", 0.9)
    server.split(range(2_000, 4_000), "challenger", 0.6, weight=0.1)
    server.split(range(4_000, 6_000), "challenger", 0.6, rollout_id="churn-v9")
    server.land(range(6_000))
    verdict = look(stage(judged_by(config), deploying, backends), backends)
    assert verdict.outcome == "pass"
    assert any("0 of 200 labels" in reason for reason in verdict.reasons)


def test_labels_of_shadowed_rows_that_land_late_count_in_the_canary(config, backends, deploying, server):
    server.shadow(range(1_000), champion=0.9, challenger=0.6)
    request = stage(judged_by(config), deploying, backends, "shadow")
    assert look(request, backends).outcome == "pass"
    server.land(range(1_000))
    assert look(stage(request.config, deploying, backends, weight=0.1), backends).outcome == "fail"


def test_a_key_counts_once_and_rows_that_the_champion_stepped_in_for_are_of_neither_arm(
    config, backends, deploying, server
):
    server.split(range(300), "champion", 0.9)
    server.split(range(300), "champion", 0.1, request_id="again", later=1)
    server.split(range(300, 600), "challenger", 0.9)
    server.split(range(600, 900), "challenger", None, request_id="failed")
    server.split(range(600, 900), "champion", 0.1, request_id="failed")
    server.land(range(900))
    found = look_quality(stage(judged_by(config), deploying, backends), backends)
    (landed,) = found.landed
    assert (landed.champion.count, landed.challenger.count) == (300, 300)
    assert landed.champion.mean == pytest.approx(landed.challenger.mean, abs=0.1)


def test_a_shadowed_key_counts_once_and_only_where_both_have_answered(config, backends, deploying, server):
    server.shadow(range(300), champion=1.0, challenger=1.0)
    server.shadow(range(300), champion=0.0, challenger=0.0, request_id="again", later=1)
    server.shadow(range(300, 600), champion=1.0, challenger=None, request_id="failed")
    server.land(range(600))
    (landed,) = look_quality(stage(judged_by(config), deploying, backends, "shadow"), backends).landed
    assert (landed.labels, landed.answered) == (300, 300)
    assert landed.difference.mean == 0.0
    assert landed.champion.mean == pytest.approx(0.105, abs=0.001)


def test_of_two_labels_of_a_key_the_one_nearest_in_time_is_the_rows(config, backends, deploying, server):
    server.shadow(range(300), champion=1.0, challenger=1.0)
    server.land(range(300), flip=True, shift=timedelta(minutes=-20))
    server.land(range(300))
    (landed,) = look_quality(stage(judged_by(config), deploying, backends, "shadow"), backends).landed
    assert (landed.labels, landed.answered) == (300, 300)
    assert landed.champion.mean == pytest.approx(0.105, abs=0.001)


def test_labels_are_looked_at_again_only_when_it_is_time(config, backends, deploying, server):
    server.shadow(range(10), champion=0.9, challenger=0.9)
    server.land(range(10))
    request = stage(judged_by(config, look_every="10 minutes"), deploying, backends, "shadow")
    assert is_look_due(request, backends, deploying.now)
    look_quality(request, backends)
    assert not is_look_due(request, backends, deploying.now + timedelta(minutes=9))
    assert is_look_due(request, backends, deploying.now + timedelta(minutes=10))
    assert not is_look_due(replace(request, config=config), backends, deploying.now)


def test_labels_that_cannot_be_read_fail_the_first_look_and_hold_a_later_one(
    config, backends, deploying, server, root
):
    server.shadow(range(300), champion=0.9, challenger=0.9)
    server.land(range(300))
    request = stage(judged_by(config), deploying, backends, "shadow")
    label = root / "labels" / "0.parquet"
    whole = label.read_bytes()
    label.write_bytes(b"torn")
    with pytest.raises(DataRefused, match="not a whole Parquet file"):
        look_quality(request, backends)
    label.write_bytes(whole)
    look_quality(request, backends)
    label.write_bytes(b"torn")
    look_quality(request, backends)
    with pytest.raises(NotMeasured, match=r"log_loss could not be measured: .*not a whole Parquet file"):
        judge_stage(request, backends)


@pytest.fixture
def measured(config, backends, prometheus_stand_in, root):
    """A model with one business metric, and a Prometheus whose answer is ``prometheus_stand_in.answers``."""
    endpoint = {"prometheus_default": PrometheusEndpoint(prometheus_stand_in.url)}
    backends.prometheus = connect(Endpoints(store=str(root), prometheus=endpoint)).prometheus
    metric = BusinessMetric(name="orders", query='orders{v="$challenger"}', minimum=0.02, breaches=2)
    return with_deploy(config, metrics=(metric,))


QUERY = 'orders{v="2"}'


def later(request: StageRequest, minutes: float) -> StageRequest:
    return replace(request, run=replace(request.run, now=request.run.now + timedelta(minutes=minutes)))


def test_a_business_metric_within_its_bounds_passes_and_beyond_them_at_two_looks_fails(
    measured, backends, deploying, prometheus_stand_in
):
    request = stage(measured, deploying, backends)
    prometheus_stand_in.answers = {QUERY: 0.01}
    assert judge_stage(request, backends).outcome == "inconclusive"
    # Ten seconds later the number is not asked for again, and counts once.
    assert judge_stage(later(request, 1 / 6), backends).outcome == "inconclusive"
    assert prometheus_stand_in.asked == [QUERY]
    verdict = judge_stage(later(request, 1), backends)
    assert (verdict.outcome, verdict.reasons[0]) == (
        "fail",
        "orders is 0.01, beyond the minimum 0.02 at 2 looks in a row",
    )
    prometheus_stand_in.answers = {QUERY: 0.03}
    assert judge_stage(later(request, 2), backends).outcome == "pass"


def test_a_prometheus_without_an_answer_is_never_a_pass(measured, backends, deploying, prometheus_stand_in):
    request = stage(measured, deploying, backends)
    with pytest.raises(
        NotMeasured, match=r"orders could not be measured: the query gives no data: orders\{v="
    ):
        judge_stage(request, backends)
    prometheus_stand_in.answers = {QUERY: (503, "starting")}
    with pytest.raises(NotMeasured, match="answered 503"):
        judge_stage(later(request, 1), backends)
    prometheus_stand_in.answers = {
        QUERY: (400, {"status": "error", "errorType": "bad_data", "error": "parse error"})
    }
    with pytest.raises(ConfigError, match="parse error"):
        judge_stage(later(request, 2), backends)


def test_proven_errors_fail_though_nothing_else_could_be_measured(measured, backends, deploying):
    backends.serving.seen["challenger"] = ArmObservation("2", rows=1_000, errors=500)
    assert judge_stage(stage(measured, deploying, backends), backends).outcome == "fail"


def test_business_metrics_wait_for_requests_and_are_not_asked_for_in_shadow(
    measured, backends, deploying, prometheus_stand_in
):
    judge_stage(stage(measured, deploying, backends, "shadow"), backends)
    backends.serving.seen["challenger"] = ArmObservation("2", rows=10, errors=0)
    judge_stage(stage(measured, deploying, backends), backends)
    assert prometheus_stand_in.asked == []


def test_a_shift_of_the_predictions_is_a_warning_beside_the_verdict(config, backends, deploying):
    arms = (("champion", "1", (900, 100)), ("challenger", "2", (100, 900)))
    backends.serving.seen = {
        role: ArmObservation(version, rows=1_000, errors=0, scores=scores) for role, version, scores in arms
    }
    verdict = judge_stage(stage(config, deploying, backends), backends)
    assert verdict.outcome == "pass"
    assert verdict.reasons[-1].startswith("warning: the predictions are spread otherwise")
    quiet = with_deploy(config, predictions=None)
    assert "warning" not in str(judge_stage(stage(quiet, deploying, backends), backends).reasons)


def test_an_ab_test_needs_its_labels_and_a_split_that_sticks(config, backends, deploying, server):
    config = with_deploy(judged_by(config), strategy="ab")
    server.split(range(100), "champion", 0.9)
    server.land(range(100))
    assert look(stage(config, deploying, backends), backends).outcome == "inconclusive"
    server.split(range(100), "challenger", 0.9)
    verdict = look(stage(config, deploying, backends), backends)
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith("both versions answered 100 of 100 keys")


def test_the_report_of_an_ab_test_has_both_arms_their_labels_and_their_worth(
    measured, backends, deploying, server, prometheus_stand_in
):
    config = with_deploy(judged_by(measured), strategy="ab", metrics=measured.deploy.analysis.metrics)
    server.split(range(2_000), "champion", 0.8)
    server.split(range(2_000, 4_000), "challenger", 0.8)
    server.land(range(4_000))
    prometheus_stand_in.answers = {QUERY: 0.05}
    verdict = look(stage(config, deploying, backends), backends)
    report = ab_report(AbReportRequest(config, deploying, ROLLOUT, 0.5, verdict), backends)
    page = backends.store.local_path(report.uri).read_text()
    for said in (
        "churn version 2 against churn version 1: 50 % of the values of id",
        "Quality: log_loss",
        "in the test, each on its own rows",
        "<svg",
        "Business metrics",
        "0.05",
        *verdict.reasons[:1],
    ):
        assert said in page.replace("&#x27;", "'"), said
    assert report.summary["labels"] == {"split": 2_000}
    assert report.summary["metrics"] == {"orders": 0.05}
    assert report.summary["rows"] == {"1": 1_000, "2": 1_000}
    first = replace(ROLLOUT, champion=None)
    assert ab_report(AbReportRequest(config, deploying, first, 0.5, verdict), backends) is None
