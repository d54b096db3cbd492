"""What the sensors share: look once, then wait in the triggerer, or poke, by the same look."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_mlops.config.described import Described
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.exceptions import MlopsError
from airflow_mlops.hooks.model import config_of, name_of
from airflow_mlops.triggers.events import Trigger


class ModelSensor(BaseSensorOperator):
    """Waits for something about a model. Subclasses say how they look, and which trigger does it for them.

    ``model`` is a model's name, a ``Model``, its configuration, or the path of its YAML (``.yaml`` or
    ``.yml``).
    """

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
        found = self._found(context)
        if found is None:
            self.defer(
                trigger=self.trigger(context),
                method_name="execute_complete",
                timeout=timedelta(seconds=float(self.timeout)),
            )
        return found

    def poke(self, context: Any) -> PokeReturnValue:
        """The same look as the trigger's."""
        found = self._found(context)
        return PokeReturnValue(is_done=found is not None, xcom_value=found)

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """Resumed by the trigger."""
        if "error" in event:
            raise (AirflowException if event["retry"] else AirflowFailException)(str(event["error"]))
        return event["found"]

    @abstractmethod
    def look(self, context: Any) -> dict[str, Any] | None:
        """What goes to XCom, in JSON values, or None while there is nothing."""

    @abstractmethod
    def trigger(self, context: Any) -> Trigger:
        """The trigger that goes on looking."""

    def name(self) -> str:
        """The model's name."""
        return name_of(self.model, self.get_dag())

    def config(self) -> ModelConfig | None:
        """The model's configuration, where more than its name was given."""
        return config_of(self.model, self.get_dag())

    def _found(self, context: Any) -> dict[str, Any] | None:
        try:
            return self.look(context)
        except MlopsError as error:
            raise (AirflowException if error.retry_can_help else AirflowFailException)(str(error)) from error
