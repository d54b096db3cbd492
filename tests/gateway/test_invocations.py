"""What a user of MLflow's scoring server sends is answered as there, and split and logged as ours."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

ROW = {"temp": 20.5, "carrier": "AA"}


def post(gateway: Any, body: Any, **options: Any) -> Any:
    return gateway.http.post("/invocations", json=body, **options)


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["carrier", "temp"], "data": [["AA", 1.5], [None, 2]]}},
        {"dataframe_split": {"index": [4, 7], "columns": ["temp", "carrier"], "data": [[1, "A"], [2, "B"]]}},
        {"dataframe_split": {"data": [[1, "A"], [2, "B"]]}},
        {"dataframe_records": [ROW, {"carrier": None, "temp": None}]},
        {"dataframe_records": [ROW, ROW], "params": {"threshold": 0.5}},
        {"instances": [ROW, ROW]},
        {"instances": [[20.5, "AA"], [3, "BB"]]},
        {"instances": {"temp": [1, 2], "carrier": ["A", "B"]}},
        {"inputs": {"temp": [1, 2], "carrier": ["A", "B"]}},
        {"inputs": [ROW, ROW]},
        {"dataframe_records": [{**ROW, "colour": "red"}] * 2},
    ],
)
def test_each_of_mlflows_shapes_is_answered_row_by_row(steady: Any, body: Any) -> None:
    answer = post(steady, body)
    assert (answer.status_code, answer.json()) == (200, {"predictions": [0.1, 0.1]})
    document = steady.http.get("/openapi.json").json()
    described = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]
    jsonschema.Draft202012Validator(described["schema"]).validate(body)


def test_one_value_a_column_is_one_row(steady: Any) -> None:
    assert post(steady, {"inputs": {"temp": 1, "carrier": "A"}}).json() == {"predictions": [0.1]}


def test_csv_is_taken_with_its_names_in_any_order_and_empty_fields_as_missing(gateway: Any) -> None:
    text = 'carrier,temp,flight\n"A, B",1.5,7\n,,8\n'
    answer = gateway.http.post(
        "/invocations", content=text, headers={"Content-Type": "text/csv; charset=UTF-8"}
    )
    assert answer.json() == {"predictions": [0.1, 0.1]}
    log = gateway.logged()
    assert log["key"].tolist() == ["7", "8"]
    assert log["carrier"].tolist()[0] == "A, B"
    assert log["temp"].tolist()[0] == 1.5
    assert log[["temp", "carrier"]].isna().values.tolist() == [[False, False], [True, True]]


def test_mlflows_own_client_gets_its_predictions(steady: Any) -> None:
    import pandas as pd

    host, port = steady.url.removeprefix("http://").split(":")
    client = ScoringServerClient(host, int(port))
    client.wait_server_ready(timeout=10)
    frame = pd.DataFrame({"temp": [1.5, float("nan")], "carrier": ["AA", None]})
    assert client.invoke(frame).get_predictions().values.tolist() == [[0.1], [0.1]]


def test_nan_is_a_missing_number_for_model_and_log(gateway: Any) -> None:
    body = b'{"dataframe_split": {"columns": ["temp", "carrier"], "data": [[NaN, "A"], [1.0, "B"]]}}'
    headers = {"Content-Type": "application/json"}
    assert gateway.http.post("/invocations", content=body, headers=headers).status_code == 200
    assert gateway.logged()["temp"].isna().tolist() == [True, False]


def test_every_shape_is_logged_as_the_rows_that_it_is(gateway: Any) -> None:
    bodies = [
        {"dataframe_split": {"columns": ["carrier", "temp", "flight"], "data": [["B", 2.5, 9]]}},
        {"inputs": {"temp": [2.5], "carrier": ["B"], "flight": ["9"]}},
        {"instances": [{"temp": 2.5, "carrier": "B", "flight": 9}]},
    ]
    for body in bodies:
        post(gateway, body, headers={"X-Request-Id": "me"})
    log = gateway.logged()
    assert log[["request_id", "key", "temp", "carrier", "prediction"]].values.tolist() == [
        ["me", "9", 2.5, "B", 0.1]
    ] * len(bodies)


def test_a_canary_takes_its_share_of_them_too(gateway: Any) -> None:
    gateway.put("2", "canary", 1.0)
    assert post(gateway, {"instances": [ROW]}).json() == {"predictions": [0.2]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "expected an object with one of dataframe_split, dataframe_records, instances, inputs"),
        ({"rows": [ROW]}, "expected an object with one of"),
        ({"instances": [ROW], "inputs": [ROW]}, "expected an object with one of"),
        ({"instances": []}, "no rows"),
        ({"instances": "x"}, "expected a list of rows"),
        ({"instances": [[1]]}, "body.instances.0: expected a list of 2 values: temp, carrier"),
        ({"inputs": {"temp": [1, 2], "carrier": ["A"]}}, "different lengths"),
        ({"dataframe_split": {"columns": ["temp"], "data": [[1]]}}, "carrier: missing"),
        ({"dataframe_split": {"columns": ["temp", "temp"], "data": [[1, 2]]}}, "a name is there twice"),
        ({"dataframe_split": {"columns": 3, "data": []}}, "expected a list of names"),
        ({"dataframe_split": []}, 'expected an object {"columns": [...], "data"'),
        ({"dataframe_records": [{**ROW, "temp": "warm"}]}, '"warm" is not a number or null'),
        ({"dataframe_records": [ROW, 3]}, "expected an object of feature names"),
    ],
)
def test_what_does_not_fit_is_a_400_with_mlflows_error_and_every_problem(
    steady: Any, body: Any, message: str
) -> None:
    answer = post(steady, body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "one line a row"),
        ("temp,carrier\n1\n", "expected a list of 2 values"),
        ("temp,temp\n1,2\n", "twice"),
        ("temp,carrier\nwarm,A\n", '"warm" is not a number or null'),
        ("temp,carrier\n", "no rows"),
    ],
)
def test_a_csv_that_does_not_fit_says_why(steady: Any, content: str, message: str) -> None:
    answer = steady.http.post("/invocations", content=content, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 400
    assert message in answer.json()["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=latin-1"])
def test_another_type_of_body_is_a_415(steady: Any, kind: str) -> None:
    answer = steady.http.post("/invocations", content=b"x", headers={"Content-Type": kind})
    assert answer.status_code == 415


def test_mlflows_other_addresses_answer(start: Any, steady: Any, shelf: Any) -> None:
    import mlflow

    assert steady.http.get("/version").text == mlflow.__version__
    assert steady.http.get("/ping").status_code == 200
    shelf.champion = None
    gateway = start()
    assert gateway.http.get("/ping").status_code == 503
    assert post(gateway, {"instances": [ROW]}).status_code == 503


def test_getting_a_prediction_address_says_that_it_takes_post(steady: Any) -> None:
    answer = steady.http.get("/invocations")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
