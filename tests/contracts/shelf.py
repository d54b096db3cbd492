"""A registry for the contract suite, and a program that serves it as ``airflow-mlops serve`` does."""

from __future__ import annotations

from typing import Any

import numpy as np

from airflow_mlops.exceptions import ModelRefused


class Constant:
    """Predicts its version's number over ten."""

    columns = {"temp": "numeric", "carrier": "categorical"}  # noqa: RUF012 - read only
    task = "binary_classification"

    def __init__(self, version: str) -> None:
        self._answer = int(version) / 10

    def predict(self, features: Any) -> Any:
        return np.full(len(features), self._answer)


class Shelf:
    """A registry whose champion is version 1 and that has versions 1 to 3."""

    def champion_version(self) -> str:
        return "1"

    def load(self, version: str) -> Any:
        if version not in "123":
            raise ModelRefused(f"there is no version {version}")
        return Constant(version)


def main() -> None:
    """``airflow-mlops serve``, with its own options, on this registry instead of MLflow's."""
    from unittest import mock

    from airflow_mlops.cli.serve import command

    with mock.patch("airflow_mlops.gateway.server._registry", return_value=Shelf()):
        command()


if __name__ == "__main__":
    main()
