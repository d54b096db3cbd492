"""Choose partitions: what a run is to score, who scores it, and whether a challenger looks on."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.score import Score
from airflow_mlops.core.ledger import champion_at
from airflow_mlops.core.partitions import Partition, latest_partitions, whole_partitions
from airflow_mlops.core.scored import ChosenPartition
from airflow_mlops.core.values import ModelRef, RunInfo
from airflow_mlops.core.windows import Period, Window, WindowSources, resolve_window
from airflow_mlops.exceptions import ConfigError, DataRefused
from airflow_mlops.steps.requests import ChooseRequest, Chosen

MOST_PARTITIONS = 1_000
"""Of one run: all of them travel from task to task."""


def choose_partitions(request: ChooseRequest, backends: Backends) -> Chosen | None:
    """The partitions of the run's window, each with its champion; None where nobody can score one.

    With ``score.champion: then`` that is the version that was in force when the partition ended, as the
    ledger has it. A backfill is shown to no challenger: a rollout is judged by what comes in now. Raises
    ``DataRefused`` where the window cuts through a partition, or holds too many.
    """
    config, run = request.config, request.run
    score = score_of(config)
    partitions = _partitions(config, score, run)
    chosen, left_out = [], []
    for partition, champion in _with_champions(config, score, partitions, backends):
        if champion is None:
            left_out.append(partition.name)
        else:
            chosen.append(ChosenPartition(partition, champion))
    if not chosen:
        return None
    challenger = None
    if score.shadow_share and run.kind != "backfill":
        challenger = backends.tracking.alias(config.model, "challenger")
    return Chosen(tuple(chosen), run.now, challenger, tuple(left_out))


def score_of(config: ModelConfig) -> Score:
    """The model's ``score``. Raises ``ConfigError`` where it has none."""
    if config.score is None:
        raise ConfigError(f"model {config.model} is not scored in batches: its YAML has no 'score'")
    return config.score


def _partitions(config: ModelConfig, score: Score, run: RunInfo) -> list[Partition]:
    unit, zone = score.partition, score.schedule.timezone
    try:
        partitions = list(whole_partitions(_window(score, run.sources), unit, zone))
    except ValueError as error:
        raise DataRefused(
            f"{error}. Give the run that window, or {config.model} a score.partition that fits its schedule"
        ) from error
    if len(partitions) > MOST_PARTITIONS:
        raise DataRefused(
            f"{len(partitions)} partitions of one {unit} are more than a run takes ({MOST_PARTITIONS}); give "
            "it a shorter window, or start a backfill, which has a run for each interval"
        )
    return partitions


def _window(score: Score, sources: WindowSources) -> Window:
    """The run's own window or, where only its time is known, the latest partitions that were over by then."""
    known = (sources.partition, sources.data_interval, sources.params, sources.request)
    if any(window is not None for window in known) or sources.run_after is None:
        return resolve_window(sources, Period(seconds=86_400))
    length = None if score.window is None else Period.parse(score.window)
    return latest_partitions(sources.run_after, score.partition, score.schedule.timezone, length)


def _with_champions(
    config: ModelConfig, score: Score, partitions: list[Partition], backends: Backends
) -> Iterator[tuple[Partition, ModelRef | None]]:
    if score.champion == "now":
        champion = backends.tracking.alias(config.model, "champion")
        yield from ((partition, champion) for partition in partitions)
        return
    entries = backends.ledger.entries(config.model)
    for partition in partitions:
        reign = champion_at(entries, partition.window.end)
        yield partition, None if reign is None else ModelRef(config.model, reign.subject)
