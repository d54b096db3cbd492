"""``airflow-mlops demo``: start everything, replay the year, show the result, stay until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import click

FIRST_MONTHS = 9


@click.command("demo", short_help="Replay a year of flights on this machine.")
@click.option(
    "--months",
    "count",
    type=click.IntRange(1, FIRST_MONTHS),
    default=FIRST_MONTHS,
    show_default=True,
    help="How many months after March to live through.",
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where state and results are kept; .demo in the repository if not given. "
    "Its folders state and logs are emptied at each start.",
)
@click.option(
    "--keep-running/--no-keep-running",
    default=True,
    show_default=True,
    help="Leave Airflow, MLflow and the model server up until Ctrl-C.",
)
@click.option(
    "--port-base",
    type=click.IntRange(1024, 65000),
    help="Three ports from here on, if free; the usual ones (8080, 5000, 8800), or any free, if not given.",
)
@click.option("--stop", is_flag=True, help="Only stop what a demo left running, that demo included.")
def command(count: int, home: Path | None, keep_running: bool, port_base: int | None, stop: bool) -> None:
    """Train on January to March 2013, then live through the year month by month: requests, labels,
    monitoring, retraining, rollout. Starts an Airflow, an MLflow and a model server on loopback, and
    stops them at the end. Run it in a clone of the repository; it begins anew each time.
    """
    from airflow_mlops.cli.demo.processes import stop_recorded
    from airflow_mlops.cli.demo.session import run_demo

    repository = find_repository()
    home = (home or repository / ".demo").resolve()
    if stop:
        stopped = stop_recorded(home / "stack.json", also_the_demo=True)
        click.echo(f"Stopped: {', '.join(stopped) or 'nothing was running'}.")
        return
    run_demo(repository, home, count=count, keep_running=keep_running, port_base=port_base)


def find_repository() -> Path:
    """The clone that the demo's DAGs, configs and plugins are in: here, or where this package lies.

    Raises ``click.UsageError`` where it is neither.
    """
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[3]):
        if (folder / "configs" / "flight_delay.yaml").is_file() and (folder / "dags" / "mlops.py").is_file():
            return folder
    raise click.UsageError(
        "the demo needs the repository's configs, dags and plugins; run it in a clone of airflow-mlops"
    )
