"""Sensors that wait until a model's ledger has something to work off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_mlops.config.described import Described
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.exceptions import MlopsError
from airflow_mlops.triggers.ledger import LedgerTrigger, Pending, look


class LedgerSensor(BaseSensorOperator):
    """Waits for an entry that no run has taken; its subject, reasons and time go to XCom.

    ``model`` is a model's name, a ``Model``, its configuration, or the path of its YAML (``.yaml`` or
    ``.yml``).
    The sensor takes nothing: that is for the run that it lets go on.
    """

    kind: ClassVar[Pending]

    def __init__(
        self, *, model: Described | ModelConfig | str | Path, deferrable: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.deferrable = deferrable

    def execute(self, context: Any) -> Any:
        """Look once; then wait in the triggerer, or poke."""
        if not self.deferrable:
            return super().execute(context)
        found = self._look()
        if found is None:
            self.defer(
                trigger=LedgerTrigger(
                    model=self._name(), kind=self.kind, poll_interval=float(self.poke_interval)
                ),
                method_name="execute_complete",
                timeout=timedelta(seconds=float(self.timeout)),
            )
        return found

    def poke(self, context: Any) -> PokeReturnValue:  # noqa: ARG002 (Airflow's signature)
        """The same look as the trigger's."""
        found = self._look()
        return PokeReturnValue(is_done=found is not None, xcom_value=found)

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """Resumed by the trigger."""
        if "error" in event:
            raise (AirflowException if event["retry"] else AirflowFailException)(str(event["error"]))
        return event["found"]

    def _look(self) -> dict[str, Any] | None:
        try:
            return look(self._name(), self.kind)
        except MlopsError as error:
            raise (AirflowException if error.retry_can_help else AirflowFailException)(str(error)) from error

    def _name(self) -> str:
        if isinstance(self.model, Described):
            return self.model.config.model
        if isinstance(self.model, ModelConfig):
            return self.model.model
        if str(self.model).endswith((".yaml", ".yml")):
            from airflow_mlops.config.load import load_model
            from airflow_mlops.hooks.site import site_of_task

            path = Path(str(self.model))
            return load_model(path, site_of_task(path, self.get_dag())).config.model
        return str(self.model)


class PendingChallengerSensor(LedgerSensor):
    """Waits for a registered challenger that no rollout has taken."""

    kind = "challenger"


class RetrainRequestSensor(LedgerSensor):
    """Waits for a retraining request that no run has taken."""

    kind = "retrain"
