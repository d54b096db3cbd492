"""A finding as each receiver shows it: a JSON body, plain lines, Slack's markup, HTML."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from airflow_mlops.core.alerting import Alert, Because

_MOST_REASONS = 10
_LONGEST_REASON = 500

_FIRST_WORDS: Mapping[Because, str] = {"changed": "More of it: ", "still": "Still: "}


def shown(alert: Alert, links: Mapping[str, str], owner: str) -> dict[str, Any]:
    """What a template may say of a finding: ``body`` (JSON), ``text``, ``slack``, ``subject`` and ``html``.
    ``links`` are addresses by what they lead to."""
    item, entry = alert.news, alert.news.entry
    headline = f"{_FIRST_WORDS.get(alert.because, '')}{alert.headline}"
    severity = "over" if item.over and not alert.missed else alert.severity
    reasons = _in_short(alert.reasons)
    return {
        "body": {
            "event": "missed" if alert.missed else item.event,
            "id": alert.id,
            "severity": alert.severity,
            "because": alert.because,
            "model": entry.model,
            "version": entry.version,
            "window": None
            if entry.window is None
            else {"start": entry.window.start.isoformat(), "end": entry.window.end.isoformat()},
            "headline": headline,
            "reasons": reasons,
            "links": dict(links),
            "dag_id": entry.dag_id,
            "run_id": entry.run_id,
            "url": links.get("run"),
        },
        "subject": " ".join(f"[{severity}] {headline}".split()),
        "text": "\n".join(
            [
                f"[{severity}] {headline} (owner: {owner})",
                *(f"- {reason}" for reason in reasons),
                *(f"{name}: {url}" for name, url in links.items()),
            ]
        ),
        "slack": "\n".join(
            [
                f"*[{severity}] {_slack(headline)}* (owner: {_slack(owner)})",
                *(f"• {_slack(reason)}" for reason in reasons),
                " | ".join(f"<{url}|{_slack(name)}>" for name, url in links.items()),
            ]
        ),
        "html": "".join(
            [
                f"<p><b>[{severity}] {escape(headline)}</b></p>",
                "<ul>" + "".join(f"<li>{escape(reason)}</li>" for reason in reasons) + "</ul>"
                if reasons
                else "",
                "<p>"
                + " | ".join(f'<a href="{escape(url)}">{escape(name)}</a>' for name, url in links.items())
                + "</p>",
                f"<p>Owner: {escape(owner)}</p>",
            ]
        ),
    }


def _in_short(reasons: tuple[str, ...]) -> list[str]:
    first = [_cut(reason) for reason in reasons[:_MOST_REASONS]]
    left = len(reasons) - len(first)
    return [*first, f"and {left} more, in the report or the ledger"] if left else first


def _cut(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…"


def _slack(text: str) -> str:
    """The three characters that Slack reads as markup: a link or a call to everybody is nothing to quote."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
