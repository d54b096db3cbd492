"""Score: the chosen partitions, one after the other, each read, predicted and written piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.chunks import read_chunks
from airflow_mlops.backends.predictions import Piece, ScoreJob, Scorer
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.partitions import Partition
from airflow_mlops.core.scored import ChosenPartition, ScoredPartition
from airflow_mlops.core.values import ColumnKind, ModelRef
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import DataRefused, ModelRefused
from airflow_mlops.steps.choose_partitions import score_of
from airflow_mlops.steps.columns import typed
from airflow_mlops.steps.requests import Scored, ScoreRequest


def score(request: ScoreRequest, backends: Backends) -> Scored:
    """Replace the predictions of each chosen partition, whole or not at all.

    A retry goes on where the run was: what it has written to the end since it chose is left as it is. Each
    version is loaded once. Raises ``DataRefused`` and ``ModelRefused`` with the partition at fault; those
    before it are written.
    """
    scorers = _Scorers(request.config, backends)
    challenger = _challenger(request, scorers)
    done = tuple(
        _score_one(request, chosen, scorers, challenger, backends) for chosen in request.chosen.partitions
    )
    # What they were made of lies beside them, and would be said once for each partition in XCom.
    return Scored(tuple(replace(one, lineage={}) for one in done), sum(partition.rows for partition in done))


class _Scorers:
    """Versions in memory, each loaded at its first use."""

    def __init__(self, config: ModelConfig, backends: Backends) -> None:
        self._config = config
        self._backends = backends
        self._loaded: dict[str, Scorer] = {}

    def of(self, ref: ModelRef) -> Scorer:
        """Raises ``ModelRefused`` where it cannot be loaded."""
        if ref.version not in self._loaded:
            model = self._backends.tracking.load(
                f"models:/{ref.name}/{ref.version}", trusted_types=self._config.training.trusted_types
            )
            self._loaded[ref.version] = Scorer(ref, model)
        return self._loaded[ref.version]

    def made_of(self, ref: ModelRef) -> dict[str, Any]:
        """What a version was made of, as its training run says."""
        run = self._backends.tracking.run_of(ref)
        tags = self._backends.tracking.tags_of(run.run_id)
        told = {
            "version": ref.version,
            "training_run": run.run_id,
            "sha256": run.sha256,
            "data_version": tags.get("mlops.dataset_version"),
            "code_version": tags.get("mlops.code_version"),
        }
        return {name: value for name, value in told.items() if value}


def _challenger(request: ScoreRequest, scorers: _Scorers) -> Scorer | None:
    """The challenger in memory. One that cannot be loaded is no reason to leave the rows unscored: the
    rollout's smoke test has told so, or will."""
    if request.chosen.challenger is None:
        return None
    try:
        return scorers.of(request.chosen.challenger)
    except ModelRefused:
        return None


def _score_one(
    request: ScoreRequest,
    chosen: ChosenPartition,
    scorers: _Scorers,
    challenger: Scorer | None,
    backends: Backends,
) -> ScoredPartition:
    config, settings = request.config, score_of(request.config)
    folder = settings.folder(config.model, chosen.partition.name)
    kept = backends.predictions.kept(folder)
    if kept is not None and _is_ours(kept, request, chosen):
        return kept
    if kept is not None and (owner := kept.lineage.get("model")) != config.model:
        raise DataRefused(
            f"{folder} holds the predictions of {owner}; give {config.model} a score.path of its own, with "
            "{model} in it"
        )
    champion = scorers.of(chosen.champion)
    is_other = challenger is not None and challenger.ref.version != chosen.champion.version
    job = ScoreJob(
        model=config.model,
        task=config.task,
        folder=folder,
        partition=chosen.partition,
        key=config.data.key,
        time=config.data.time_column,
        keep=settings.keep,
        champion=champion,
        scored_at=request.chosen.at,
        challenger=challenger if is_other else None,
        shadow_share=settings.shadow_share,
        log_rows=settings.log_rows,
        minimum_rows=settings.minimum_rows,
        lineage=_lineage(request, scorers.made_of(chosen.champion)),
    )
    return backends.predictions.score(job, _pieces(config, chosen.partition, champion, backends))


def _is_ours(kept: ScoredPartition, request: ScoreRequest, chosen: ChosenPartition) -> bool:
    """Whether this run has written it since it chose; one that is cleared from its first task on has not."""
    run = request.run.key
    return (
        kept.lineage.get("run") == {"dag_id": run.dag_id, "run_id": run.run_id}
        and kept.scored_at == request.chosen.at
        and kept.champion.version == chosen.champion.version
    )


def _lineage(request: ScoreRequest, champion: Mapping[str, Any]) -> dict[str, Any]:
    config, run = request.config, request.run
    source = score_of(config).source or config.data.source
    return {
        "model": config.model,
        "champion": dict(champion),
        "challenger": request.chosen.challenger.version if request.chosen.challenger else None,
        "source": source.model_dump(mode="json"),
        "run": {"dag_id": run.key.dag_id, "run_id": run.key.run_id},
        "kind": run.kind,
        "actor": run.actor,
        "code_version": run.code_version,
        "config_digest": run.config_digest,
    }


def _pieces(
    config: ModelConfig, partition: Partition, champion: Scorer, backends: Backends
) -> Iterator[Piece]:
    settings, data = score_of(config), config.data
    source = settings.source or data.source
    # An older champion may know features that the YAML has given up since.
    known: Mapping[str, ColumnKind] = getattr(champion.model, "columns", {})
    features = {**known, **data.features}
    frames = read_chunks(
        backends.data_source(source.type, source.model_dump(exclude={"type"})),
        partition.window,
        time_column=data.time_column,
        columns=list(dict.fromkeys([data.key, data.time_column, *features, *settings.keep])),
        rows=settings.chunk_rows,
        period=None if settings.chunk is None else Period.parse(settings.chunk),
    )
    for rows in frames:
        yield Piece(rows, typed(rows[list(features)], features))
