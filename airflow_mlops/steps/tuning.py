"""What the steps of a search agree on: which search it is, what it may cost, and whether it is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, assert_never

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.study import Study
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.tuning import (
    CategoricalSpace,
    FloatSpace,
    IntSpace,
    Space,
    Tuning,
)
from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.tuning import (
    Budget,
    Choices,
    EarlierSearch,
    FloatRange,
    IntRange,
    Range,
    SearchPlan,
    earlier_search,
)
from airflow_mlops.core.values import RunInfo, SearchRun
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.steps.record import is_ours, run_folder
from airflow_mlops.steps.requests import Snapshot
from airflow_mlops.steps.train import trainer_of


def tuning_of(config: ModelConfig) -> Tuning:
    """The YAML's section. Raises ``ConfigError`` where there is none, as in a hand-written DAG."""
    if config.tuning is None:
        raise ConfigError(f"model {config.model} has no section tuning: give one, or leave out the search")
    return config.tuning


def maximize(config: ModelConfig) -> bool:
    """Whether more of the searched metric is better."""
    return config.evaluation.direction(tuning_of(config).metric) == "higher"


def budget_of(tuning: Tuning) -> Budget:
    return Budget(tuning.trials, None if tuning.minutes is None else 60 * tuning.minutes)


def question(config: ModelConfig) -> str:
    """A hash of what is searched for. The budget is not in it: more trials are more of the same search."""
    tuning = tuning_of(config)
    asked = tuning.model_dump(mode="json", include={"metric", "space", "folds", "rows"})
    training = config.training.model_dump(mode="json", exclude={"trusted_types"})
    data = config.data.model_dump(mode="json", include={"features", "label", "time_column", "group"})
    return content_hash([config.task, asked, training, data])


def study_of(config: ModelConfig, run: RunInfo, snapshot: Snapshot, backends: Backends) -> Study:
    """The search of this run, however often its tasks are tried. Other rows, code or space make another one,
    as after a task was cleared: trials of before would not be comparable."""
    tuning = tuning_of(config)
    code = run.code_version or trainer_of(config, backends).code_version()
    how = [tuning.sampler, tuning.pruner, tuning.seed]
    about = content_hash([question(config), snapshot.dataset.version, code, how, run.key.run_id])
    plan = SearchPlan(
        space={name: _range(space) for name, space in tuning.space.items()},
        maximize=maximize(config),
        folds=tuning.folds.plan.count,
        sampler=tuning.sampler,
        pruner=tuning.pruner,
        seed=tuning.seed,
    )
    return backends.study(f"tuning/{run_folder(run)}/{about[:16]}.journal", plan)


def answered_earlier(
    config: ModelConfig, run: RunInfo, snapshot: Snapshot, study: Study, backends: Backends
) -> EarlierSearch | None:
    """The earlier search whose answer this run uses, or None where it searches itself. A search that was
    begun is finished."""
    every = tuning_of(config).every
    if every is None or study.trials():
        return None
    return _earlier(config, run, snapshot, backends, every)


def first_params(
    config: ModelConfig, run: RunInfo, snapshot: Snapshot, backends: Backends
) -> list[Mapping[str, Any]]:
    """What the search begins with: the YAML's own parameters, so that the answer is no worse than they are on
    the same folds, and the answer of the last search."""
    last = _earlier(config, run, snapshot, backends, None)
    return [config.training.params, *([last.params] if last else [])]


def search_run(config: ModelConfig, run: RunInfo, study: Study, backends: Backends) -> SearchRun:
    """The tracking run of this search, the same one for all its workers."""

    def begun() -> str:
        search = backends.tracking.begin_search(
            experiment=config.model,
            run_name=f"{config.model} search {run.key.run_id}"[:250],
            run_key=f"{run.key.dag_id}|{run.key.run_id}|search|{question(config)[:12]}",
            tags={
                "mlops.model": config.model,
                "mlops.kind": "search",
                "mlops.config_digest": run.config_digest or "",
                "mlops.code_version": run.code_version or trainer_of(config, backends).code_version(),
            },
        )
        return json.dumps(asdict(search))

    return SearchRun(**json.loads(study.remembered("tracking run", begun)))


def _earlier(
    config: ModelConfig, run: RunInfo, snapshot: Snapshot, backends: Backends, every: str | None
) -> EarlierSearch | None:
    return earlier_search(
        (entry for entry in backends.ledger.entries(config.model) if not is_ours(entry, run)),
        question=question(config),
        every=every,
        window=snapshot.dataset.window,
        holdout_start=snapshot.dataset.holdout_start,
    )


def _range(space: Space) -> Range:
    match space:
        case FloatSpace():
            return FloatRange(space.low, space.high, space.log, space.step)
        case IntSpace():
            return IntRange(space.low, space.high, space.log, space.step)
        case CategoricalSpace():
            return Choices(space.choices)
        case _:
            assert_never(space)
