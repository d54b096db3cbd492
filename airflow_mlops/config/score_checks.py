"""What is wrong between ``score`` and the rest of a file whose parts are each right."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.data import PythonSource
from airflow_mlops.config.parts.score import PREDICTION_COLUMNS, Score
from airflow_mlops.config.problems import KeyPath
from airflow_mlops.core.windows import Period

_SECONDS = {"hour": 3_600, "day": 86_400, "week": 7 * 86_400, "month": 28 * 86_400}


def score_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """Where, and what to do about it."""
    score, target = config.score, config.deploy.target
    if score is None:
        if target.type == "batch":
            yield ("deploy", "target"), "a batch model is served by its score DAG alone; give 'score'"
        if config.alerts.deadline.score is not None:
            yield ("alerts", "deadline", "score"), "there is no score DAG: give 'score', or leave it out"
        return
    if target.type == "batch" and config.deploy.shadows and not score.shadow_share:
        yield (
            ("score", "shadow_share"),
            "the rollout's shadow would never see a row: give a share such as 0.1, or set deploy.strategy: "
            "direct",
        )
    for index, name in enumerate(score.keep):
        if name in (config.data.key, config.data.time_column):
            yield ("score", "keep", index), f"{name!r} is carried over in any case"
    for name, word in ((config.data.key, "key"), (config.data.time_column, "time_column")):
        if name in PREDICTION_COLUMNS:
            yield (
                ("data", word),
                f"{name!r} is a column of the predictions themselves; rename it in the source",
            )
    for name in (config.data.key, config.data.time_column, *score.keep):
        if name in score.folder_columns:
            yield (
                ("score", "path"),
                f"readers would take a second column {name!r} from the folder's name; write another word "
                "there, as in predictions/{model}/partition={partition}",
            )
    yield from _schedule(config, score)


def _schedule(config: ModelConfig, score: Score) -> Iterator[tuple[KeyPath, str]]:
    shortest = _SECONDS[score.partition]
    every = score.schedule.every
    if every is not None and not Period.parse(every).months and Period.parse(every).seconds < shortest:
        yield (
            ("score", "partition"),
            f"a run for each {every} covers no whole {score.partition}; choose a shorter partition",
        )
    for name in score.schedule.assets.names() if score.schedule.assets else ():
        if name == f"{config.model}/predictions":
            yield ("score", "schedule", "assets"), f"{name} is updated by this very DAG, again and again"
    if score.chunk is not None and score.source is None and not isinstance(config.data.source, PythonSource):
        yield (
            ("score", "chunk"),
            f"a {config.data.source.type} source is read in chunks of chunk_rows already",
        )
