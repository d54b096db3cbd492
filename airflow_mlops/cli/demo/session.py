"""One demo from start to end: earlier leftovers stopped, programs started, all stopped whatever happens."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from rich.console import Console

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.cli.demo.processes import Processes, stop_recorded
from airflow_mlops.cli.demo.progress import Narrator
from airflow_mlops.cli.demo.replay import Replay, stages
from airflow_mlops.cli.demo.report import show_addresses, show_result
from airflow_mlops.cli.demo.stack import Site, Stack, new_site
from airflow_mlops.cli.demo.traffic import Endpoint
from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig


def run_demo(repository: Path, home: Path, *, count: int, keep_running: bool, port_base: int | None) -> None:
    """The demo. Raises ``DemoFailed`` with the log at fault; Ctrl-C and SIGTERM end it in order."""
    console = Console()
    config = load_model(repository / "configs" / "flight_delay.yaml").config
    _settle_here(repository)
    record = home / "stack.json"
    for name in stop_recorded(record):
        console.print(f"Stopped {name}, which an earlier demo had left running.")
    site = new_site(
        repository,
        home,
        model=config.model,
        key_column=config.data.key,
        time_column=config.data.time_column,
        port_base=port_base,
    )
    with _stops_on_signals(), _programs(record, console) as processes:
        _replay(config, Stack(site, processes), count, console)
        show_addresses(site, console)
        if keep_running:
            console.print("All of it stays up. Press Ctrl-C to stop.")
            _stay(processes)
            console.print("Stopping.")


def _replay(config: ModelConfig, stack: Stack, count: int, console: Console) -> None:
    site = stack.site
    backends = connect(Endpoints(store=str(site.store), tracking=site.url("mlflow")))
    endpoint = Endpoint(site.url("gateway"), site.token)
    with Narrator(stages(count), console) as narrator:
        stack.start(narrator)
        _announce(site, console)
        scores = Replay(config, stack, endpoint, backends, narrator).run(count)
    show_result(scores, site, console)


def _announce(site: Site, console: Console) -> None:
    console.print("All is up. Watch it here:")
    show_addresses(site, console)


def _settle_here(repository: Path) -> None:
    """This process reads flights and loads a model as the programs do."""
    sys.path.insert(0, str(repository / "plugins"))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


@contextmanager
def _programs(record: Path, console: Console) -> Iterator[Processes]:
    processes = Processes(record)
    try:
        yield processes
    except KeyboardInterrupt:
        console.print("Stopping.")
        # What a shell says of a program that Ctrl-C ended.
        raise SystemExit(128 + signal.SIGINT) from None
    finally:
        # A second Ctrl-C must not leave half of them running.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        processes.stop()


@contextmanager
def _stops_on_signals() -> Iterator[None]:
    """A closed terminal and a polite kill end the demo as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stay(processes: Processes) -> None:
    with suppress(KeyboardInterrupt):
        while True:
            processes.check()
            time.sleep(1)
