"""What serving costs: this package's server, MLflow's, LitServe, BentoML and bare scikit-learn, in one run.

    python benchmarks/serving.py [--rounds 3] [--seconds 2] [--peers VENV] [--without-peers]

One HistGradientBoosting classifier of 20 numbers is registered in a real MLflow and answered by each of them:
by ``airflow-mlops serve`` with its checks and its inference log on, by ``mlflow models serve`` with one
worker, by LitServe and BentoML with one worker each, as they come and with their batching, and by
``predict_proba`` in a loop of this process, with the frame made of the rows as a server has to (the floor of
the table) and with one that is there already. LitServe and BentoML do not fit beside Airflow: they get an
environment of their own below ``build/``, unless ``--peers`` names one.

The requests come from this process over kept-alive connections, each of which sends its next request when it
has its answer. Servers are first held to give the floor's very predictions; those whose turn it is not are
stopped by a signal. CPU is that of a server's process tree, without the client. A cell is the median of its
rounds. All of it shares one machine, so compare rows with each other, not with another day.
Where others use the cores too, a CPU second says more than a second.

At the end the challenger's weight is moved 100 times and versions are swapped ten times while requests go on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
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
OURS, MLFLOWS = "airflow-mlops serve", "mlflow models serve"
FLOOR, ALONE = "scikit-learn", "predict_proba alone"
LITSERVE, BENTOML, BATCHED = "LitServe", "BentoML", ", batching"
CONNECTIONS, ROWS = (1, 16), (1, 100)
FEATURES = 20
WEIGHT_CHANGES, SWAPS = 100, 10
BIN = Path(sys.executable).parent
HERE = Path(__file__).parent
Cell = tuple[str, int, int]


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
        """Of the process and its children, those that have ended too."""
        spent = 0.0
        for one in (self.process, *self.process.children(recursive=True)):
            times = one.cpu_times()
            spent += times.user + times.system
        own = self.process.cpu_times()
        return spent + own.children_user + own.children_system

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Stopped but for the block: another's idle work would slow who is measured."""
        os.killpg(self.process.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGSTOP)


def readings(rows: int) -> pd.DataFrame:
    """Numbers; made up, since only their cost matters."""
    rng = np.random.default_rng(7)
    return pd.DataFrame({f"number_{n}": rng.normal(size=rows) for n in range(FEATURES)})


def trained(frame: pd.DataFrame) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    noise = np.random.default_rng(8).normal(size=len(frame))
    return HistGradientBoostingClassifier(max_iter=100).fit(frame, frame["number_0"] + noise > 1)


def register(tracking_uri: str, estimator: Any, frame: pd.DataFrame, versions: int) -> None:
    from airflow_mlops.backends.tracking_mlflow import MlflowTracking

    tracking = MlflowTracking(tracking_uri)
    for number in range(versions):
        run = tracking.log_training(
            experiment=MODEL,
            run_name="benchmark",
            run_key=f"benchmark|{number}|-1",
            estimator=estimator,
            input_example=frame.head(),
            task="binary_classification",
            params={},
            tags={},
            dataset_uri="memory:",
            dataset_version="0" * 64,
            trusted_types=(),
        )
        version = tracking.register(MODEL, run, {}).version
        if number == 0:
            tracking.set_alias(MODEL, "champion", version)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    command: list[str], log: Path, ready: str, variables: Mapping[str, str] | None = None
) -> Iterator[psutil.Process]:
    """A program in a process group of its own, until its ``ready`` address answers; ended with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            # `mlflow models serve` looks for uvicorn on the PATH.
            env={
                **os.environ,
                "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                **(variables or {}),
            },
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 180
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
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def ours(tracking_uri: str, folder: Path) -> Iterator[Server]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(BIN / "airflow-mlops"), "serve", "--model", MODEL, "--tracking-uri", tracking_uri]
    # Compaction is measured by itself: by the minute it would fall into one cell or another.
    command += ["--store", str(folder / "store"), "--port", str(port), "--compact-seconds", "0"]
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


@contextlib.contextmanager
def litserve(python: Path, model: Path, folder: Path, batch: int) -> Iterator[Server]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [
        str(python),
        str(HERE / "serving_peers" / "litserve_app.py"),
        str(model),
        str(port),
        str(batch),
    ]
    with running(command, folder / f"litserve-{batch}.log", f"{url}/health") as process:
        yield Server(
            LITSERVE + (BATCHED if batch > 1 else ""),
            url,
            "/predict",
            lambda frame: {"rows": frame.to_dict("records")},
            lambda answer: answer["predictions"],
            process,
        )


@contextlib.contextmanager
def bentoml(python: Path, model: Path, folder: Path, batch: int) -> Iterator[Server]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(python), "-m", "bentoml", "serve", "bentoml_app:Delays", "--port", str(port)]
    command += ["--working-dir", str(HERE / "serving_peers")]
    variables = {
        "BENCHMARK_MODEL": str(model),
        "BENCHMARK_BATCH": str(batch),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(folder / f"bento-home-{batch}"),
    }
    with running(command, folder / f"bentoml-{batch}.log", f"{url}/readyz", variables) as process:
        yield Server(
            BENTOML + (BATCHED if batch > 1 else ""),
            url,
            "/predict",
            lambda frame: {"rows": frame.to_dict("records")},
            lambda answer: answer,
            process,
        )


def peers_python(given: Path | None) -> Path:
    """A Python that has LitServe, BentoML and this one's scikit-learn: the one given, or one made here."""
    import sklearn

    folder = given or Path("build/serving-peers").absolute()
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"installing LitServe and BentoML into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        wanted = [
            "litserve>=0.2.17",
            "bentoml>=1.4.30",
            f"scikit-learn=={sklearn.__version__}",
            "pandas>=2.2",
        ]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python


def check(server: Server, estimator: Any, frame: pd.DataFrame) -> None:
    answer = httpx.post(server.url + server.path, json=server.body(frame), timeout=60).raise_for_status()
    if not np.allclose(server.answers(answer.json()), estimator.predict_proba(frame)[:, 1]):
        raise SystemExit(f"{server.name} does not answer as the model does.")


@dataclass(slots=True)
class Load:
    """What callers saw: how long each answer took, and what was no answer."""

    seconds: list[float]
    failed: list[str]


async def _caller(server: Server, request: bytes, go_on: Callable[[], bool], load: Load) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    while go_on():
        started = time.perf_counter()
        writer.write(request)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
            body = await reader.readexactly(int(length))
        except (OSError, EOFError, IndexError) as error:
            load.failed.append(f"{type(error).__name__}: {error}")
            break
        load.seconds.append(time.perf_counter() - started)
        if b" 200 " not in head[:20]:
            load.failed.append(f"{head[:20].decode()}: {body[:200].decode()}")
    writer.close()


async def _load(server: Server, request: bytes, connections: int, go_on: Callable[[], bool]) -> Load:
    load = Load([], [])
    await asyncio.gather(*(_caller(server, request, go_on, load) for _ in range(connections)))
    return load


def as_request(server: Server, frame: pd.DataFrame) -> bytes:
    body = json.dumps(server.body(frame)).encode()
    head = f"POST {server.path} HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def measure_server(server: Server, frame: pd.DataFrame, connections: int, seconds: float) -> Measured:
    request = as_request(server, frame)

    def loaded(seconds: float) -> Load:
        end = time.perf_counter() + seconds
        load = asyncio.run(_load(server, request, connections, lambda: time.perf_counter() < end))
        if load.failed:
            raise SystemExit(f"{server.name} failed: {load.failed[0]}")
        return load

    loaded(seconds / 5)
    cpu, started = server.cpu_seconds(), time.perf_counter()
    load = loaded(seconds)
    return _measured(load.seconds, time.perf_counter() - started, server.cpu_seconds() - cpu)


def measure_floor(predict: Callable[[], Any], seconds: float) -> Measured:
    """A loop on one thread, without a server."""
    taken = []
    cpu, begun = time.process_time(), time.perf_counter()
    while time.perf_counter() < begun + seconds:
        started = time.perf_counter()
        predict()
        taken.append(time.perf_counter() - started)
    return _measured(taken, time.perf_counter() - begun, time.process_time() - cpu)


def _measured(taken: list[float], wall: float, cpu: float) -> Measured:
    cuts = statistics.quantiles(taken, n=100)
    return Measured(len(taken) / wall, 1e3 * cuts[49], 1e3 * cuts[98], 1e3 * cpu / len(taken))


def medians(rounds: list[dict[Cell, Measured]]) -> dict[Cell, Measured]:
    return {
        cell: Measured(
            *(
                statistics.median(getattr(one[cell], field.name) for one in rounds)
                for field in fields(Measured)
            )
        )
        for cell in rounds[0]
    }


def changes_under_load(server: Server, frame: pd.DataFrame) -> None:
    """Move the weight and swap versions while 16 callers go on, and count what was not answered."""
    request = as_request(server, frame.head(1))
    done = threading.Event()
    found: list[Load] = []
    caller = threading.Thread(
        target=lambda: found.append(asyncio.run(_load(server, request, 16, lambda: not done.is_set())))
    )
    caller.start()
    champion, challenger = "1", "2"
    try:
        with httpx.Client(base_url=f"{server.url}/admin", timeout=60) as admin:
            for swap in range(SWAPS):
                rollout = {"rollout_id": f"swap-{swap}", "version": challenger}
                for step in range(WEIGHT_CHANGES // SWAPS):
                    weight = (step + 1) / (WEIGHT_CHANGES // SWAPS)
                    change = {**rollout, "mode": "canary", "weight": weight}
                    admin.put("/traffic", json=change).raise_for_status()
                admin.post("/promote", json=rollout).raise_for_status()
                champion, challenger = challenger, champion
    finally:
        done.set()
        caller.join()
    (load,) = found
    print(
        f"\n{WEIGHT_CHANGES} weight changes and {SWAPS} version swaps under load: {len(load.failed)} of "
        f"{len(load.seconds)} requests failed, "
        f"p99 {1e3 * statistics.quantiles(load.seconds, n=100)[98]:.1f} ms"
    )
    for one in sorted(set(load.failed))[:5]:
        print(f"  {one}")


def log_kept(server: Server, folder: Path) -> None:
    """Whether every row is in the log, and what it costs to make Parquet of it, later and at low priority."""
    counted = {}
    for line in httpx.get(f"{server.url}/metrics").text.splitlines():
        name, _, value = line.rpartition(" ")
        counted[name] = value
    dropped = float(counted["mlops_gateway_log_rows_dropped_total"])
    written = float(counted["mlops_gateway_log_rows_written_total"])
    print(f"inference log: {written:.0f} rows written, {dropped:.0f} dropped")
    server.process.terminate()
    server.process.wait(60)
    command = [str(BIN / "airflow-mlops"), "compact-log", "--model", MODEL, "--store", str(folder / "store")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"made Parquet afterwards: {1e3 * cpu / written:.3f} ms of CPU a row, at low priority")


def show(results: dict[Cell, Measured]) -> None:
    """Every cell, then what the server is held to."""
    head = f"{'rows':>5}{'conn.':>6}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms/req':>12}{'x floor':>9}"
    print(f"\n{'':22}{head}")
    for (name, rows, connections), one in sorted(results.items(), key=lambda item: item[0][1:]):
        floor = results[FLOOR, rows, 1]
        ratio = f"{one.requests_per_second / floor.requests_per_second:9.2f}"
        cells = f"{one.requests_per_second:9.0f}{one.p50_ms:9.2f}{one.p99_ms:9.2f}{one.cpu_ms:12.2f}"
        print(f"{name:22}{rows:5}{connections:6}{cells}{ratio}")
    print()
    mine = results[OURS, 1, 16]
    for (name, rows, connections), one in results.items():
        if (rows, connections) == (1, 16) and name != OURS:
            times = mine.requests_per_second / one.requests_per_second
            cpu = one.cpu_ms / mine.cpu_ms
            print(f"1 row, 16 connections: {times:.1f} times the requests of {name}, {cpu:.1f} a CPU second")
    for connections in CONNECTIONS:
        spent = results[OURS, 100, connections].cpu_ms
        times = [spent / results[name, 100, 1].cpu_ms for name in (FLOOR, ALONE)]
        print(
            f"100 rows, {connections} connections: {times[0]:.2f} times the CPU of {FLOOR} with the frame, "
            f"{times[1]:.2f} of predict_proba alone"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="how long each cell is measured in a round"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often; a cell is the median")
    parser.add_argument("--peers", type=Path, help="an environment that has LitServe and BentoML")
    parser.add_argument("--without-peers", action="store_true", help="measure this package's server alone")
    options = parser.parse_args()
    import joblib

    from airflow_mlops.testing.mlflow_server import mlflow_server

    frame = readings(20_000)
    estimator = trained(frame)
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the "
        f"start, {options.rounds} rounds of {options.seconds:g} s a cell"
    )
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        tracking_uri = stack.enter_context(mlflow_server(folder / "mlflow", start_timeout_seconds=180))
        register(tracking_uri, estimator, frame, 2)
        mine = stack.enter_context(ours(tracking_uri, folder))
        servers = [mine]
        if not options.without_peers:
            joblib.dump(estimator, model := folder / "model.joblib")
            python = peers_python(options.peers)
            servers.append(stack.enter_context(mlflows(estimator, frame, folder)))
            for batch in (1, 64):
                servers.append(stack.enter_context(litserve(python, model, folder, batch)))
                servers.append(stack.enter_context(bentoml(python, model, folder, batch)))
        for server in servers:
            check(server, estimator, frame.head(200))
            os.killpg(server.process.pid, signal.SIGSTOP)
        rounds = [one_round(servers, estimator, frame, options.seconds) for _ in range(options.rounds)]
        show(medians(rounds))
        with mine.awake():
            changes_under_load(mine, frame)
        os.killpg(mine.process.pid, signal.SIGCONT)
        log_kept(mine, folder)


def one_round(
    servers: list[Server], estimator: Any, frame: pd.DataFrame, seconds: float
) -> dict[Cell, Measured]:
    results: dict[Cell, Measured] = {}
    for rows in ROWS:
        some = frame.head(rows)
        records = some.to_dict("records")
        for name, predict in (
            (FLOOR, lambda records=records: estimator.predict_proba(pd.DataFrame(records))),
            (ALONE, lambda some=some: estimator.predict_proba(some)),
        ):
            results[name, rows, 1] = measure_floor(predict, seconds)
    for server in servers:
        with server.awake():
            for rows in ROWS:
                for connections in CONNECTIONS:
                    cell = measure_server(server, frame.head(rows), connections, seconds)
                    results[server.name, rows, connections] = cell
    return results


if __name__ == "__main__":
    main()
