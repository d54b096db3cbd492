"""The end of the demo: a table per month, a picture, and where to look next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from airflow_mlops.cli.demo.picture import draw
from airflow_mlops.cli.demo.scores import ASKED, MonthScore
from airflow_mlops.cli.demo.stack import USER, Site


def show_result(scores: Sequence[MonthScore], site: Site, console: Console) -> None:
    """Print the table; keep it as text and JSON, and the picture, in the demo's folder."""
    kept = site.home / "months.txt"
    with kept.open("w") as file:
        for shown in (console, Console(file=file, width=100)):
            shown.print(month_table(scores))
            shown.print(_means(scores), highlight=False)
            shown.print(_reasons(scores), highlight=False, markup=False)
    if scores[-1].decision.endswith(ASKED):
        console.print(
            f"The last request waits in the ledger, and {site.model}.train is paused: the replay ends here.",
            highlight=False,
        )
    lines = json.dumps([asdict(score) for score in scores], default=str, indent=2)
    (site.home / "months.json").write_text(lines + "\n")
    picture = draw(scores, site.home / "auc.png")
    console.print(f"Table: {_short(kept)}  Picture: {_short(picture)}", highlight=False, soft_wrap=True)


def show_addresses(site: Site, console: Console) -> None:
    """Where the user interfaces are and how to log in."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("Airflow", site.url("airflow"), f"user {USER}, password {escape(site.password)}")
    table.add_row("MLflow", site.url("mlflow"), "no login")
    table.add_row("Model server", f"{site.url('gateway')}/docs", "POST /predict needs no login")
    console.print(table, highlight=False)
    history = f"airflow-mlops history {site.model} --store {_short(site.store)}"
    console.print(f"Which version was champion when, and why: {history}", highlight=False, soft_wrap=True)


def month_table(scores: Sequence[MonthScore]) -> Table:
    """One row per month; it fits into 80 columns."""
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title="What the loop did, month by month"
    )
    for name in ("Month", "Flights", "Late", "Drift", "Frozen", "Loop", "Champion", "Decided"):
        right = name in ("Flights", "Late", "Drift", "Frozen", "Loop")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for score in scores:
        table.add_row(
            f"{score.month:%b}",
            f"{score.flights:,}",
            f"{score.late_share:.0%}",
            "-" if score.drift_share is None else f"{score.drift_share:.0%}",
            f"{score.frozen_auc:.3f}",
            f"{score.loop_auc:.3f}",
            " → ".join(f"v{version}" for version in score.champions),
            escape(score.decision),
        )
    return table


def _reasons(scores: Sequence[MonthScore]) -> str:
    return "\n".join(["Why:", *(f"{score.month:%b}  {'; '.join(score.why)}." for score in scores)])


def _means(scores: Sequence[MonthScore]) -> str:
    frozen = sum(score.frozen_auc for score in scores) / len(scores)
    loop = sum(score.loop_auc for score in scores) / len(scores)
    return f"Mean AUC: the loop {loop:.4f}, frozen {frozen:.4f}, a difference of {loop - frozen:+.4f}."


def _short(path: Path) -> str:
    """Relative to where the reader stands, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
