"""The task at the end of a run that tells people what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException

from airflow_mlops.exceptions import MlopsError
from airflow_mlops.operators.errors import airflow_errors


class Teller(Protocol):
    """A ``FindingsNotifier``, or what tells like one."""

    def tell(self, context: Mapping[str, Any]) -> list[str]:
        """Tell what there is to tell; the headlines of what was told."""


class TellFindingsOperator(BaseOperator):
    """Has a ``FindingsNotifier`` tell what the ledger holds, and is retried where somebody cannot be reached.

    It runs whatever became of the tasks before it, and is a teardown for Airflow: the run's state is that of
    the others, so a failure stays one, and a Slack that is away does not turn a run red. What one run could
    not tell, the next one of the model tells. The result lists what was told.
    """

    def __init__(self, *, notifier: Teller, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notifier = notifier
        self.as_teardown(on_failure_fail_dagrun=False)

    def execute(self, context: Any) -> list[str]:
        """Tell. A wrong setting fails at once, all else may be mended by a retry."""
        with airflow_errors():
            try:
                return self.notifier.tell(context)
            except MlopsError:
                raise
            except Exception as error:
                raise AirflowException(f"somebody could not be told: {type(error).__name__}") from error
