"""Snapshot: freeze the rows that this run trains and evaluates on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.data import Data
from airflow_mlops.core.ledger import Entry, in_order, pending_requests
from airflow_mlops.core.values import DatasetRef, RunInfo, is_classification
from airflow_mlops.core.windows import Period, Window, resolve_window
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.columns import as_numbers, as_text
from airflow_mlops.steps.holdout import holdout
from airflow_mlops.steps.record import entry, is_ours
from airflow_mlops.steps.requests import Snapshot, SnapshotRequest

if TYPE_CHECKING:
    import pandas as pd


def snapshot(request: SnapshotRequest, backends: Backends) -> Snapshot | None:
    """Work off every pending retraining request and freeze the rows known as of the run's window end.

    None when only retraining's own asset woke the run and the ledger holds nothing pending; any other asset
    says that there is something new. A backfill takes no request. Raises ``DataRefused`` where the rows
    cannot be trained on.
    """
    config, run = request.config, request.run
    requests = [] if run.kind == "backfill" else _take_requests(config, run, backends)
    updated = [name for name in run.woken_by if name != f"{config.model}/retrain"]
    if run.kind == "asset" and not requests and not updated:
        return None
    dataset, lengthened = _freeze(config, run, _run_window(run, requests), backends)
    return Snapshot(
        dataset=dataset,
        causes=tuple(_causes(run, requests, updated)) or (f"{run.kind} run",),
        requests=tuple(taken.subject for taken in requests),
        lengthened=lengthened,
    )


def _causes(run: RunInfo, requests: list[Entry], updated: list[str]) -> Iterator[str]:
    yield from (reason for taken in requests for reason in taken.reasons)
    yield from (f"asset {name} was updated" for name in updated)
    if run.reason:
        yield f"{run.kind} run: {run.reason}"


def _take_requests(config: ModelConfig, run: RunInfo, backends: Backends) -> list[Entry]:
    """Claim what is pending; a claim that another run holds is left to it, one of ours (a retry) counts.

    A run whose own window ends before what a request has seen is no answer to it, and leaves it to the next.
    """
    own = run.sources.partition or run.sources.data_interval or run.sources.params
    entries = backends.ledger.entries(config.model)
    asked = {item.subject: item for item in entries if item.kind == "retrain_requested"}
    mine = {item.subject for item in entries if item.kind == "retrain_taken" and is_ours(item, run)}
    for pending in pending_requests(entries):
        if own is not None and pending.window is not None and own.end < pending.window.end:
            continue
        claim = entry(config, run, "retrain_taken", pending.subject, reasons=pending.reasons)
        if is_ours(backends.ledger.append(claim), run):
            mine.add(pending.subject)
    return in_order(asked[subject] for subject in mine if subject in asked)


def _run_window(run: RunInfo, requests: list[Entry]) -> Window:
    windows = [item.window for item in requests if item.window is not None]
    latest = max(windows, key=lambda window: window.end, default=None)
    return resolve_window(replace(run.sources, request=latest), Period(seconds=86_400))


def _freeze(
    config: ModelConfig, run: RunInfo, run_window: Window, backends: Backends
) -> tuple[DatasetRef, str | None]:
    data, as_of = config.data, run_window.end
    start = data.window.start or Period.parse(data.window.length or "1 day").before(as_of)
    holdout_start = Period.parse(data.holdout.length).before(as_of)
    if start >= holdout_start:
        raise DataRefused(
            f"no rows to train on: as of {as_of.isoformat()} the window starts {start.isoformat()} and its "
            f"holdout of {data.holdout.length} starts {holdout_start.isoformat()}; "
            "choose a later window_end, a longer data.window or a shorter data.holdout"
        )
    window = Window(start, as_of)
    source = backends.data_source(data.source.type, data.source.model_dump(exclude={"type"}))
    frame = source.read(window, time_column=data.time_column, columns=config.columns)
    frame = _typed(frame, data)
    frame = _labelled(frame, data, window)
    holdout_start, lengthened = holdout(frame[data.time_column], holdout_start, window, config, run, backends)
    training = int((frame[data.time_column] < holdout_start).sum())
    _check_rows(frame, training, config, window)
    dataset = backends.datasets.save(
        frame,
        model=config.model,
        window=window,
        time_column=data.time_column,
        holdout_start=holdout_start,
    )
    return dataset, lengthened


def _typed(frame: pd.DataFrame, data: Data) -> pd.DataFrame:
    """Numeric features as floats, categories as text, so that training and serving see the same types."""
    changed = {}
    wrong = []
    for name, kind in data.features.items():
        column = frame[name]
        typed = as_text(column) if kind == "categorical" else as_numbers(column)
        if typed is not None:
            changed[name] = typed
        else:
            sample = column.dropna().iloc[0]
            wrong.append(f"{name} is {column.dtype} (a value is of type {type(sample).__name__})")
    if wrong:
        raise DataRefused(
            "data.features calls these columns numeric, but they are not: "
            + "; ".join(wrong)
            + ". Correct the source, or declare them categorical"
        )
    return frame.assign(**changed)


def _labelled(frame: pd.DataFrame, data: Data, window: Window) -> pd.DataFrame:
    if not len(frame):
        raise DataRefused(
            f"no rows with {data.time_column} in {window}; has the data landed, and is the window right?"
        )
    repeated = int(frame[data.key].duplicated().sum())
    if repeated:
        raise DataRefused(
            f"{repeated} of {len(frame)} rows repeat a {data.key!r}, which data.key says names a row"
        )
    labelled = frame[frame[data.label].notna()]
    numbers = as_numbers(labelled[data.label])
    if labelled[data.label].dtype == object and numbers is not None:  # decimals, or flags that had a hole
        labelled = labelled.assign(**{data.label: numbers})
    if not len(labelled):
        raise DataRefused(
            f"all {len(frame)} rows in {window} have a null label ({data.label!r}); have the labels landed?"
        )
    return labelled


def _check_rows(frame: pd.DataFrame, training: int, config: ModelConfig, window: Window) -> None:
    data, holdout = config.data, len(frame) - training
    if training < data.minimum_rows:
        raise DataRefused(
            f"{training} labelled rows to train on in {window}, "
            f"data.minimum_rows asks for {data.minimum_rows}"
        )
    if not holdout:
        raise DataRefused(
            f"no labelled rows in the holdout, the newest {data.holdout.length} of {window}; "
            "wait for its labels or make data.holdout longer"
        )
    _check_labels(frame[data.label], training, config, window)


def _check_labels(label: pd.Series, training: int, config: ModelConfig, window: Window) -> None:
    """Labels that the task cannot be trained or scored on, found before time is spent on them."""
    if not is_classification(config.task):
        endless = int(label.isin([float("inf"), float("-inf")]).sum())
        if as_numbers(label) is None or endless:
            what = f"{endless} of {len(label)} are infinite" if endless else f"these are {_shown(label)}"
            raise DataRefused(f"the labels of a {config.task} are numbers, but in {label.name} {what}")
        return
    parts = (("training rows", label.iloc[:training]), ("holdout", label.iloc[training:]))
    for part, labels in parts:
        if labels.nunique() < 2:
            raise DataRefused(
                f"the {part} in {window} have one class only: {label.name} is always {labels.iloc[0]}"
            )
    classes = 2 if config.task == "binary_classification" else parts[0][1].nunique()
    for part, labels in parts:
        known = set(range(classes))
        if not set(labels.unique()) <= known:
            raise DataRefused(
                f"the labels of a {config.task} are numbered from 0"
                + (", so 0 and 1 (or false and true)" if classes == 2 else f", so 0 to {classes - 1} here")
                + f", but in the {part} {label.name} has {_shown(labels[~labels.isin(known)])}; "
                "number the classes where the data is made, and train on rows that have every class"
            )


def _shown(labels: pd.Series) -> str:
    values = [str(value) for value in labels.unique()[:5]]
    return ", ".join(values) + (", ..." if labels.nunique() > 5 else "")
