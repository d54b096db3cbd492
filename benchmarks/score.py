"""What scoring a large partition costs: the score step beside bare scikit-learn on the same Parquet files.

    python benchmarks/score.py [--rows 10000000] [--features 20] [--chunk-rows 100000] [--shadow 0.01]

A HistGradientBoosting classifier is registered in a real MLflow. The floor reads the features with pyarrow,
a batch at a time, predicts and forgets; it writes nothing and checks nothing. The step does what it does in a
DAG: it asks the registry for the champion, reads, predicts, hashes the rows for the lineage, writes the
predictions as Parquet, samples the inference log, and swaps the partition in. Each runs in a process of its
own, whose peak memory is the kernel's own number (ru_maxrss), imports included. Both give the same answers,
which is checked.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# Threads that wait for each other burn CPU, which is what is compared: one, unless said otherwise.
os.environ.setdefault("OMP_NUM_THREADS", "1")

MODEL = "churn"
START = "2026-03-01T00:00:00+00:00"
YAML = """\
apiVersion: airflow-mlops/v1
model: {model}
task: binary_classification
data:
  source: {{type: parquet, path: "rows/*.parquet"}}
  time_column: at
  key: id
  label: label
  features: {features}
  window: {{length: 1 month}}
  holdout: {{length: 7 days}}
training: {{estimator: sklearn.ensemble.HistGradientBoostingClassifier}}
evaluation: {{metrics: [roc_auc]}}
gates: {{rules: [{{type: threshold, metric: roc_auc, minimum: 0.5}}]}}
deploy: {{target: {{type: batch}}}}
score: {{chunk_rows: {chunk_rows}, shadow_share: {shadow}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--chunk-rows", type=int, default=100_000)
    parser.add_argument("--shadow", type=float, default=0.01, help="Share that a challenger scores as well.")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "SETTINGS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, settings = options.child
        print(json.dumps(_CHILDREN[name](json.loads(settings))))
        return
    with tempfile.TemporaryDirectory(prefix="score-") as folder:
        _compare(Path(folder), options)


def _compare(folder: Path, options: argparse.Namespace) -> None:
    from airflow_mlops.testing.mlflow_server import mlflow_server

    settings = {"folder": str(folder), "rows": options.rows, "features": options.features}
    settings |= {"chunk_rows": options.chunk_rows, "shadow": options.shadow}
    print(
        f"{options.rows:,} rows, {options.features} features, {os.cpu_count()} cores, {platform.machine()}, "
        f"{os.environ['OMP_NUM_THREADS']} OpenMP thread"
    )
    _child("make", settings)
    size = sum(file.stat().st_size for file in (folder / "store" / "rows").iterdir())
    print(f"source: {size / 2**20:,.0f} MiB of Parquet in row groups of a million rows")
    with mlflow_server(folder / "mlflow") as url:
        settings["mlflow"] = url
        _child("register", settings)
        found = {name: _child(name, settings) for name in ("floor", "step")}
    print(f"\n{'':<34}{'rows/s':>12}{'CPU s':>9}{'peak MiB':>10}{'over imports':>14}")
    for name, said in (("floor", "bare scikit-learn, nothing kept"), ("step", "airflow-mlops score")):
        one = found[name]
        peak, base = one["peak_mib"], one["base_mib"]
        rate = options.rows / one["seconds"]
        print(f"{said:<34}{rate:>12,.0f}{one['cpu']:>9.1f}{peak:>10,.0f}{peak - base:>14,.0f}")
    step, floor = found["step"], found["floor"]
    print(f"CPU: {step['cpu'] / floor['cpu']:.2f} times the floor's")
    apart = abs(step["mean"] - floor["mean"])
    assert step["rows"] == options.rows, step["rows"]
    assert apart < 1e-9, f"the answers differ: {step['mean']} and {floor['mean']}"
    size = next((folder / "store" / "predictions").rglob("*.parquet")).stat().st_size
    print(f"the same answers; {size / 2**20:,.0f} MiB written, peak below 2 GiB: {step['peak_mib'] < 2_048}")


def _child(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", name, json.dumps(settings)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _names(settings: dict[str, Any]) -> list[str]:
    return [f"f{number}" for number in range(settings["features"])]


def _frame(settings: dict[str, Any], start: int, rows: int) -> Any:
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(start)
    values = rng.normal(size=(rows, settings["features"])).round(4)
    frame = pd.DataFrame(values, columns=_names(settings))
    frame.insert(
        0, "at", pd.Timestamp(START) + pd.to_timedelta(np.sort(rng.integers(0, 86_400, rows)), unit="s")
    )
    frame.insert(0, "id", np.arange(start, start + rows))
    return frame


def make(settings: dict[str, Any]) -> dict[str, Any]:
    """Files of three million rows, in row groups of a million: larger than what is held at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    store = Path(settings["folder"]) / "store" / "rows"
    store.mkdir(parents=True)
    total, piece = settings["rows"], 1_000_000
    for begin in range(0, total, 3 * piece):
        end, writer = min(begin + 3 * piece, total), None
        for start in range(begin, end, piece):
            table = pa.Table.from_pandas(
                _frame(settings, start, min(piece, end - start)), preserve_index=False
            )
            writer = writer or pq.ParquetWriter(store / f"{begin:012}.parquet", table.schema)
            writer.write_table(table, row_group_size=piece)
        if writer is not None:
            writer.close()
    return {}


def register(settings: dict[str, Any]) -> dict[str, Any]:
    """Two versions of one model, the champion and a challenger."""
    import joblib
    from sklearn.ensemble import HistGradientBoostingClassifier

    from airflow_mlops.backends.tracking_mlflow import MlflowTracking

    rows = _frame(settings, 1, 20_000)[_names(settings)]
    label = (rows.sum(axis=1) + 2 * rows["f0"] > 0.5).astype(int)
    tracking = MlflowTracking(settings["mlflow"])
    for number, alias in enumerate(("champion", "challenger")):
        estimator = HistGradientBoostingClassifier(max_iter=50, random_state=number).fit(rows, label)
        run = tracking.log_training(
            experiment=MODEL,
            run_name=alias,
            run_key=f"benchmark|{alias}|-1",
            estimator=estimator,
            input_example=rows.head(),
            task="binary_classification",
            params={},
            tags={},
            dataset_uri="memory:",
            dataset_version="0" * 64,
            trusted_types=(),
        )
        tracking.set_alias(MODEL, alias, tracking.register(MODEL, run, {}).version)
        if alias == "champion":
            joblib.dump(estimator, Path(settings["folder"]) / "champion.joblib")
    return {}


def floor(settings: dict[str, Any]) -> dict[str, Any]:
    """Read, predict, forget."""
    import joblib
    import pyarrow.parquet as pq

    model = joblib.load(Path(settings["folder"]) / "champion.joblib")
    begun, total = _Begun(), 0.0
    for file in sorted((Path(settings["folder"]) / "store" / "rows").iterdir()):
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(batch_size=settings["chunk_rows"], columns=_names(settings)):
                total += float(model.predict_proba(batch.to_pandas())[:, 1].sum())
    return begun.over(rows=settings["rows"], mean=total / settings["rows"])


def step(settings: dict[str, Any]) -> dict[str, Any]:
    """The two steps of the DAG, as a task runs them."""
    from datetime import datetime, timedelta, timezone

    import pandas  # noqa: F401 (imports are not what is measured)
    import sklearn.ensemble  # noqa: F401

    from airflow_mlops.backends.base import Endpoints
    from airflow_mlops.backends.catalog import connect
    from airflow_mlops.config.load import load_model
    from airflow_mlops.core.values import RunInfo, RunKey
    from airflow_mlops.core.windows import Window, WindowSources
    from airflow_mlops.steps.choose_partitions import choose_partitions
    from airflow_mlops.steps.requests import ChooseRequest, ScoreRequest
    from airflow_mlops.steps.score import score

    folder = Path(settings["folder"])
    features = json.dumps(dict.fromkeys(_names(settings), "numeric"))
    told = {name: settings[name] for name in ("chunk_rows", "shadow")}
    (folder / "churn.yaml").write_text(YAML.format(model=MODEL, features=features, **told))
    config = load_model(folder / "churn.yaml").config
    start = datetime.fromisoformat(START)
    run = RunInfo(
        RunKey(f"{MODEL}.score", "benchmark"),
        "scheduled",
        WindowSources(data_interval=Window(start, start + timedelta(days=1))),
        datetime.now(timezone.utc),
    )
    backends = connect(Endpoints(store=str(folder / "store"), tracking=settings["mlflow"]))
    begun = _Begun()
    chosen = choose_partitions(ChooseRequest(config, run), backends)
    assert chosen is not None
    scored = score(ScoreRequest(config, run, chosen), backends)
    found = begun.over(rows=scored.rows)
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = backends.store.local_path(scored.partitions[0].uri)
    return {**found, "mean": pc.mean(pq.read_table(file, columns=["prediction"])["prediction"]).as_py()}


class _Begun:
    """The clocks and the memory of this process at the moment when its imports are done."""

    def __init__(self) -> None:
        self._wall, self._cpu, self._base = time.perf_counter(), _cpu_seconds(), _peak_mib()

    def over(self, **more: Any) -> dict[str, Any]:
        """What it took since."""
        took = {"seconds": time.perf_counter() - self._wall, "cpu": _cpu_seconds() - self._cpu}
        return {**took, "base_mib": self._base, "peak_mib": _peak_mib(), **more}


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_CHILDREN = {"make": make, "register": register, "floor": floor, "step": step}

if __name__ == "__main__":
    main()
