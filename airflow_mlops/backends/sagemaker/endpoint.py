"""One SageMaker endpoint: what it serves, and its changes until they have settled."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_mlops.backends.sagemaker.note import Note
from airflow_mlops.backends.sagemaker.session import Aws
from airflow_mlops.backends.sagemaker.settings import config_name, version_of
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused

_BUSY = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}
_BROKEN = {"Failed", "UpdateRollbackFailed", "OutOfService"}
# An endpoint may be described for a moment as it was before an update that SageMaker has accepted.
_STALE = timedelta(seconds=60)
_BETWEEN_LOOKS_SECONDS = 10.0
WEIGHT_TOLERANCE = 1e-4  # SageMaker keeps a weight in four bytes
_KEPT = ("DataCaptureConfig", "KmsKeyId")
_GONE, _THERE = "could not find", "already exist"  # SageMaker has one code for all that it refuses


@dataclass(frozen=True, slots=True)
class Variant:
    """One version on the endpoint. ``entry`` is how its configuration has it."""

    name: str
    version: str | None
    weight: float
    shadow: bool
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """An endpoint at one look. ``kept`` of its configuration goes into the next one unchanged."""

    status: str
    config: str | None
    reason: str
    arn: str
    variants: tuple[Variant, ...]
    kept: Mapping[str, Any]
    note: Note

    @property
    def is_busy(self) -> bool:
        return self.status in _BUSY

    @property
    def is_broken(self) -> bool:
        return self.status in _BROKEN

    def variant(self, version: str | None, *, shadow: bool = False) -> Variant | None:
        """The variant that serves a version, or shadows with it."""
        for one in self.variants:
            if one.version == version and one.shadow is shadow:
                return one
        return None

    def share(self, version: str | None) -> float:
        """A version's share of the requests, by the weights there are now. SageMaker keeps a weight in four
        bytes, and a tenth comes back as a little more: it is rounded to what was asked for."""
        total = math.fsum(one.weight for one in self.variants if not one.shadow)
        served = self.variant(version)
        return round(served.weight / total, 6) if served is not None and total > 0 else 0.0

    @property
    def serving(self) -> tuple[str | None, ...]:
        """The versions that get requests."""
        return tuple(one.version for one in self.variants if not one.shadow and one.weight > 0)


class Endpoint:
    """A named endpoint. Every call may be repeated: what is there already is found again."""

    def __init__(
        self,
        aws: Aws,
        name: str,
        *,
        patience: timedelta,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self.name = name
        self._aws = aws
        self._patience = patience
        self._now = now
        self._sleep = sleep

    def look(self) -> Seen | None:
        """The endpoint as it is, or None where there is none."""
        told = self._aws.call_unless(_GONE, "sagemaker", "describe_endpoint", EndpointName=self.name)
        if told is None:
            return None
        config = told.get("EndpointConfigName")
        content: Mapping[str, Any] = {}
        if config is not None:
            content = self._aws.call("sagemaker", "describe_endpoint_config", EndpointConfigName=config)
        return Seen(
            status=told["EndpointStatus"],
            config=config,
            reason=told.get("FailureReason") or "",
            arn=told["EndpointArn"],
            variants=tuple(_variants(told, content)),
            kept={key: content[key] for key in _KEPT if content.get(key)},
            note=Note.read(self._tags(told["EndpointArn"])),
        )

    def settled(self, config: str | None = None, *, begun: datetime | None = None) -> Seen | None:
        """The endpoint once nothing moves any more.

        With ``config``, that of an update which was ``begun``: an endpoint that is in service with another
        one was rolled back, whatever its status says, and ``ModelRefused`` says so with SageMaker's reason.
        Raises ``BackendUnavailable`` where it does not settle or is broken.
        """
        give_up = self._now() + self._patience
        while True:
            seen = self.look()
            if seen is None or not (seen.is_busy or self._may_be_stale(seen, config, begun)):
                break
            if self._now() >= give_up:
                raise BackendUnavailable(
                    f"The endpoint {self.name} is still {seen.status} after {self._patience}; the same "
                    "change goes on where it is when it is asked for again."
                )
            self._sleep(_BETWEEN_LOOKS_SECONDS)
        if seen is not None and seen.is_broken:
            raise BackendUnavailable(self.broken(seen))
        if seen is not None and config is not None and seen.config != config:
            raise self.rolled_back(seen, config)
        return seen

    def there(self, seen: Seen | None) -> Seen:
        """Raises ``BackendUnavailable`` where there is none any more."""
        if seen is None:
            raise BackendUnavailable(f"The endpoint {self.name} was deleted under way.")
        return seen

    def rolled_back(self, seen: Seen, config: str) -> ModelRefused:
        """The error for an update that did not come to stay."""
        reason = seen.reason or "SageMaker gives no reason; look at its alarms and at the container's log"
        return ModelRefused(
            f"SageMaker rolled the update of endpoint {self.name} to {config} back, and it serves "
            f"{seen.config} again: {reason}"
        )

    def was_rolled_back(self, seen: Seen, config: str) -> bool:
        """Whether the update that the note tells of was to ``config`` and has ended otherwise."""
        if seen.is_busy or seen.config == config or seen.note.update != config:
            return False
        return not self._may_be_stale(seen, config, seen.note.updated)

    def create(self, config: str, note: Note) -> None:
        """Make the endpoint with its first configuration."""
        told = {"EndpointName": self.name, "EndpointConfigName": config, "Tags": note.tags()}
        self._aws.call_unless(_THERE, "sagemaker", "create_endpoint", **told)

    def configure(self, content: Mapping[str, Any]) -> str:
        """Make a configuration; its name is that of its content."""
        name = config_name(self.name, content)
        told = {"EndpointConfigName": name, **content}
        self._aws.call_unless(_THERE, "sagemaker", "create_endpoint_config", **told)
        return name

    def begin_update(self, seen: Seen, config: str, deployment: Mapping[str, Any] | None = None) -> Note:
        """Have SageMaker change the endpoint to a configuration. Variants that keep their name keep the
        number of instances that they have scaled to.

        It is noted after SageMaker has accepted it: who is cut off between the two finds the endpoint
        updating, and if that was rolled back by then, tries once more."""
        told: dict[str, Any] = {} if deployment is None else {"DeploymentConfig": dict(deployment)}
        self._aws.call(
            "sagemaker",
            "update_endpoint",
            EndpointName=self.name,
            EndpointConfigName=config,
            RetainAllVariantProperties=True,
            ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
            **told,
        )
        note = replace(seen.note, update=config, updated=self._now())
        self.write(seen.arn, note)
        return note

    def update(self, seen: Seen, config: str, deployment: Mapping[str, Any] | None = None) -> Seen:
        """``begin_update``, and wait until it has settled. Nothing happens if the endpoint has it already."""
        if seen.config == config:
            return seen
        begun = self._now()
        self.begin_update(seen, config, deployment)
        return self.there(self.settled(config, begun=begun))

    def weigh(self, seen: Seen, weights: Mapping[str, float]) -> Seen:
        """Set the variants' weights and wait until they are those. Raises ``BackendUnavailable`` where
        SageMaker went back to the ones before."""
        if _weighed(seen, weights):
            return seen
        wanted = [{"VariantName": name, "DesiredWeight": weight} for name, weight in weights.items()]
        begun = self._now()
        self._aws.call(
            "sagemaker",
            "update_endpoint_weights_and_capacities",
            EndpointName=self.name,
            DesiredWeightsAndCapacities=wanted,
        )
        while True:
            now = self.there(self.settled())
            if _weighed(now, weights):
                return now
            if self._now() >= begun + _STALE:
                told = ", ".join(f"{one.name} {one.weight:g}" for one in now.variants if not one.shadow)
                raise BackendUnavailable(
                    f"The endpoint {self.name} was told the weights {dict(weights)}, but has {told} "
                    f"({now.reason or 'no reason is given'}); repeat the change."
                )
            self._sleep(_BETWEEN_LOOKS_SECONDS)

    def write(self, arn: str, note: Note) -> None:
        """Note all of it in one call."""
        self._aws.call("sagemaker", "add_tags", ResourceArn=arn, Tags=note.tags())

    def delete(self) -> None:
        """Take the endpoint down; nothing happens if there is none."""
        self._aws.call_unless(_GONE, "sagemaker", "delete_endpoint", EndpointName=self.name)

    def _tags(self, arn: str) -> dict[str, str]:
        told: dict[str, str] = {}
        more: dict[str, str] = {}
        while True:
            page = self._aws.call("sagemaker", "list_tags", ResourceArn=arn, **more)
            told |= {tag["Key"]: tag["Value"] for tag in page.get("Tags", ())}
            if not page.get("NextToken"):
                return told
            more = {"NextToken": page["NextToken"]}

    def _may_be_stale(self, seen: Seen, config: str | None, begun: datetime | None) -> bool:
        if config is None or begun is None or seen.config == config or seen.is_broken:
            return False
        return self._now() < begun + _STALE

    def broken(self, seen: Seen) -> str:
        """What is wrong with an endpoint that is out of service, and where to look."""
        return (
            f"The endpoint {self.name} is {seen.status}: {seen.reason or 'no reason is given'}. Look at the "
            f"log group /aws/sagemaker/Endpoints/{self.name}; delete an endpoint that cannot be mended, and "
            "the next rollout makes it anew."
        )


def _variants(told: Mapping[str, Any], content: Mapping[str, Any]) -> list[Variant]:
    found = []
    for key in ("ProductionVariants", "ShadowProductionVariants"):
        weights = {one["VariantName"]: one.get("CurrentWeight", 0.0) for one in told.get(key) or ()}
        for entry in content.get(key) or ():
            name = entry["VariantName"]
            version = version_of(entry.get("ModelName", ""))
            found.append(Variant(name, version, weights.get(name, 0.0), key.startswith("Shadow"), entry))
    return found


def _weighed(seen: Seen, weights: Mapping[str, float]) -> bool:
    now = {one.name: one.weight for one in seen.variants if not one.shadow}
    return all(
        name in now and math.isclose(now[name], weight, abs_tol=WEIGHT_TOLERANCE)
        for name, weight in weights.items()
    )
