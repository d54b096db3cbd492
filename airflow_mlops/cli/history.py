"""``airflow-mlops history``: which version was champion when, and why, from the ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import click

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.core.ledger import Entry, champion_at


@click.command("history")
@click.argument("model")
@click.option("--store", required=True, help="The store's folder or URI, as in [mlops] store.")
@click.option(
    "--at", "moment", help="Only the champion at this moment, as in 2013-09-01 or 2013-09-01T12:00Z."
)
@click.option("--json", "as_json", is_flag=True, help="Whole ledger entries as JSON.")
def command(model: str, store: str, moment: str | None, as_json: bool) -> None:
    """Show the decisions about MODEL, oldest first; with --at, who was champion then, and why."""
    from airflow_mlops.backends.catalog import connect

    entries = connect(Endpoints(store=store)).ledger.entries(model)
    if not entries:
        raise click.ClickException(
            f"the ledger in {store} knows no model {model!r}; check --store and the name"
        )
    if moment is not None:
        then = champion_at(entries, _moment(moment))
        entries = [then] if then else []
    if as_json:
        click.echo(_as_json(entries))
    elif moment is not None:
        said = _answer(model, entries[0]) if entries else f"{model} had no champion at {moment}"
        click.echo(said)
    else:
        click.echo(_as_text(model, entries))


# Of other kinds, the stage only tells entries apart.
_STAGES = frozenset({"shadowed", "canary_step"})
_OF_A_RUN = frozenset({"tuned", "gated", "overridden", "declined", "answer_refused", "alerted"})


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a moment such as 2013-09-01", param_hint="--at") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _answer(model: str, entry: Entry) -> str:
    lines = [f"{model} version {_version(entry)}, champion since {_time(entry.at)} (by {entry.actor})"]
    lines += [f"  because {reason}" for reason in entry.reasons]
    facts = {
        "window": entry.window,
        "data": entry.data_version,
        "code": entry.code_version,
        "configuration": entry.config_digest,
        "run": f"{entry.dag_id} {entry.run_id}",
        "evidence": ", ".join(entry.evidence),
    }
    return "\n".join([*lines, *(f"  {name}: {value}" for name, value in facts.items() if value)])


def _as_text(model: str, entries: Sequence[Entry]) -> str:
    """A line for each decision and its reasons below it: reasons are sentences, too long for a table."""
    champion = champion_at(entries)
    lines = [f"{model}: " + (f"champion is version {_version(champion)}" if champion else "no champion yet")]
    for entry in entries:
        stage = entry.stage if entry.kind in _STAGES else ""
        decided = " ".join(filter(None, (entry.kind.replace("_", " "), stage)))
        outcome = entry.data.get("outcome") or entry.data.get("action")
        facts = {
            "version": _version(entry),
            "window": entry.window,
            "data": (entry.data_version or "")[:12],
            "by": "" if entry.actor == "airflow" else entry.actor,
        }
        told = "  ".join(f"{name} {value}" for name, value in facts.items() if value)
        lines.append(f"\n{_time(entry.at)}  {decided}{f': {outcome}' if outcome else ''}  {told}".rstrip())
        lines += [f"    {reason}" for reason in entry.reasons]
    return "\n".join(lines)


def _version(entry: Entry) -> str:
    """Entries about a request, or a model that its gates held, have no version."""
    nameless = entry.kind.startswith("retrain") or entry.kind in _OF_A_RUN
    return entry.version or ("" if nameless else entry.subject)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}"


def _as_json(entries: Sequence[Entry]) -> str:
    from pydantic import TypeAdapter

    rows: list[dict[str, Any]] = TypeAdapter(list[Entry]).dump_python(list(entries), mode="json")
    return json.dumps(
        [{"id": entry.id, **row} for entry, row in zip(entries, rows, strict=True)],
        indent=2,
        ensure_ascii=False,
    )
