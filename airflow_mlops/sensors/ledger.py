"""Sensors that wait until a model's ledger says something."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from airflow_mlops.sensors.waiting import ModelSensor
from airflow_mlops.triggers.ledger import LedgerTrigger, Pending, look
from airflow_mlops.triggers.rollout_end import RolloutEndTrigger
from airflow_mlops.triggers.rollout_end import look as look_for_end


class LedgerSensor(ModelSensor):
    """Waits for an entry that no run has taken; its subject, reasons and time go to XCom.

    ``model`` is a model's name, a ``Model``, its configuration, or the path of its YAML (``.yaml`` or
    ``.yml``).
    The sensor takes nothing: that is for the run that it lets go on.
    """

    kind: ClassVar[Pending]

    def look(self, context: Any) -> dict[str, Any] | None:  # noqa: ARG002
        return look(self.name(), self.kind)

    def trigger(self, context: Any) -> LedgerTrigger:  # noqa: ARG002
        return LedgerTrigger(model=self.name(), kind=self.kind, poll_interval=float(self.poke_interval))


class PendingChallengerSensor(LedgerSensor):
    """Waits for a registered challenger that no rollout has taken."""

    kind = "challenger"


class RetrainRequestSensor(LedgerSensor):
    """Waits for a retraining request that no run has taken."""

    kind = "retrain"


class RolloutSensor(ModelSensor):
    """Waits until a rollout has ended, whoever ran it, and says how.

    With ``version`` it is that version's rollout, which may have ended long ago; without, the first one of
    the model that ends after this DAG run began. ``ended`` in its result is ``promoted``, ``rolled_back``,
    or ``rejected`` for a version that another one superseded; ``champion`` is who serves now.
    """

    template_fields = ("version",)

    def __init__(self, *, version: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.version = version

    def look(self, context: Any) -> dict[str, Any] | None:
        found, is_open = look_for_end(self.name(), self.version, _began(context))
        self.version = self.version or is_open
        return found

    def trigger(self, context: Any) -> RolloutEndTrigger:
        since = _began(context)
        return RolloutEndTrigger(
            model=self.name(),
            version=self.version,
            since=since.isoformat() if since is not None else None,
            poll_interval=float(self.poke_interval),
        )


def _began(context: Any) -> datetime | None:
    """Of the run and not of the task: a retry does not miss what ended meanwhile."""
    began: datetime | None = context["dag_run"].start_date
    return began
