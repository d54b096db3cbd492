"""What is told of an error that others raised over rows: never the rows, and as much else as we can."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from airflow_mlops.core.raised import raised

NAMES = pd.DataFrame({"name": ["Ann", "Bob"]})
FITTED = LinearRegression().fit(pd.DataFrame({"a": [1.0, 2.0]}), [1.0, 2.0])


def missing() -> None:
    raise ValueError("Model is missing inputs ['age']. Note that there were extra inputs: ['Jane Doe']")


def strange() -> None:
    raise ValueError("Jane Doe is no customer")


@pytest.mark.parametrize(
    ("fail", "told"),
    [
        (
            lambda: OneHotEncoder().fit(NAMES).transform(pd.DataFrame({"name": ["Jane] Doe"]})),
            "ValueError: Found unknown categories in column 0 during transform",
        ),
        (
            lambda: OrdinalEncoder().fit(NAMES).transform(pd.DataFrame({"name": ["Jane\nDoe"]})),
            "ValueError: Found unknown categories in column 0 during transform",
        ),
        (lambda: np.asarray(["Jane Doe"]).astype(float), "ValueError: could not convert string to float"),
        (
            lambda: FITTED.predict(pd.DataFrame({"a": [np.nan]})),
            "ValueError: Input X contains NaN",
        ),
        (
            lambda: FITTED.predict(np.ones((1, 3))),
            "ValueError: X has 3 features, but LinearRegression is expecting 1 features as input",
        ),
        (
            lambda: FITTED.predict(pd.DataFrame({"Jane Doe": [1.0]})),
            "ValueError: The feature names should match those that were passed during fit",
        ),
        (missing, "ValueError: Model is missing inputs ['age']"),
        (strange, f"ValueError (at {__file__.rpartition('/')[2]}:{strange.__code__.co_firstlineno + 1})"),
    ],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_an_error_is_told_without_the_row_that_it_quotes(fail, told) -> None:
    with pytest.raises(ValueError) as caught:
        fail()
    assert raised(caught.value) == told
