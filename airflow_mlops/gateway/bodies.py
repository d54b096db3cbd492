"""The bodies that the admin routes accept."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from airflow_mlops.core.values import Role, RolloutMode


class AdminBody(BaseModel):
    """What every admin body may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(
        default=None, description="The model that the caller means; refused if the gateway serves another."
    )


class TrafficChange(AdminBody):
    """Open a rollout, or change the mode or weight of the open one."""

    rollout_id: str = Field(min_length=1, description="Names the rollout; the same on every retry.")
    version: str = Field(min_length=1, description="The registered version that challenges the champion.")
    mode: Literal["shadow", "canary"] = Field(description="Shadow answers nobody; canary answers its share.")
    weight: float = Field(default=0.0, ge=0.0, le=1.0, description="The challenger's share of rows.")


class Smoke(AdminBody):
    """Load a version that serves nobody, and predict some rows with it, if any."""

    version: str = Field(min_length=1)
    rows: list[dict[str, Any]] = Field(default_factory=list)


class Promotion(AdminBody):
    """Make a version the champion and close its rollout."""

    rollout_id: str = Field(min_length=1)
    version: str = Field(min_length=1)


class RollBack(AdminBody):
    """Close a rollout; the champion answers every row."""

    rollout_id: str = Field(min_length=1)


class Part(AdminBody):
    """What the one version of a process is to a router's other versions from now on."""

    role: Role = "champion"
    mode: RolloutMode = "none"
    weight: float = 0.0
    rollout_id: str | None = None
    since: datetime | None = None
