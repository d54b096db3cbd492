"""``airflow-mlops compact-log``: make Parquet of what a model server has logged."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("compact-log")
@click.option("--model", required=True, help="Name of the registered model.")
@click.option(
    "--store",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The server's --store.",
)
@click.option("--log", "location", help="The server's --log, where it has one.")
@click.option(
    "--keep-days", type=click.IntRange(min=1), help="Remove days that are older. Default: keep every day."
)
def command(model: str, store: Path, location: str | None, keep_days: int | None) -> None:
    """Make Parquet of the closed raw segments of an inference log, and one file of each day that is over.

    A server does this by itself every minute. Run it where the server is told not to (--compact-seconds 0) or
    is gone. Who reads meanwhile sees each row once, also where this is killed: the next one finishes it.
    """
    import os
    from datetime import datetime, timezone

    from airflow_mlops.backends.log_compaction import compact
    from airflow_mlops.backends.log_folder import log_folder
    from airflow_mlops.exceptions import MlopsError

    # Requests go first.
    os.nice(10)
    root = store / "inference" / model
    try:
        folder = log_folder(store / "inference" if location is None else location, model)
        done = compact(root, folder, today=datetime.now(timezone.utc).date(), keep_days=keep_days)
    except (MlopsError, OSError) as error:
        raise click.ClickException(f"the inference log of {model} could not be compacted: {error}") from error
    if done.busy:
        click.echo(f"Another compaction of {model}'s inference log is under way.")
        return
    click.echo(
        f"{model}: {done.segments} segments with {done.rows} rows made Parquet, {done.merged} files merged, "
        f"{done.days_removed} days removed"
    )
    if done.unreadable_rows or done.damaged:
        put_aside = "; ".join(done.damaged) or "none"
        raise click.ClickException(
            f"{done.unreadable_rows} rows could not be read, and these segments were put aside: {put_aside}. "
            "Keep them and report this: it is a fault of the server or of the disk."
        )
