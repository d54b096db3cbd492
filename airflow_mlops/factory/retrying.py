"""Retries by cause: again, after a growing wait, where a service or machine was at fault; else not at all."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def by_cause() -> Any:
    """Airflow's retry policy (3.3 and later); None where this Airflow has none, and then every error that is
    not known to be the data's or the code's is tried again.

    Our own errors that a retry cannot help fail at once by themselves (``AirflowFailException``); those that
    it can are ``AirflowException``. Errors of other libraries are known by their names, as they are where
    the failure is explained. What nobody foresaw is code.
    """
    try:
        from airflow.sdk.definitions.retry_policy import (
            ExceptionRetryPolicy,
            RetryAction,
            RetryDecision,
            RetryRule,
        )
    except ImportError:
        return None
    from airflow.sdk.exceptions import AirflowException

    # A time-out that Airflow sets is no AirflowException, and is found by its name: where it is has changed.
    rule = RetryRule(
        [
            AirflowException,
            ConnectionError,
            TimeoutError,
            OSError,
            "airflow.sdk.exceptions.AirflowTaskTimeout",
        ],
        RetryAction.RETRY,
        reason="a service or machine was at fault: tried again, after twice the wait each time",
    )

    class ByCause(ExceptionRetryPolicy):
        """The rule, and what a library calls its own: naming it in the rule would import it in each parse."""

        def evaluate(self, exception: BaseException, *args: Any, **kwargs: Any) -> RetryDecision:
            from airflow_mlops.operators.failing import failure

            found = super().evaluate(exception, *args, **kwargs)
            if found.action is RetryAction.FAIL and failure("", exception).cause == "infrastructure":
                return RetryDecision.retry(reason=rule.reason)
            return found

    return ByCause([rule], default=RetryAction.FAIL)
