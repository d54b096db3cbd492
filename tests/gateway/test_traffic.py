"""Rollouts on the gateway: who answers, what is counted, and what survives."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_mlops.core.identity import sticky_share
from airflow_mlops.exceptions import BackendUnavailable
from airflow_mlops.gateway.split import split
from airflow_mlops.gateway.state import TrafficFiles

ROW = {"temp": 20.5, "carrier": "AA"}


def rows(count: int) -> list[dict[str, Any]]:
    return [{**ROW, "flight": number} for number in range(count)]


def roles(gateway: Any, count: int = 200) -> list[str]:
    return [row["role"] for row in gateway.predict(*rows(count)).json()["predictions"]]


def test_raising_the_weight_never_moves_a_key_back_to_the_champion(gateway: Any) -> None:
    before: set[int] = set()
    for weight in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert gateway.put("2", "canary", weight).status_code == 200
        now = {number for number, role in enumerate(roles(gateway)) if role == "challenger"}
        assert before <= now
        assert len(now) == pytest.approx(200 * weight, abs=25)
        before = now
    assert len(before) == 200


def test_the_split_keeps_the_order_of_rows_and_differs_from_rollout_to_rollout() -> None:
    keys = [str(number) for number in range(1_000)]
    champion, challenger = split(keys, rollout_id="a", weight=0.3)
    assert sorted([*champion, *challenger]) == list(range(1_000))
    assert champion == sorted(champion)
    assert challenger == [number for number, key in enumerate(keys) if sticky_share(key, "a") < 0.3]
    assert challenger != split(keys, rollout_id="b", weight=0.3)[1]


def test_a_shadow_answers_nobody_and_its_disagreements_are_counted(gateway: Any, shelf: Any) -> None:
    gateway.put("3", "shadow")
    answers = gateway.predict(*rows(30)).json()["predictions"]
    assert {(row["role"], row["prediction"]) for row in answers} == {("champion", 0.1)}
    seen = gateway.observed("r3")
    assert (seen["mode"], seen["disagreements"]) == ("shadow", 30)
    assert (seen["champion"]["rows"], seen["challenger"]["rows"]) == (30, 30)
    assert seen["challenger"]["mean_score"] == pytest.approx(0.9)
    assert seen["challenger"]["scores"][18] == 30
    log = gateway.logged()
    assert log.groupby("role").size().to_dict() == {"champion": 30, "shadow": 30}
    assert set(log["rollout_id"]) == {"r3"}
    for arm in (seen["champion"], seen["challenger"]):
        assert (arm["calls"], arm["failed_calls"], sum(arm["latencies"])) == (1, 0, 1)


def test_a_shadow_that_raises_is_counted_and_logged_and_the_next_request_is_shadowed(
    gateway: Any, shelf: Any
) -> None:
    shelf.models["2"].broken_on = "ZZ"
    gateway.put("2", "shadow")
    assert gateway.predict({**ROW, "carrier": "ZZ"}).status_code == 200
    assert gateway.predict(ROW).status_code == 200
    seen = gateway.observed("r2")["challenger"]
    assert (seen["rows"], seen["errors"]) == (2, 1)
    log = gateway.logged()
    assert list(log[log["role"] == "shadow"]["error"].dropna()) == ["ValueError: no such carrier: ZZ"]


def test_a_shadow_that_falls_behind_loses_rows_that_are_counted_and_never_holds_up_an_answer(
    start: Any, shelf: Any
) -> None:
    gateway = start(shadow_buffer_rows=10)
    gateway.wait_ready()
    gateway.put("2", "shadow")
    shelf.models["2"].go_on = threading.Event()
    for _ in range(4):
        assert gateway.predict(*rows(5)).status_code == 200
    assert gateway.metric("mlops_gateway_shadow_rows_dropped_total") == 10
    shelf.models["2"].go_on.set()
    assert gateway.observed("r2")["challenger"]["rows"] == 10


def test_a_shadow_that_was_held_up_predicts_what_waits_in_one_call(gateway: Any, shelf: Any) -> None:
    gateway.put("2", "shadow")
    shadow = shelf.models["2"]
    shadow.calls.clear()
    shadow.go_on = threading.Event()
    gateway.predict(*rows(1))
    gateway.wait(lambda: shadow.calls == [1])
    for _ in range(4):
        gateway.predict(*rows(2))
    shadow.go_on.set()
    assert gateway.observed("r2")["challenger"]["rows"] == 9
    assert shadow.calls == [1, 8]


def test_rows_that_the_challenger_raises_on_are_answered_by_the_champion(gateway: Any, shelf: Any) -> None:
    shelf.models["2"].broken_on = "AA"
    gateway.put("2", "canary", 0.5)
    answers = gateway.predict(*rows(100)).json()["predictions"]
    assert {(row["role"], row["version"]) for row in answers} == {("champion", "1")}
    seen = gateway.observed("r2")
    assert seen["challenger"]["rows"] == seen["challenger"]["errors"] > 30
    assert seen["champion"]["rows"] + seen["challenger"]["rows"] == 100
    log = gateway.logged()
    assert log["prediction"].notna().sum() == 100
    assert (log["error"].notna() & (log["role"] == "challenger")).sum() == seen["challenger"]["errors"]


def test_rows_that_the_challenger_keeps_for_too_long_are_answered_by_the_champion_and_given_up(
    start: Any, shelf: Any
) -> None:
    gateway = start(challenger_seconds=0.1)
    gateway.wait_ready()
    gateway.put("2", "canary", 1.0)
    stuck = shelf.models["2"]
    stuck.calls.clear()
    stuck.go_on = threading.Event()
    for _ in range(3):
        assert roles(gateway, 2) == ["champion"] * 2
    seen = gateway.observed("r2")["challenger"]
    assert (seen["rows"], seen["errors"]) == (6, 6)
    stuck.go_on.set()
    gateway.wait(lambda: roles(gateway, 1) == ["challenger"])
    assert stuck.calls == [2, 1]
    assert "TimeoutError: no answer in 0.1 seconds" in set(gateway.logged()["error"])


@pytest.mark.parametrize("mode", ["shadow", "canary"])
def test_a_challenger_with_answers_beyond_measure_is_observed_all_the_same(
    start: Any, shelf: Any, model: Any, mode: str
) -> None:
    shelf.models = {"1": model(1.0, task="regression"), "2": model(1.7e308, task="regression")}
    gateway = start()
    gateway.wait_ready()
    gateway.put("2", mode, 0.5)
    for _ in range(2):
        assert gateway.predict(*rows(20)).status_code == 200
        seen = gateway.observed("r2")["challenger"]
    assert seen["rows"] >= 10
    assert seen["mean_score"] is None
    gateway.restart()
    assert gateway.observed("r2")["challenger"] == seen


def test_each_arm_counts_the_rows_of_this_stage_only(gateway: Any) -> None:
    gateway.predict(*rows(50))
    gateway.put("2", "shadow")
    gateway.predict(*rows(50))
    gateway.put("2", "canary", 0.5)
    gateway.predict(*rows(100))
    seen = gateway.observed("r2")
    assert (seen["mode"], seen["weight"]) == ("canary", 0.5)
    assert seen["champion"]["rows"] + seen["challenger"]["rows"] == 100
    assert seen["challenger"]["latency_p99_seconds"] > 0


def test_saying_the_same_again_keeps_the_counters_and_a_new_weight_starts_anew(gateway: Any) -> None:
    gateway.put("2", "canary", 0.5)
    gateway.predict(*rows(20))
    since = gateway.observed("r2")["since"]
    assert gateway.put("2", "canary", 0.5).json()["weight"] == 0.5
    assert gateway.observed("r2")["since"] == since
    assert gateway.observed("r2")["champion"]["rows"] > 0
    gateway.put("2", "canary", 0.6)
    assert gateway.observed("r2")["since"] > since
    assert gateway.observed("r2")["champion"]["rows"] == 0


def test_a_rollout_that_is_not_open_is_seen_as_such(gateway: Any) -> None:
    assert gateway.observed("r9")["mode"] == "none"


def test_only_one_rollout_is_open_at_a_time(gateway: Any) -> None:
    gateway.put("2", "shadow")
    for refused in (
        gateway.put("3", "shadow"),
        gateway.put("3", "canary", 0.1, rollout="r2"),
        gateway.post("promote", rollout_id="r3", version="3"),
        gateway.post("promote", rollout_id="r2", version="3"),
    ):
        assert refused.status_code == 409
        assert "Rollout r2 of version 2 is open (shadow)" in refused.json()["detail"]
    assert roles(gateway, 5) == ["champion"] * 5


def test_the_champion_is_no_challenger_to_itself(gateway: Any) -> None:
    assert "is the champion already" in gateway.put("1", "canary", 0.5).json()["detail"]


def test_a_rollout_needs_a_champion_and_a_first_model_is_promoted_without_one(start: Any, shelf: Any) -> None:
    shelf.champion = None
    gateway = start()
    refused = gateway.put("1", "shadow")
    assert refused.status_code == 409
    assert "first model is promoted at once" in refused.json()["detail"]
    assert gateway.post("promote", rollout_id="r1", version="1").json()["champion"]["version"] == "1"
    assert roles(gateway, 1) == ["champion"]
    assert gateway.ready()["problems"] == {}


def test_a_version_that_does_not_load_is_refused_with_its_reason_and_the_old_one_stays(
    gateway: Any, shelf: Any
) -> None:
    refused = gateway.put("7", "canary", 1.0)
    assert (refused.status_code, refused.json()["detail"]) == (422, "there is no version 7")
    assert gateway.metric('mlops_gateway_load_failures_total{version="7"}') == 1
    shelf.champion = "7"
    assert gateway.post("refresh").status_code == 422
    assert gateway.ready()["problems"] == {"champion": "there is no version 7"}
    assert roles(gateway, 2) == ["champion"] * 2
    shelf.champion = "1"
    assert gateway.post("refresh").status_code == 200
    assert gateway.ready()["problems"] == {}


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"temp": "numeric", "carrier": "categorical", "wind": "numeric"}, "needs wind, which requests"),
        ({"temp": "categorical", "carrier": "categorical"}, "takes temp as another kind than version 1"),
        ({"temp": "numeric", "prediction": "numeric"}, "features named prediction, which are columns"),
        ({}, "has no signature"),
    ],
)
def test_a_challenger_that_cannot_answer_the_champions_requests_is_refused(
    gateway: Any, shelf: Any, model: Any, columns: dict[str, Any], reason: str
) -> None:
    shelf.models["2"] = model(0.2, columns=columns)
    refused = gateway.put("2", "shadow")
    assert refused.status_code == 422
    assert reason in refused.json()["detail"]


def test_a_challenger_of_another_task_is_refused(gateway: Any, shelf: Any, model: Any) -> None:
    shelf.models["2"] = model(0.2, task="regression")
    refused = gateway.put("2", "shadow")
    assert refused.status_code == 422
    assert "is for regression, version 1 for binary classification" in refused.json()["detail"]


def test_a_challenger_with_fewer_features_takes_part(gateway: Any, shelf: Any, model: Any) -> None:
    shelf.models["2"] = model(0.2, columns={"carrier": "categorical"})
    gateway.put("2", "canary", 1.0)
    assert roles(gateway, 3) == ["challenger"] * 3


def test_a_promotion_holds_until_the_alias_moves_and_then_follows_it(gateway: Any, shelf: Any) -> None:
    gateway.put("2", "canary", 0.5)
    assert gateway.post("promote", rollout_id="r2", version="2").json()["mode"] == "none"
    assert gateway.post("promote", rollout_id="r2", version="2").status_code == 200
    for alias, champion in (("1", "2"), ("2", "2"), ("3", "3"), ("1", "1")):
        shelf.champion = alias
        assert gateway.post("refresh").json()["champion"]["version"] == champion
        assert gateway.predict(ROW).json()["predictions"][0]["version"] == champion


def test_an_alias_that_moves_to_the_challenger_ends_the_rollout_as_promoted(gateway: Any, shelf: Any) -> None:
    gateway.put("2", "canary", 0.5)
    shelf.champion = "2"
    traffic = gateway.post("refresh").json()
    assert (traffic["champion"]["version"], traffic["challenger"], traffic["mode"]) == ("2", None, "none")
    assert gateway.post("promote", rollout_id="r2", version="2").status_code == 200
    assert gateway.post("rollback", rollout_id="r2").json()["champion"]["version"] == "2"


def test_an_alias_that_moves_elsewhere_changes_the_champion_and_the_rollout_counts_anew(
    gateway: Any, shelf: Any
) -> None:
    gateway.put("2", "canary", 0.5)
    gateway.predict(*rows(20))
    shelf.champion = "3"
    traffic = gateway.post("refresh").json()
    assert (traffic["champion"]["version"], traffic["challenger"]["version"]) == ("3", "2")
    seen = gateway.observed("r2")
    assert (seen["champion"]["version"], seen["champion"]["rows"]) == ("3", 0)


def test_rolling_back_twice_or_another_rollout_changes_nothing(gateway: Any) -> None:
    gateway.put("2", "canary", 1.0)
    assert gateway.post("rollback", rollout_id="r3").json()["mode"] == "canary"
    for _ in range(2):
        assert gateway.post("rollback", rollout_id="r2").json()["mode"] == "none"
    assert roles(gateway, 5) == ["champion"] * 5


def test_traffic_and_counters_survive_a_restart(gateway: Any) -> None:
    gateway.put("2", "canary", 0.5)
    before = roles(gateway)
    told, seen = gateway.http.get("/admin/traffic").json(), gateway.observed("r2")
    gateway.restart()
    assert gateway.http.get("/admin/traffic").json() == told
    assert gateway.observed("r2") == seen
    assert roles(gateway) == before


def test_a_promotion_survives_a_restart_though_the_alias_has_not_moved(gateway: Any) -> None:
    gateway.put("2", "canary", 0.5)
    gateway.post("promote", rollout_id="r2", version="2")
    gateway.restart()
    assert gateway.predict(ROW).json()["predictions"][0]["version"] == "2"


def test_a_promoted_champion_that_is_away_at_the_start_is_waited_for_not_replaced_by_an_old_alias(
    start: Any, shelf: Any
) -> None:
    gateway = start(poll_seconds=0.05)
    gateway.wait_ready()
    gateway.post("promote", rollout_id="r2", version="2")
    gateway.stop()
    away = shelf.models.pop("2")
    gateway._start()
    gateway.wait(lambda: gateway.ready()["problems"] == {"champion": "there is no version 2"})
    assert "there is no version 2" in gateway.predict(ROW).json()["detail"]
    shelf.models["2"] = away
    gateway.wait_ready()
    assert gateway.ready() == {"ready": True, "model": "flights", "champion": "2", "problems": {}}


def test_an_alias_that_moved_while_the_gateway_was_down_is_followed(gateway: Any, shelf: Any) -> None:
    gateway.stop()
    shelf.champion = "3"
    gateway._start()
    gateway.wait_ready()
    gateway.wait(lambda: gateway.ready()["champion"] == "3")


def test_a_challenger_that_is_gone_after_a_restart_is_told_and_takes_no_rows(
    gateway: Any, shelf: Any
) -> None:
    gateway.put("2", "canary", 1.0)
    del shelf.models["2"]
    gateway.restart()
    assert gateway.ready()["problems"] == {"challenger": "there is no version 2"}
    assert roles(gateway, 5) == ["champion"] * 5
    assert gateway.put("2", "canary", 1.0).status_code == 422
    assert gateway.post("rollback", rollout_id="r2").json()["mode"] == "none"
    assert gateway.ready()["problems"] == {}


def test_requests_and_a_rollback_do_not_wait_for_a_model_that_loads(gateway: Any, shelf: Any) -> None:
    gateway.put("2", "canary", 1.0)
    shelf.may_load = threading.Event()
    shelf.champion = "3"
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(gateway.post, "refresh")
        gateway.wait(lambda: "3" in shelf.loads)
        assert roles(gateway, 5) == ["challenger"] * 5
        assert gateway.post("rollback", rollout_id="r2").status_code == 200
        assert roles(gateway, 5) == ["champion"] * 5
        shelf.may_load.set()
        assert loading.result().json()["champion"]["version"] == "3"


@pytest.mark.parametrize("act", ["canary", "promote"])
def test_what_is_rolled_back_while_its_version_loads_does_not_serve_afterwards(
    gateway: Any, shelf: Any, act: str
) -> None:
    def change() -> Any:
        if act == "canary":
            return gateway.put("2", "canary", 1.0)
        return gateway.post("promote", rollout_id="r2", version="2")

    shelf.may_load = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(change)
        gateway.wait(lambda: "2" in shelf.loads)
        assert gateway.post("rollback", rollout_id="r2").status_code == 200
        shelf.may_load.set()
        assert under_way.result().status_code == 409
    assert "rolled back while" in under_way.result().json()["detail"]
    assert roles(gateway, 5) == ["champion"] * 5
    assert gateway.http.get("/admin/traffic").json()["champion"]["version"] == "1"
    assert change().status_code == 200


def test_a_promotion_is_not_undone_by_an_older_champion_that_was_still_loading(
    start: Any, shelf: Any
) -> None:
    gateway = start(poll_seconds=0.05)
    gateway.wait_ready()
    gateway.stop()
    tries, may_load, load = [], threading.Event(), shelf.load

    def slow(version: str) -> Any:
        if version == "1":
            tries.append(version)
            if len(tries) == 1:
                raise BackendUnavailable("MLflow is away")
            may_load.wait(10)
        return load(version)

    shelf.load = slow
    gateway._start()
    gateway.wait(lambda: len(tries) == 2)
    assert gateway.post("promote", rollout_id="r2", version="2").status_code == 200
    may_load.set()
    assert gateway.post("refresh").json()["champion"]["version"] == "2"
    assert gateway.predict(ROW).json()["predictions"][0]["version"] == "2"


def test_a_rollout_goes_on_where_it_was_when_the_registry_was_away_at_the_start(
    start: Any, shelf: Any
) -> None:
    gateway = start(poll_seconds=0.05)
    gateway.wait_ready()
    gateway.put("2", "canary", 1.0)
    gateway.predict(*rows(20))
    seen = gateway.observed("r2")
    gateway.stop()
    load, away = shelf.load, threading.Event()

    def refuse(version: str) -> Any:
        away.set()
        raise BackendUnavailable("MLflow is away")

    shelf.load = refuse
    gateway._start()
    gateway.wait(lambda: gateway.ready()["problems"].keys() == {"champion", "challenger"})
    shelf.load = load
    gateway.wait_ready()
    gateway.wait(lambda: gateway.ready()["problems"] == {})
    assert gateway.observed("r2") == seen
    assert roles(gateway, 5) == ["challenger"] * 5


def test_the_alias_is_followed_though_the_background_work_stumbled(
    start: Any, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: Any) -> None:
        monkeypatch.undo()
        raise RuntimeError("nobody thought of this")

    gateway = start(poll_seconds=0.05)
    gateway.wait_ready()
    monkeypatch.setattr(TrafficFiles, "save_stage", stumble)
    gateway.put("2", "shadow")
    gateway.wait(lambda: TrafficFiles.save_stage is not stumble)
    shelf.champion = "3"
    gateway.wait(lambda: gateway.ready()["champion"] == "3")


def test_a_smoke_test_and_the_traffic_change_after_it_load_once(gateway: Any, shelf: Any) -> None:
    assert gateway.post("smoke", version="2", rows=rows(3)).json() == {"predictions": [0.2] * 3}
    gateway.put("2", "shadow")
    assert shelf.loads == ["1", "2"]
    assert gateway.http.get("/admin/traffic").json()["mode"] == "shadow"


def test_a_smoke_test_tells_why_the_candidate_cannot_answer(gateway: Any, shelf: Any) -> None:
    shelf.models["2"].broken_on = "AA"
    assert "ValueError (at " in gateway.post("smoke", version="2", rows=rows(1)).json()["detail"]
    wrong = gateway.post("smoke", version="2", rows=[{"temp": 1}]).json()["detail"]
    assert wrong[0]["loc"] == ["body", "rows", 0, "carrier"]
    assert gateway.post("smoke", version="7", rows=rows(1)).status_code == 422


def test_a_change_that_would_not_survive_is_refused_but_a_rollback_is_served(
    gateway: Any, shelf: Any
) -> None:
    gateway.put("2", "canary", 1.0)
    traffic = gateway.settings.store / "traffic"
    traffic.rename(traffic.with_name("away"))
    traffic.write_text("in the way")
    refused = gateway.put("2", "canary", 0.5)
    assert refused.status_code == 503
    assert "could not be written" in refused.json()["detail"]
    assert roles(gateway, 5) == ["challenger"] * 5
    assert gateway.post("rollback", rollout_id="r2").status_code == 503
    assert roles(gateway, 5) == ["champion"] * 5
    traffic.unlink()
    assert gateway.post("rollback", rollout_id="r2").status_code == 200
    gateway.restart()
    assert gateway.http.get("/admin/traffic").json()["mode"] == "none"


@pytest.mark.parametrize(
    "body",
    [
        {"rollout_id": "r2", "version": "2", "mode": "canary", "weight": 1.1},
        {"rollout_id": "r2", "version": "2", "mode": "mirror", "weight": 0},
        {"rollout_id": "r2", "version": 2, "mode": "shadow"},
        {"rollout_id": "r2", "version": "2", "mode": "shadow", "wieght": 0},
        {"rollout_id": "r2", "version": "2", "mode": "shadow", "model": "other"},
        [],
    ],
)
def test_a_change_that_makes_no_sense_is_refused(steady: Any, body: Any) -> None:
    assert steady.http.put("/admin/traffic", json=body).status_code == 422
    assert steady.http.get("/admin/traffic").json()["mode"] == "none"


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}])
def test_the_admin_routes_need_the_token_and_predictions_do_not(start: Any, header: dict[str, str]) -> None:
    gateway = start(token="secret")
    gateway.wait_ready()
    gateway.http.headers.pop("Authorization")
    for method, path in (
        ("GET", "traffic"),
        ("PUT", "traffic"),
        ("GET", "observations/r"),
        ("POST", "smoke"),
        ("POST", "promote"),
        ("POST", "rollback"),
        ("POST", "flush"),
        ("POST", "refresh"),
    ):
        assert gateway.http.request(method, f"/admin/{path}", headers=header).status_code == 401
    assert gateway.predict(ROW).status_code == 200
    right = gateway.http.get("/admin/traffic", headers={"Authorization": "Bearer secret"})
    assert right.status_code == 200


def test_a_web_page_cannot_move_the_traffic_of_a_gateway_without_a_token(gateway: Any) -> None:
    gateway.put("2", "canary", 1.0)
    page = {"Origin": "https://example.org", "Content-Type": "text/plain"}
    refused = gateway.http.post("/admin/rollback", content=b'{"rollout_id": "r2"}', headers=page)
    assert refused.status_code == 403
    assert roles(gateway, 2) == ["challenger"] * 2


def test_the_champion_before_stays_in_memory_for_the_way_back_and_only_that_one(
    gateway: Any, shelf: Any
) -> None:
    def kept() -> Any:
        return gateway.http.get("/admin/traffic").json()["kept_warm"]

    assert kept() is None
    gateway.post("promote", rollout_id="r2", version="2")
    assert kept() == "1"
    gateway.post("promote", rollout_id="back", version="1")
    assert (kept(), shelf.loads) == ("2", ["1", "2"])
    shelf.champion = "3"
    gateway.post("refresh")
    assert kept() == "1"
    gateway.post("promote", rollout_id="r2", version="2")
    assert shelf.loads == ["1", "2", "3", "2"]
    gateway.post("promote", rollout_id="r2", version="2")
    assert kept() == "3"


def test_a_version_is_loaded_without_a_row_and_is_not_asked_to_predict_nothing(
    gateway: Any, shelf: Any
) -> None:
    calls = len(shelf.models["2"].calls)
    assert gateway.post("smoke", version="2").json() == {"predictions": []}
    assert gateway.post("smoke", version="2", rows=[]).json() == {"predictions": []}
    assert (shelf.loads, len(shelf.models["2"].calls) - calls) == (["1", "2"], 1)  # the warm-up's own
    assert gateway.post("smoke", version="9").status_code == 422
