"""How people are told that something went wrong, or what the loop found."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlops.notifications.findings import FindingsNotifier
    from airflow_mlops.notifications.webhook import WebhookNotifier

__all__ = ["FindingsNotifier", "WebhookNotifier"]

_MODULES = {"FindingsNotifier": "findings", "WebhookNotifier": "webhook"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
