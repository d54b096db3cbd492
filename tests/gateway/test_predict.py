"""What a caller of /predict gets: answers in order, or every problem with its row and field."""

from __future__ import annotations

import difflib
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import pytest

from airflow_mlops.gateway.rows import Signature, Source
from airflow_mlops.gateway.validation import MAX_PROBLEMS, InvalidRequest, check_rows

ROW = {"temp": 20.5, "carrier": "AA"}


def test_each_row_is_answered_in_order_with_its_key_version_and_role(steady: Any) -> None:
    response = steady.predict({**ROW, "flight": 7}, {**ROW, "flight": "8b"}, headers={"X-Request-Id": "me"})
    assert response.json() == {
        "request_id": "me",
        "model": "flights",
        "predictions": [
            {"key": "7", "prediction": 0.1, "version": "1", "role": "champion"},
            {"key": "8b", "prediction": 0.1, "version": "1", "role": "champion"},
        ],
    }
    assert response.headers["X-Request-Id"] == "me"


def test_a_row_without_a_key_and_a_request_without_an_id_are_given_one(steady: Any) -> None:
    answers = [steady.predict(ROW, ROW).json() for _ in range(2)]
    keys = [row["key"] for answer in answers for row in answer["predictions"]]
    assert len(set(keys)) == 4
    assert answers[0]["request_id"] != answers[1]["request_id"]


@pytest.mark.parametrize("given", ["x" * 129, "caf\u00e9".encode().decode("latin-1"), ""])
def test_a_request_id_that_could_not_be_logged_well_is_replaced(steady: Any, given: str) -> None:
    response = steady.predict(ROW, headers={"X-Request-Id": given.encode("latin-1")})
    assert len(response.json()["request_id"]) == 32


@pytest.mark.parametrize(
    "row",
    [{"temp": None, "carrier": None}, {"temp": 3, "carrier": 4}, {"temp": True, "carrier": False}],
)
def test_missing_values_whole_numbers_and_flags_are_taken(steady: Any, row: dict[str, Any]) -> None:
    assert steady.predict(row).status_code == 200


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ({"carrier": "AA"}, "temp", "missing; expected a number or null"),
        ({"temp": 1.0}, "carrier", "missing; expected a string, whole number, boolean or null"),
        ({**ROW, "temp": "20.5"}, "temp", '"20.5" is not a number or null'),
        ({**ROW, "temp": [1]}, "temp", "[1] is not a number or null"),
        ({**ROW, "carrier": 1.5}, "carrier", "1.5 is not a string, whole number, boolean or null"),
        ({**ROW, "carrier": {"a": 1}}, "carrier", '{"a": 1} is not a string'),
        ({**ROW, "tmep": 1}, "tmep", "unknown field; did you mean 'temp'?"),
        ({**ROW, "zzz": 1}, "zzz", "unknown field; the model does not take it"),
        ({**ROW, "temp": 10**400}, "temp", "too large for a 64-bit float"),
        ({**ROW, "flight": 1.5}, "flight", "1.5 is not a key; expected a string or whole number"),
        ({**ROW, "flight": ""}, "flight", '"" is not a key'),
        ({**ROW, "departs": "tomorrow"}, "departs", '"tomorrow" is not an ISO 8601 time'),
        ({**ROW, "departs": 1364796000}, "departs", "1364796000 is not an ISO 8601 time"),
    ],
)
def test_a_bad_row_is_refused_by_its_number_and_field(
    steady: Any, row: dict[str, Any], field: str, message: str
) -> None:
    response = steady.predict(ROW, ROW, row)
    assert response.status_code == 422
    (problem,) = response.json()["detail"]
    assert problem["loc"] == ["body", "rows", 2, field]
    assert problem["msg"].startswith(message)


def test_all_problems_of_a_request_are_told_at_once_up_to_a_hundred(steady: Any) -> None:
    detail = steady.predict(*[{"temp": "x"}] * 200).json()["detail"]
    assert len(detail) == 100
    assert [one["loc"][2:] for one in detail[:3]] == [[0, "temp"], [0, "carrier"], [1, "temp"]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", 'expected an object {"rows"'),
        (b'{"rows": {}}', 'expected an object {"rows"'),
        (b'{"rows": []}', "no rows"),
        (b'{"rows": [1]}', "expected an object of feature names"),
        (b'{"rows": [{"temp": 1, "carrier": "A"}], "x": 1}', "unknown field"),
        (b'{"rows": [{"temp": NaN, "carrier": "A"}]}', "NaN is not JSON; write null"),
        (b'{"rows": [{"temp": -Infinity, "carrier": "A"}]}', "-Infinity is not JSON"),
        (b'{"rows": [{"temp": 1e999, "carrier": "A"}]}', "too large for a 64-bit float"),
        (b'{"rows": [{"temp": ' + b"1" * 5_000 + b', "carrier": "A"}]}', "a number of more than 4300 digits"),
        (b'{"rows": [{"temp": 1, "carrier": "\xed\xa0\x80"}]}', "not JSON"),
        (b'{"rows": [{"temp": 1, "carrier": "\\ud800"}]}', "half a character"),
        (b'{"rows": [{"temp": 1, "carrier": "A", "flight": "\\uDC00"}]}', "half a character"),
        (b'{"rows": [{"temp": 1, "carrier": "A", "\\ud800": 1}]}', "half a character"),
    ],
)
def test_a_body_that_is_not_rows_of_json_is_refused(steady: Any, body: bytes, message: str) -> None:
    response = steady.http.post("/predict", content=body)
    assert response.status_code == 422
    assert response.json()["detail"][0]["msg"].startswith(message)


def test_a_character_that_json_writes_in_two_halves_is_taken(steady: Any) -> None:
    body = b'{"rows": [{"temp": 1, "carrier": "A", "flight": "\\ud83d\\ude80"}]}'
    assert steady.http.post("/predict", content=body).json()["predictions"][0]["key"] == "\U0001f680"


def test_no_more_problems_are_looked_into_than_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    monkeypatch.setattr(difflib, "get_close_matches", lambda *a, **_: looked.append(a) or [])
    source = Source(b"", "predict", Signature({"temp": "numeric"}), "me")
    with pytest.raises(InvalidRequest) as caught:
        check_rows([{"temq": 1, "temr": "x"}] * 10_000, source)
    assert len(caught.value.problems) == MAX_PROBLEMS
    assert len(looked) == MAX_PROBLEMS


def test_a_body_that_does_not_come_is_given_up_and_its_place_freed(start: Any) -> None:
    gateway = start(body_seconds=0.1, max_in_flight=1)
    gateway.wait_ready()
    with socket.create_connection(("127.0.0.1", int(gateway.url.rsplit(":", 1)[1])), timeout=10) as slow:
        slow.sendall(b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{"rows"')
        assert b" 408 " in slow.recv(4_096)
    assert gateway.predict(ROW).status_code == 200


def test_too_many_rows_and_too_many_bytes_are_refused(start: Any) -> None:
    gateway = start(max_rows=3, max_body_bytes=1000)
    gateway.wait_ready()
    assert "4 rows; send at most 3" in gateway.predict(ROW, ROW, ROW, ROW).json()["detail"][0]["msg"]
    declared = gateway.http.post("/predict", content=b"x" * 1001)
    chunked = gateway.http.post("/predict", content=iter([b"x" * 600, b"x" * 600]))
    assert (declared.status_code, chunked.status_code) == (413, 413)
    assert "1000 bytes" in declared.json()["detail"]


def test_a_body_too_long_for_the_event_loop_is_checked_all_the_same(steady: Any) -> None:
    rows = [{**ROW, "flight": number} for number in range(2_000)]
    answers = steady.predict(*rows).json()["predictions"]
    assert [row["key"] for row in answers] == [str(number) for number in range(2_000)]
    assert steady.predict(*rows, {"temp": 1}).json()["detail"][0]["loc"] == ["body", "rows", 2000, "carrier"]


def test_without_a_champion_the_answer_says_so_and_a_new_one_is_picked_up(start: Any, shelf: Any) -> None:
    shelf.champion = None
    gateway = start(poll_seconds=0.05)
    gateway.wait(lambda: "registry yet" in str(gateway.ready()["problems"]))
    response = gateway.predict(ROW)
    assert response.status_code == 503
    assert "No champion of flights is loaded" in response.json()["detail"]
    assert gateway.http.get("/health").status_code == 200
    shelf.champion = "1"
    gateway.wait_ready()
    assert gateway.predict(ROW).json()["predictions"][0]["version"] == "1"
    assert gateway.ready() == {"ready": True, "model": "flights", "champion": "1", "problems": {}}


def test_a_champion_that_raises_gives_a_clear_500_and_an_error_in_the_log(gateway: Any, shelf: Any) -> None:
    shelf.models["1"].broken_on = "ZZ"
    response = gateway.predict(ROW, {**ROW, "carrier": "ZZ"})
    assert response.status_code == 500
    assert response.json()["detail"] == (
        "flights version 1 failed on this request: ValueError: no such carrier: ZZ"
    )
    log = gateway.logged()
    assert list(log["error"]) == ["ValueError: no such carrier: ZZ"] * 2
    assert log["prediction"].isna().all()
    assert gateway.metric('mlops_gateway_row_errors_total{role="champion",version="1"}') == 2


@pytest.mark.parametrize("answer", [float("nan"), float("inf")])
def test_a_prediction_that_is_not_a_number_is_an_error_not_an_answer(
    gateway: Any, shelf: Any, answer: float
) -> None:
    shelf.models["1"].answer = answer
    response = gateway.predict(ROW)
    assert response.status_code == 500
    assert "not finite" in response.json()["detail"]


def test_requests_that_wait_for_a_busy_model_share_its_next_call_and_only_the_bad_one_fails(
    gateway: Any, shelf: Any
) -> None:
    served = shelf.models["1"]
    served.broken_on, served.go_on = "ZZ", threading.Event()
    served.calls.clear()
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(gateway.predict, ROW)
        gateway.wait(lambda: served.calls == [1])
        others = [
            pool.submit(gateway.predict, {**ROW, "carrier": carrier, "flight": carrier})
            for carrier in ("AA", "ZZ", "BB", "CC")
        ]
        gateway.wait(lambda: gateway.metric("mlops_gateway_requests_in_flight") == 5)
        served.go_on.set()
        codes = [future.result().status_code for future in (first, *others)]
    assert codes == [200, 200, 500, 200, 200]
    assert served.calls == [1, 4, 1, 1, 1, 1]


def test_more_requests_than_may_be_under_way_are_told_to_come_again(start: Any, shelf: Any) -> None:
    gateway = start(max_in_flight=1)
    gateway.wait_ready()
    shelf.models["1"].go_on = threading.Event()
    shelf.models["1"].calls.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(gateway.predict, ROW)
        gateway.wait(lambda: shelf.models["1"].calls == [1])
        refused = gateway.predict(ROW)
        shelf.models["1"].go_on.set()
    assert (first.result().status_code, refused.status_code) == (200, 503)
    assert refused.headers["Retry-After"] == "1"


def test_class_probabilities_are_answered_whole_and_logged_as_the_most_probable_class(
    start: Any, shelf: Any, model: Any
) -> None:
    class ThreeClasses(model):
        def predict(self, features: Any) -> Any:
            import numpy as np

            return np.tile([0.2, 0.5, 0.3], (len(features), 1))

    shelf.models["1"] = ThreeClasses(0.0, task="multiclass_classification")
    gateway = start()
    gateway.wait_ready()
    assert gateway.predict(ROW).json()["predictions"][0]["prediction"] == [0.2, 0.5, 0.3]
    assert list(gateway.logged()["prediction"]) == [1.0]


def test_the_api_describes_a_row_by_the_models_signature(steady: Any) -> None:
    document = steady.http.get("/openapi.json").json()
    row = document["components"]["schemas"]["Row"]
    assert row["required"] == ["temp", "carrier"]
    assert set(row["properties"]) == {"temp", "carrier", "flight", "departs"}
    assert row["additionalProperties"] is False
    paths = {"/predict", "/health", "/ready", "/metrics", "/admin/traffic", "/admin/flush"}
    assert paths <= document["paths"].keys()


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"rows": [ROW]}, True),
        ({"rows": [{"temp": None, "carrier": None, "flight": None, "departs": None}]}, True),
        ({"rows": [{"temp": True, "carrier": 3, "flight": 3, "departs": "2013-04-01T06:00:00Z"}]}, True),
        ({"rows": []}, False),
        ({"rows": [ROW], "x": 1}, False),
        ({"rows": [{}]}, False),
        ({"rows": [{**ROW, "temp": "1"}]}, False),
        ({"rows": [{**ROW, "carrier": 1.5}]}, False),
        ({"rows": [{**ROW, "flight": ""}]}, False),
        ({"rows": [{**ROW, "flight": True}]}, False),
        ({"rows": [{**ROW, "departs": 3}]}, False),
        ({"rows": [{**ROW, "zzz": 1}]}, False),
        ([], False),
    ],
)
def test_the_api_description_and_the_answers_agree_on_what_fits(steady: Any, body: Any, fits: bool) -> None:
    document = steady.http.get("/openapi.json").json()
    described = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = {**described, "components": document["components"]}
    assert jsonschema.Draft202012Validator(schema).is_valid(body) is fits
    assert steady.http.post("/predict", json=body).status_code == (200 if fits else 422)


def test_every_part_of_a_path_in_the_api_description_is_a_parameter(steady: Any) -> None:
    paths = steady.http.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for described in methods.values():
            named = {one["name"] for one in described.get("parameters", []) if one["in"] == "path"}
            assert named == set(re.findall(r"{(.+?)}", path))


def test_requests_are_counted_by_code(gateway: Any) -> None:
    gateway.predict(ROW)
    gateway.predict({})
    assert gateway.metric('mlops_gateway_requests_total{code="200"}') == 1
    assert gateway.metric('mlops_gateway_requests_total{code="422"}') == 1
    assert gateway.metric('mlops_gateway_model_info{model="flights",role="champion",version="1"}') == 1


def test_a_text_is_taken_as_a_string_and_a_missing_one_is_empty_for_model_and_log(
    start: Any, shelf: Any, model: Any
) -> None:
    shelf.models["1"] = model(0.5, columns={"comment": "text", "language": "categorical"})
    gateway = start()
    gateway.wait_ready()
    rows = [{"comment": "ach nee", "language": "de"}, {"comment": None, "language": None}]
    assert gateway.predict(*rows).status_code == 200
    logged = gateway.logged()
    assert logged["comment"].tolist() == ["ach nee", ""]
    assert logged["language"].isna().tolist() == [False, True]
    refused = gateway.predict({"comment": 7, "language": 7})
    assert [problem["msg"] for problem in refused.json()["detail"]] == ["7 is not a string or null"]
    row = gateway.http.get("/openapi.json").json()["components"]["schemas"]["Row"]
    assert row["properties"]["comment"] == {"type": ["string", "null"]}
