"""What parsing costs: this package, dag-factory, blueprint and a hand-written loop, in one run.

    pip install 'airflow-mlops[benchmarks]'
    python benchmarks/parse.py [--runs 3] [--without-peers]

One model is four DAGs of 27 tasks: a YAML of 45 lines here, one of the same DAGs for dag-factory, four for
blueprint, and for the hand-written loop nothing but the loop. Each measurement is a process of its own that
has imported what Airflow's task runner has before it parses (the floor) and froze it, as the DAG processor
does; CPU and memory are what comes on top. Cold is without a cache, warm is every parse after the first.
CPU seconds are medians and depend on the machine: compare columns, not days.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OURS, COLD, HAND, FACTORY, BLUEPRINT = "warm", "cold", "hand", "dag-factory", "blueprint"
NAMES = {
    HAND: "hand-written loop",
    COLD: "airflow-mlops, cold",
    OURS: "airflow-mlops, warm",
    FACTORY: "dag-factory",
    BLUEPRINT: "blueprint",
}
SIZES = (1, 100, 1000)
MANY = 5000

# Each task and the tasks before it, as the plan of a model of level 3 draws them.
DAGS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "train": {
        "snapshot": (), "validate": ("snapshot",), "contracts": ("snapshot",), "sample_run": ("snapshot",),
        "train": ("validate", "contracts", "sample_run"), "evaluate": ("train",), "gate": ("evaluate",),
        "register": ("gate",), "announce_challenger": ("register",),
    },
    "deploy": {
        "take_challenger": (), "smoke_serve": ("take_challenger",), "shadow": ("smoke_serve",),
        "weight_10": ("shadow",), "weight_50": ("weight_10",), "conclude": ("weight_50",),
        "promote": ("conclude",), "roll_back": ("conclude",), "announce_champion": ("promote",),
    },
    "rollback": {"reverse": ()},
    "monitor": {
        "collect": (), "data_quality": ("collect",), "drift": ("collect",), "performance": ("collect",),
        "announce_drift": ("data_quality", "drift"), "announce_decay": ("data_quality", "performance"),
        "decide": ("data_quality", "drift", "performance"), "request_retraining": ("decide",),
    },
}  # fmt: skip

MODEL = """\
# Which customers leave within a month?
apiVersion: airflow-mlops/v1
model: NAME
description: Which customers leave within a month?
owner: growth
tags: [customers, weekly]
level: 3
task: binary_classification
schedule: {cron: "@weekly", start: 2026-01-01, timezone: Europe/Paris}
data:
  source: {type: parquet, path: "NAME/*.parquet"}
  time_column: seen_at
  key: customer_id
  label: churned
  features:
    age: numeric
    spend: numeric
    visits: numeric
    plan: categorical
    country: categorical
  window: {length: 6 months}
  holdout: {length: 14 days}
validation:
  expectations:
    - type: expect_column_values_to_not_be_null
      kwargs: {column: churned}
    - type: expect_column_values_to_be_between
      kwargs: {column: age, min_value: 0, max_value: 120}
      severity: warning
training:
  estimator: sklearn.ensemble.HistGradientBoostingClassifier
  params: {max_depth: 3}
evaluation:
  metrics: [roc_auc, log_loss]
gates:
  rules:
    - {type: threshold, metric: roc_auc, minimum: 0.7}
    - {type: champion, metric: log_loss, margin: 0.01}
deploy:
  steps: [0.1, 0.5]
monitor:
  cron: "@daily"
  labels:
    source: {type: parquet, path: "labels/NAME/*.parquet"}
  performance: {metric: roc_auc, tolerance: 0.03}
retraining: {cooldown: 7 days, budget: 10}
"""

BLUEPRINTS = """\
from airflow.providers.standard.operators.bash import BashOperator
from blueprint import BaseModel, Blueprint


class StepConfig(BaseModel):
    command: str


class Step(Blueprint[StepConfig]):
    def render(self, config):
        return BashOperator(task_id=self.step_id, bash_command=config.command)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: CPU seconds and MiB above the floor, and what it made."""

    cpu: float
    memory: float
    dags: int
    tasks: int
    compiled: int = 0
    floor_cpu: float = 0.0


# What the measured processes do


def ours(folder: Path) -> tuple[dict[str, Any], int]:
    from airflow_mlops.factory import load_dags

    namespace: dict[str, Any] = {}
    found = load_dags(namespace, loader_file=folder / "mlops.py")
    if found.problems:
        raise SystemExit(found.problems[0].message)
    return namespace, found.compiled


def hand_written(folder: Path) -> tuple[dict[str, Any], int]:
    from datetime import datetime, timezone

    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG, CronDataIntervalTimetable

    namespace: dict[str, Any] = {}
    for number in range(int((folder / "count").read_text())):
        for role, tasks in DAGS.items():
            with DAG(
                f"m{number:05}.{role}",
                schedule=CronDataIntervalTimetable("@daily", timezone="Europe/Paris"),
                start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
                catchup=False,
                tags=["customers"],
                default_args={"owner": "growth", "retries": 1},
            ) as dag:
                made = {name: BashOperator(task_id=name, bash_command="true") for name in tasks}
                for name, upstream in tasks.items():
                    for other in upstream:
                        made[other] >> made[name]
            namespace[dag.dag_id] = dag
    return namespace, 0


def dag_factory(folder: Path) -> tuple[dict[str, Any], int]:
    from dagfactory import load_yaml_dags

    namespace: dict[str, Any] = {}
    load_yaml_dags(namespace, dags_folder=str(folder), defaults_config_path=str(folder))
    return namespace, 0


def blueprint(folder: Path) -> tuple[dict[str, Any], int]:
    from blueprint import build_all_airflow_dags

    return {dag.dag_id: dag for dag in build_all_airflow_dags(str(folder), register_globals={})}, 0


def nothing(_: Path) -> tuple[dict[str, Any], int]:
    import airflow_mlops.factory  # noqa: F401 (its import is what is measured)

    return {}, 0


SIDES: Mapping[str, Callable[[Path], tuple[dict[str, Any], int]]] = {
    OURS: ours,
    COLD: ours,
    HAND: hand_written,
    FACTORY: dag_factory,
    BLUEPRINT: blueprint,
    "import": nothing,
}


def measure_here(side: str, folder: Path) -> None:
    """In a process of its own: print what one parse costs above the floor."""
    import airflow.providers.standard.operators.bash
    import airflow.sdk.execution_time.task_runner  # noqa: F401
    from airflow.dag_processing.dagbag import BundleDagBag  # noqa: F401 (the task runner imports it, too)
    from airflow.sdk import (  # noqa: F401 (and every DAG file some of these)
        DAG,
        Asset,
        AssetAny,
        AssetOrTimeSchedule,
        CronDataIntervalTimetable,
        Param,
        TaskGroup,
        XComArg,
    )  # fmt: skip

    gc.collect()
    gc.freeze()
    floor_cpu, floor_memory = _cpu(resource.RUSAGE_SELF), _peak_memory()
    namespace, compiled = SIDES[side](folder)
    later = [[number] for number in range(5_000)]  # what the garbage collector was kept from, it does now
    cpu, memory = _cpu(resource.RUSAGE_SELF) - floor_cpu, _peak_memory() - floor_memory
    dags = [value for value in namespace.values() if isinstance(value, DAG)]
    tasks = sum(len(dag.tasks) for dag in dags)
    del later
    print(json.dumps([cpu, memory, len(dags), tasks, compiled, floor_cpu]))


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# What measures them


@dataclass(frozen=True, slots=True)
class Bench:
    """Folders of models for each side, and fresh processes on them."""

    home: Path
    runs: int

    def folder(self, side: str, size: int) -> Path:
        side = OURS if side in (COLD, "import") else side
        folder = self.home / f"{side}-{size}"
        if not folder.exists():
            folder.mkdir()
            for name, text in _files(side, size):
                (folder / name).write_text(text)
        return folder

    def once(self, side: str, size: int, dag_id: str | None = None) -> Measured:
        command = [sys.executable, __file__, "--measure", side, "--folder", str(self.folder(side, size))]
        environment = {**os.environ, **self._airflow(side)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # every installation has its bytecode
        if dag_id is not None:
            environment |= {
                "_AIRFLOW_PARSING_CONTEXT_DAG_ID": dag_id,
                "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "conclude",
            }
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise SystemExit(f"{side}, {size} models:\n{done.stdout[-1500:]}{done.stderr[-3000:]}")
        return Measured(*json.loads(done.stdout.splitlines()[-1]))

    def median(self, side: str, size: int, dag_id: str | None = None, runs: int | None = None) -> Measured:
        return middle([self.once(side, size, dag_id) for _ in range(runs or self.runs)])

    def lint(self, size: int) -> float:
        """CPU seconds of the whole command."""
        command = [str(Path(sys.executable).parent / "airflow-mlops"), "lint", str(self.folder(OURS, size))]
        taken = []
        for _ in range(self.runs):
            before = _cpu(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, capture_output=True)
            taken.append(_cpu(resource.RUSAGE_CHILDREN) - before)
        return statistics.median(taken)

    def _airflow(self, side: str) -> dict[str, str]:
        from airflow_mlops.testing.airflow_home import environment

        cache = str(self.home / "cache") if side == OURS else ""
        return {
            **environment(self.home / "airflow"),
            "AIRFLOW__MLOPS__CACHE_FOLDER": cache,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "_AIRFLOW_PROCESS_CONTEXT": "client",  # as Airflow marks the processes that parse
        }


def _files(side: str, size: int) -> Iterator[tuple[str, str]]:
    if side == HAND:
        yield "count", str(size)
    if side == BLUEPRINT:
        yield "blueprints.py", BLUEPRINTS
    for name in (f"m{number:05}" for number in range(size)):
        if side == OURS:
            yield f"{name}.yaml", MODEL.replace("NAME", name)
        elif side == FACTORY:
            yield f"{name}.yaml", json.dumps({f"{name}.{role}": _for_dag_factory(role) for role in DAGS})
        elif side == BLUEPRINT:
            for role in DAGS:
                yield f"{name}_{role}.dag.yaml", json.dumps(_for_blueprint(f"{name}.{role}", role))


def _for_dag_factory(role: str) -> dict[str, Any]:
    tasks = {
        name: {
            "operator": "airflow.providers.standard.operators.bash.BashOperator",
            "bash_command": "true",
            "dependencies": list(upstream),
        }
        for name, upstream in DAGS[role].items()
    }
    arguments = {"owner": "growth", "retries": 1, "start_date": "2026-01-01"}
    return {
        "default_args": arguments,
        "schedule": "@daily",
        "catchup": False,
        "tags": ["customers"],
        "tasks": tasks,
    }


def _for_blueprint(dag_id: str, role: str) -> dict[str, Any]:
    steps = {
        name: {"blueprint": "step", "command": "true", "depends_on": list(upstream)}
        for name, upstream in DAGS[role].items()
    }
    return {"dag_id": dag_id, "schedule": "@daily", "steps": steps}


def middle(taken: Sequence[Measured]) -> Measured:
    """The run in the middle by CPU, which need not be the one in the middle by memory."""
    return sorted(taken, key=lambda one: one.cpu)[len(taken) // 2]


def whole_folders(bench: Bench, sides: Sequence[str]) -> dict[tuple[str, int], Measured]:
    """Side by side in rounds, so that what else the machine does meets all of them."""
    print(f"\n{'whole folder':24}" + "".join(f"{f'{size} models':>22}" for size in SIZES))
    taken: dict[tuple[str, int], list[Measured]] = {}
    for size in SIZES:
        bench.once(OURS, size)  # fills the cache
        for number in range(bench.runs):
            for side in sides:
                if number == 0 or size < 1000 or side not in (FACTORY, BLUEPRINT):
                    taken.setdefault((side, size), []).append(bench.once(side, size))
    results = {key: middle(runs) for key, runs in taken.items()}
    for side in sides:
        cells = (results[side, size] for size in SIZES)
        print(f"{NAMES[side]:24}" + "".join(f"{one.cpu:12.3f} s{one.memory:5.0f} MB" for one in cells))
    counts = {
        size: {(results[side, size].dags, results[side, size].tasks) for side in sides} for size in SIZES
    }
    for size, made in counts.items():
        if len(made) != 1:
            raise SystemExit(f"{size} models are not the same DAGs and tasks to all: {made}")
    print(f"the same {results[HAND, 1000].dags} DAGs with {results[HAND, 1000].tasks} tasks at 1000 models")
    return results


@dataclass(frozen=True, slots=True)
class Bar:
    """What must hold."""

    what: str
    value: float
    limit: float
    unit: str

    def __str__(self) -> str:
        met = "met" if self.value <= self.limit else "MISSED"
        return f"{self.what:66}{self.value:9.3f}{self.limit:8.3f} {self.unit:4} {met}"


def run(bench: Bench, sides: Sequence[str]) -> list[Bar]:
    bench.once(OURS, 1)  # compiles the Python files
    results = whole_folders(bench, sides)
    hand = results[HAND, 1000]
    print(f"the floor, Airflow's own imports: {hand.floor_cpu:.2f} s")

    print(f"\n{'one task':24}" + "".join(f"{f'{size} models':>16}" for size in (*SIZES, MANY)))
    bench.once(OURS, MANY)
    tasks = {size: bench.median(OURS, size, "m00000.deploy") for size in (*SIZES, MANY)}
    print(f"{NAMES[OURS]:24}" + "".join(f"{one.cpu:14.4f} s" for one in tasks.values()))
    for side in (COLD, *(one for one in sides if one in (FACTORY, BLUEPRINT))):
        one = bench.median(side, 1000, "m00000.deploy", 1)
        print(f"{NAMES[side]:24}{'':32}{one.cpu:14.4f} s")

    many, many_by_hand = (bench.median(side, MANY, runs=1) for side in (OURS, HAND))
    print(f"\n{MANY} models: airflow-mlops {many.cpu:.2f} s, hand-written {many_by_hand.cpu:.2f} s")

    edited = bench.folder(OURS, 1000) / "m00500.yaml"
    edited.write_text(edited.read_text().replace("minimum: 0.7", "minimum: 0.75"))
    changed = bench.once(OURS, 1000)
    print(f"one of 1000 changed: {changed.compiled} read and validated, {changed.cpu:.2f} s")

    imported = bench.median("import", 1)
    return [
        Bar(
            "whole folder of 1000, warm, by the hand-written loop",
            results[OURS, 1000].cpu / hand.cpu,
            1.4,
            "x",
        ),
        Bar(
            "whole folder of 1000, cold, by the hand-written loop",
            results[COLD, 1000].cpu / hand.cpu,
            1.4,
            "x",
        ),
        Bar("one task, 1 model", tasks[1].cpu, 0.03, "s"),
        Bar("one task, 1000 models", tasks[1000].cpu, 0.03, "s"),
        Bar(f"one task, {MANY} models", tasks[MANY].cpu, 0.03, "s"),
        Bar("memory, one task, over Airflow's own", tasks[1000].memory, 45, "MB"),
        Bar(
            "memory, 1000 warm, over the hand-written loop's",
            results[OURS, 1000].memory - hand.memory,
            45,
            "MB",
        ),
        Bar(
            "memory, 1000 cold, over the hand-written loop's",
            results[COLD, 1000].memory - hand.memory,
            45,
            "MB",
        ),
        Bar("import of airflow_mlops.factory", 1000 * imported.cpu, 20, "ms"),
        Bar("validated when one of 1000 changed", changed.compiled, 1, ""),
        Bar(
            f"CPU of a model among {MANY}, by one among 1000",
            many.cpu / 5 / results[OURS, 1000].cpu,
            1.2,
            "x",
        ),
        Bar("lint of 1000 files, the whole command", bench.lint(1000), 2, "s"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="processes for each number; medians are shown")
    parser.add_argument("--without-peers", action="store_true", help="leave dag-factory and blueprint out")
    parser.add_argument("--measure", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure_here(options.measure, options.folder)
        return
    peers = {FACTORY: "dagfactory", BLUEPRINT: "blueprint"}
    there = [side for side, module in peers.items() if find_spec(module) and not options.without_peers]
    if len(there) < len(peers) and not options.without_peers:
        print(
            "Not compared with what is not installed; pip install 'airflow-mlops[benchmarks]'",
            file=sys.stderr,
        )
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, medians of {options.runs}")
    with tempfile.TemporaryDirectory() as name:
        bars = run(Bench(Path(name), options.runs), [HAND, COLD, OURS, *there])
    print(f"\n{'bar':66}{'is':>9}{'limit':>8}")
    print("\n".join(map(str, bars)))
    sys.exit(any("MISSED" in str(bar) for bar in bars))


if __name__ == "__main__":
    main()
