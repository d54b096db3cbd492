"""What serving costs: the model server, MLflow's own scoring server and bare scikit-learn, in one run.

    python benchmarks/serving.py [--seconds 2] [--without-mlflow]

One HistGradientBoosting classifier is registered in a real MLflow and answered by each of them: by
``airflow-mlops serve`` with its checks and its inference log on, by ``mlflow models serve`` with one worker,
and by ``predict_proba`` in a loop of this process, the floor below which no server can be. The requests come
from this process over kept-alive connections, each of which sends its next request when it has its answer.
Servers are first held to give the floor's very predictions. CPU is that of the server's process tree,
without the client. All of it shares one machine, so compare columns with each other, not with another day.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before scikit-learn is imported: the servers run on one OpenMP thread too.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import httpx
import numpy as np
import pandas as pd
import psutil

MODEL = "delays"
OURS, MLFLOWS, FLOOR = "airflow-mlops serve", "mlflow models serve", "bare scikit-learn"
CONNECTIONS, ROWS = (1, 16), (1, 100)
BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Measured:
    """One cell of the table."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Server:
    """A server under load: how a request to it looks and which processes are its own."""

    name: str
    url: str
    path: str
    body: Callable[[pd.DataFrame], Any]
    answers: Callable[[Any], list[float]]
    process: psutil.Process

    def cpu_seconds(self) -> float:
        times = (one.cpu_times() for one in (self.process, *self.process.children(recursive=True)))
        return float(sum(time.user + time.system for time in times))


def flights(rows: int) -> pd.DataFrame:
    """Numbers and categories as a model of tabular data has them; made up, since only their cost matters."""
    rng = np.random.default_rng(7)
    numbers = {f"number_{n}": rng.normal(size=rows) for n in range(7)}
    return pd.DataFrame(numbers | {name: rng.choice(list("ABCDEFGH"), rows) for name in ("from_", "to")})


def trained(frame: pd.DataFrame) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encoder, ["from_", "to"]), remainder="passthrough")
    late = frame["number_0"] + (frame["from_"] == "A") + np.random.default_rng(8).normal(size=len(frame)) > 1
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=100)).fit(frame, late)


def register(tracking_uri: str, estimator: Any, frame: pd.DataFrame) -> None:
    from airflow_mlops.backends.tracking_mlflow import MlflowTracking

    tracking = MlflowTracking(tracking_uri)
    run = tracking.log_training(
        experiment=MODEL,
        run_name="benchmark",
        run_key="benchmark|1|-1",
        estimator=estimator,
        input_example=frame.head(),
        task="binary_classification",
        params={},
        tags={},
        dataset_uri="memory:",
        dataset_version="0" * 64,
        trusted_types=(),
    )
    tracking.set_alias(MODEL, "champion", tracking.register(MODEL, run, {}).version)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], log: Path, ready: str) -> Iterator[psutil.Process]:
    """A program in a process group of its own, until its ``ready`` address answers; ended with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            # `mlflow models serve` looks for uvicorn on the PATH.
            env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(ready).status_code == 200:
                    break
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{command[0]} did not get ready:\n{log.read_text()[-3000:]}")
            time.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def ours(tracking_uri: str, folder: Path) -> Iterator[Server]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(BIN / "airflow-mlops"), "serve", "--model", MODEL, "--tracking-uri", tracking_uri]
    command += ["--store", str(folder / "store"), "--port", str(port)]
    with running(command, folder / "gateway.log", f"{url}/ready") as process:
        yield Server(
            OURS,
            url,
            "/predict",
            lambda frame: {"rows": frame.to_dict("records")},
            lambda answer: [row["prediction"] for row in answer["predictions"]],
            process,
        )


@contextlib.contextmanager
def mlflows(estimator: Any, frame: pd.DataFrame, folder: Path) -> Iterator[Server]:
    import mlflow

    model = folder / "model"
    # Cloudpickle and probabilities, so that it does the same work and needs nothing of ours to load it.
    mlflow.sklearn.save_model(
        estimator,
        str(model),
        input_example=frame.head(),
        pyfunc_predict_fn="predict_proba",
        serialization_format="cloudpickle",
    )
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model)]
    command += ["--env-manager", "local", "--port", str(port), "--workers", "1"]
    with running(command, folder / "mlflow.log", f"{url}/ping") as process:
        yield Server(
            MLFLOWS,
            url,
            "/invocations",
            lambda frame: {"dataframe_split": frame.to_dict("split", index=False)},
            lambda answer: [row[1] for row in answer["predictions"]],
            process,
        )


def check(server: Server, estimator: Any, frame: pd.DataFrame) -> None:
    answer = httpx.post(server.url + server.path, json=server.body(frame), timeout=60).raise_for_status()
    if not np.allclose(server.answers(answer.json()), estimator.predict_proba(frame)[:, 1]):
        raise SystemExit(f"{server.name} does not answer as the model does.")


async def _caller(server: Server, request: bytes, end: float, seconds: list[float]) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    while (started := time.perf_counter()) < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head[:20]:
            raise SystemExit(f"{server.name} answered {head.decode()}")
        length = head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
        await reader.readexactly(int(length))
        seconds.append(time.perf_counter() - started)
    writer.close()


async def _load(server: Server, request: bytes, connections: int, seconds: float) -> list[float]:
    taken: list[float] = []
    end = time.perf_counter() + seconds
    await asyncio.gather(*(_caller(server, request, end, taken) for _ in range(connections)))
    return taken


def measure_server(server: Server, frame: pd.DataFrame, connections: int, seconds: float) -> Measured:
    body = json.dumps(server.body(frame)).encode()
    head = f"POST {server.path} HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    asyncio.run(_load(server, request, connections, seconds / 5))
    cpu, started = server.cpu_seconds(), time.perf_counter()
    taken = asyncio.run(_load(server, request, connections, seconds))
    return _measured(taken, time.perf_counter() - started, server.cpu_seconds() - cpu)


def measure_floor(estimator: Any, frame: pd.DataFrame, seconds: float) -> Measured:
    """The loop that a server cannot beat: rows to a frame, frame to probabilities, on one thread."""
    rows, taken = frame.to_dict("records"), []
    cpu, begun = time.process_time(), time.perf_counter()
    while time.perf_counter() < begun + seconds:
        started = time.perf_counter()
        estimator.predict_proba(pd.DataFrame(rows))
        taken.append(time.perf_counter() - started)
    return _measured(taken, time.perf_counter() - begun, time.process_time() - cpu)


def _measured(taken: list[float], wall: float, cpu: float) -> Measured:
    cuts = statistics.quantiles(taken, n=100)
    return Measured(len(taken) / wall, 1e3 * cuts[49], 1e3 * cuts[98], 1e3 * cpu / len(taken))


def measure(
    contender: contextlib.AbstractContextManager[Server],
    estimator: Any,
    frame: pd.DataFrame,
    seconds: float,
    results: dict[tuple[str, int, int], Measured],
) -> None:
    """All cells of one server, which runs alone: another's idle work would slow it."""
    with contender as server:
        check(server, estimator, frame.head(200))
        for rows in ROWS:
            for connections in CONNECTIONS:
                cell = measure_server(server, frame.head(rows), connections, seconds)
                results[server.name, rows, connections] = cell


def show(results: dict[tuple[str, int, int], Measured]) -> None:
    """Every cell, then each server's throughput and CPU as multiples of the floor's and of each other."""
    head = f"{'rows':>5}{'conn.':>6}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms/req':>12}{'x floor':>9}"
    print(f"\n{'':22}{head}")
    for (name, rows, connections), one in results.items():
        floor = results[FLOOR, rows, 1]
        ratio = f"{one.requests_per_second / floor.requests_per_second:9.2f}"
        cells = f"{one.requests_per_second:9.0f}{one.p50_ms:9.2f}{one.p99_ms:9.2f}{one.cpu_ms:12.2f}"
        print(f"{name:22}{rows:5}{connections:6}{cells}{ratio}")
    for (name, rows, connections), one in results.items():
        peer = results.get((MLFLOWS, rows, connections))
        if name == OURS and peer is not None:
            requests = one.requests_per_second / peer.requests_per_second
            print(
                f"{rows} rows, {connections} connections: {requests:.1f} times the requests of {MLFLOWS}, "
                f"{one.p99_ms / peer.p99_ms:.2f} of its p99, {one.cpu_ms / peer.cpu_ms:.2f} of its CPU"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each cell is measured")
    parser.add_argument("--without-mlflow", action="store_true", help="leave MLflow's scoring server out")
    options = parser.parse_args()
    from airflow_mlops.testing.mlflow_server import mlflow_server

    frame = flights(20_000)
    estimator = trained(frame)
    results: dict[tuple[str, int, int], Measured] = {}
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {options.seconds:g} s a cell")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with mlflow_server(folder / "mlflow") as tracking_uri:
            register(tracking_uri, estimator, frame)
            for rows in ROWS:
                results[FLOOR, rows, 1] = measure_floor(estimator, frame.head(rows), options.seconds)
            measure(ours(tracking_uri, folder), estimator, frame, options.seconds, results)
        if not options.without_mlflow:
            measure(mlflows(estimator, frame, folder), estimator, frame, options.seconds, results)
    show(results)


if __name__ == "__main__":
    main()
