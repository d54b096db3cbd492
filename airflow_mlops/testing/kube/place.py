"""What the pods of a kubelet share, and what the containers of one pod do."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_mlops.backends.kube.api import CONFIG_MAPS, SECRETS, KubeApi, Object


@dataclass(frozen=True, slots=True)
class PodSetup:
    """What all pods of a kubelet share."""

    api: KubeApi
    folder: Path
    images: Mapping[str, Sequence[str]] = field(default_factory=dict)
    second: float = 1.0


class Place:
    """What the containers of a pod share: its address, its volumes, and what its variables are taken from."""

    def __init__(self, setup: PodSetup, pod: Object, address: str) -> None:
        self.setup = setup
        self.pod = pod
        self.address = address
        self.folder: Path = setup.folder / "pods" / pod["metadata"]["uid"]
        self.folder.mkdir(parents=True, exist_ok=True)

    def volume(self, name: str) -> Path:
        """The folder that stands for a volume: the pod's own, or its claim's."""
        for one in self.pod["spec"].get("volumes") or ():
            if one["name"] == name and (claim := one.get("persistentVolumeClaim")):
                return self._made(self.setup.folder / "claims" / claim["claimName"])
        return self._made(self.folder / "volumes" / name)

    def field(self, path: str) -> str:
        """What the downward API gives for a field's path."""
        if path == "status.podIP":
            return self.address
        value: Any = self.pod
        for part in path.split("."):
            value = value[part]
        return str(value)

    def values(self, reference: Object, kind: str) -> dict[str, str] | None:
        """What a Secret or ConfigMap holds; None if it is not there."""
        which = SECRETS if kind == "secret" else CONFIG_MAPS
        found = self.setup.api.get(which, self.pod["metadata"]["namespace"], reference["name"])
        if found is None:
            return None
        data = found.get("data") or {}
        return {k: base64.b64decode(v).decode() for k, v in data.items()} if kind == "secret" else data

    def _made(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
