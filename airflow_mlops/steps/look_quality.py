"""Look at quality: both versions' answers in the inference log, and the labels that have landed for them.

It reads the log and the model's own source of labels, so it runs where steps run. The watch over a stage only
reads what it left.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.deploy_evidence import Quality
from airflow_mlops.config.parts.monitor_labels import Labels
from airflow_mlops.core.quality import Landed, QualityLook, Spread
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import BackendUnavailable, DataRefused
from airflow_mlops.steps.kept_looks import keep_quality, kept_quality
from airflow_mlops.steps.labels import joined_by, landed_labels
from airflow_mlops.steps.requests import StageRequest

if TYPE_CHECKING:
    import pandas as pd

_CLOCKS_DIFFER = timedelta(hours=1)


def look_quality(request: StageRequest, backends: Backends) -> QualityLook | None:
    """Compare the answers whose labels have landed, and keep what was found for the watch over the stage.

    None where quality is not judged. A source that cannot be read fails the first look of a stage, since that
    is a mistake to mend; at a later one it is kept as a problem, which holds the stage until the next look.
    """
    quality, labels = request.config.deploy.analysis.quality, request.config.monitor.labels
    if quality is None or labels is None:
        return None
    try:
        look = _look(request, quality, labels, backends)
    except (DataRefused, BackendUnavailable) as error:
        if kept_quality(request, backends) is None:
            raise
        look = QualityLook(request.run.now, problem=str(error))
    keep_quality(request, look, backends)
    return look


def _look(request: StageRequest, quality: Quality, labels: Labels, backends: Backends) -> QualityLook:
    config, rollout = request.config, request.rollout
    item = config.evaluation.item(quality.metric)
    rows = backends.inference_log.of_rollout(
        config.model, rollout.id, _began(request, backends), item.columns if item else ()
    )
    champion = rollout.champion.version if rollout.champion else None
    rows = rows[rows["version"].isin([champion, rollout.candidate.version])]
    pairs = _pairs(rows[rows["mode"] == "shadow"])
    split, moved, keys = rows.iloc[:0], 0, 0
    if request.mode == "canary":
        at_weight = (rows["mode"] == "canary") & ((rows["weight"] - request.weight).abs() < 1e-9)
        split, moved, keys = _arms(rows[at_weight])
    if not len(pairs) and not len(split):
        return QualityLook(request.run.now, moved=moved, keys=keys)
    by = joined_by(labels, rows)
    landed = landed_labels(config, labels, _window(pairs, split), backends, by)
    found = (
        _of_pairs(pairs, landed, quality.metric, config, backends),
        _of_arms(split, landed, quality.metric, config, backends),
    )
    return QualityLook(request.run.now, tuple(one for one in found if one is not None), moved, keys)


def _began(request: StageRequest, backends: Backends) -> datetime:
    """When the rollout was taken, by the ledger; a little earlier, for the server's clock is another."""
    version = request.rollout.candidate.version
    for entry in backends.ledger.entries(request.config.model):
        if entry.kind == "rollout_taken" and entry.subject == version:
            return entry.at - _CLOCKS_DIFFER
    return backends.serving.observe(request.rollout.id).since - _CLOCKS_DIFFER


def _pairs(shadowed: pd.DataFrame) -> pd.DataFrame:
    """Rows that both versions answered, the first of each key, with the challenger's answer beside.

    A request may name one key twice, so the rows of a key are also told apart by their turn.
    """
    on = ["request_id", "key", "turn"]
    turns = shadowed.assign(turn=shadowed.groupby(["request_id", "key", "role"], sort=False).cumcount())
    turns = turns[turns["error"].isna()]
    champion = turns[turns["role"] == "champion"]
    shadow = turns.loc[turns["role"] == "shadow", [*on, "prediction"]]
    both = champion.merge(shadow.rename(columns={"prediction": "challenger"}), on=on)
    return both.drop_duplicates("key")


def _arms(rows: pd.DataFrame) -> tuple[pd.DataFrame, int, int]:
    """Rows of a split, the first of each key; the keys that both versions answered, which are left out; and
    all keys. Rows that the champion answered because the challenger failed on them are of neither."""
    on = ["request_id", "key"]
    failed = rows.loc[(rows["role"] == "challenger") & rows["error"].notna(), on].drop_duplicates()
    joined = rows.merge(failed.assign(failed=True), on=on, how="left")
    firsts = joined[joined["failed"].isna() & joined["error"].isna()].drop_duplicates(["role", "key"])
    seen = firsts["key"].value_counts()
    moved = seen.index[seen > 1]
    return firsts[~firsts["key"].isin(moved)], len(moved), len(seen)


def _window(*frames: pd.DataFrame) -> Window:
    """Where the labels of these rows are: about their own time, which is the server's where they had none."""
    times = [
        time
        for frame in frames
        if len(frame)
        for time in (frame["event_time"].min(), frame["event_time"].max())
    ]
    return Window(min(times) - _CLOCKS_DIFFER, max(times) + _CLOCKS_DIFFER)


def _of_pairs(
    pairs: pd.DataFrame, landed: pd.DataFrame, metric: str, config: ModelConfig, backends: Backends
) -> Landed | None:
    if not len(pairs):
        return None
    labelled = _labelled(pairs, landed)
    champion, challenger = (
        _values(labelled, answer, metric, config, backends) for answer in ("prediction", "challenger")
    )
    difference = None if challenger is None else challenger - champion
    return Landed("shadow", _spread(champion), _spread(challenger), _spread(difference), len(pairs))


def _of_arms(
    split: pd.DataFrame, landed: pd.DataFrame, metric: str, config: ModelConfig, backends: Backends
) -> Landed | None:
    if not len(split):
        return None
    labelled = _labelled(split, landed)
    champion, challenger = (
        _spread(_values(labelled[labelled["role"] == role], "prediction", metric, config, backends))
        for role in ("champion", "challenger")
    )
    answered = min(int((split["role"] == role).sum()) for role in ("champion", "challenger"))
    return Landed("split", champion, challenger, None, answered)


def _labelled(rows: pd.DataFrame, landed: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a label. A key may come again with another one: the nearest in time is the row's."""
    by = [name for name in ("request_id", "key") if name in landed]
    joined = rows.assign(row=range(len(rows))).merge(landed, on=by)
    gaps = (joined["event_time"] - joined["labelled_at"]).abs()
    return (
        joined.assign(gap=gaps)
        .sort_values(["gap", "row"], kind="stable")
        .drop_duplicates("row")
        .sort_values("row")
    )


def _values(labelled: pd.DataFrame, answer: str, metric: str, config: ModelConfig, backends: Backends) -> Any:
    """The metric of each row, or None where there is none."""
    if not len(labelled):
        return None
    scored = backends.metrics(config.task, config.evaluation.scoring)
    return scored.by_row(metric, labelled["label"], labelled[answer], beside=Beside.of(labelled, None))


def _spread(values: Any) -> Spread:
    if values is None:
        return Spread(0, 0.0, 0.0)
    variance = float(values.var(ddof=1)) if len(values) > 1 else 0.0
    return Spread(len(values), float(values.mean()), variance)
