"""A throw-away ``AIRFLOW_HOME``: its environment, and a database copied from a template."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

_SAMPLE = ("airflow.configuration", "airflow.settings", "airflow.sdk.configuration")


def environment(home: Path) -> dict[str, str]:
    """What Airflow must see before it is first imported, to live in ``home`` and nowhere else."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__MLOPS__STORE": str(home / "mlops"),
        "AIRFLOW__MLOPS__CACHE_FOLDER": str(home / "mlops-cache"),
    }


def airflow_is_loaded() -> bool:
    """Whether Airflow has read its configuration already, so that a new environment comes too late."""
    return any(name in sys.modules for name in _SAMPLE)


def migrate(home: Path, cache: Path) -> None:
    """Give ``home`` a database with all tables.

    ``airflow db migrate`` takes five seconds or more, so it runs once for each version of Airflow and is
    kept as a template in ``cache``; processes that ask at the same time wait for the first.
    """
    (home / "dags").mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    template = cache / f"airflow-{version('apache-airflow-core')}.db"
    with template.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            _make(template)
    with closing(sqlite3.connect(template)) as source, closing(sqlite3.connect(home / "airflow.db")) as copy:
        source.backup(copy)


def _make(template: Path) -> None:
    with tempfile.TemporaryDirectory(dir=template.parent) as folder:
        home = Path(folder)
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env={**os.environ, **environment(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"airflow db migrate ended with code {done.returncode}:\n{done.stderr[-4000:]}"
            )
        with closing(sqlite3.connect(home / "airflow.db")) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (home / "airflow.db").rename(template)
