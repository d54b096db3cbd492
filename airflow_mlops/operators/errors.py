"""The edge at which this package's errors become Airflow's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowException, AirflowFailException
from pydantic import ValidationError

from airflow_mlops.exceptions import MlopsError


@contextmanager
def airflow_errors() -> Iterator[None]:
    """Fail at once where a retry cannot help, and keep the message as it is."""
    try:
        yield
    except MlopsError as error:
        raise airflow_error(str(error), retry=error.retry_can_help) from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        )
        raise AirflowFailException(f"an input of this task has the wrong form: {wrong}") from None


def airflow_error(message: str, *, retry: bool) -> AirflowException:
    """The exception that lets Airflow retry, or not."""
    return AirflowException(message) if retry else AirflowFailException(message)
