"""What operators share that need a version on its serving target, which may take minutes to bring it up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_mlops.operators.base import Configured, StepOperator


class ComingUpOperator(StepOperator):
    """Waits for a version to come up, deferred if ``deferrable``, before it does its step.

    ``deploy.deadline`` ends the wait. It counts from when the rollout was taken, so a retry does not move it.
    """

    needs_serving = True

    def __init__(self, *, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

    def wait_until_up(
        self,
        context: Any,
        configured: Configured,
        rollout_id: str,
        candidate: dict[str, Any],
        *,
        resume: Mapping[str, Any] | None = None,
    ) -> None:
        """Come back when there is nothing left to wait for. A task that is deferred is resumed in
        ``execute_complete``, with ``resume`` in the event."""
        from airflow_mlops.triggers.deployment import DeploymentTrigger

        request = self.request(context, configured, rollout_id=rollout_id, candidate=candidate)
        poll_interval = configured.config.deploy.poll_interval_seconds
        while True:
            found = self.run_step("bring_up", request, configured) or {}
            if found["ready"]:
                return
            self.log.info("Not up yet: %s", found["said"])
            if self.deferrable:
                trigger = DeploymentTrigger(request=request, poll_interval=poll_interval, resume=resume)
                self.defer(trigger=trigger, method_name="execute_complete")
            time.sleep(poll_interval)
            request["run"]["now"] = datetime.now(timezone.utc).isoformat()
