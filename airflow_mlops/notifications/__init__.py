"""How people are told that something went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlops.notifications.webhook import WebhookNotifier

__all__ = ["WebhookNotifier"]


def __getattr__(name: str) -> Any:
    if name == "WebhookNotifier":
        from airflow_mlops.notifications.webhook import WebhookNotifier

        return WebhookNotifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
