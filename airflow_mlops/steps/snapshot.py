"""Snapshot: freeze the rows that this run trains and evaluates on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.data import Data
from airflow_mlops.config.parts.splits import NewestHoldout
from airflow_mlops.core.ledger import Entry, in_order, pending_requests
from airflow_mlops.core.values import DatasetRef, RunInfo, SnapshotPart, is_classification
from airflow_mlops.core.windows import Period, Window, resolve_window
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.columns import as_numbers, typed
from airflow_mlops.steps.good_snapshots import last_good
from airflow_mlops.steps.holdout import holdout
from airflow_mlops.steps.record import entry, is_ours
from airflow_mlops.steps.requests import DatasetRequest, Snapshot, SnapshotRequest
from airflow_mlops.steps.split import holdout_start_of, split
from airflow_mlops.steps.training_causes import causes_of, held_back, record_begun
from airflow_mlops.steps.validate import check_snapshot

if TYPE_CHECKING:
    import pandas as pd


def snapshot(request: SnapshotRequest, backends: Backends) -> Snapshot | None:
    """Work off every pending retraining request and freeze the rows known as of the run's window end.

    None when the run was started for a request that another run has taken, or when the policy holds back
    what started it; an asset says that there is something new. A backfill takes no request, and the policy
    does not count it. Raises ``DataRefused`` where the rows cannot be trained on.
    """
    config, run = request.config, request.run
    _must_have_begun(run)
    requests = [] if run.kind == "backfill" else _take_requests(config, run, backends)
    updated = [name for name in run.woken_by if name != f"{config.model}/retrain"]
    if (run.kind == "asset" or run.request) and not requests and not updated:
        return None
    window, kinds = _run_window(run, requests), causes_of(run, requests, updated)
    if held_back(kinds, config, run, window, backends):
        return None
    dataset, lengthened, fell_back = _freeze_or_fall_back(config, run, window, backends)
    said = (fell_back,) if fell_back is not None else ()
    taken = Snapshot(
        dataset=dataset,
        causes=(*(tuple(_causes(run, requests, updated)) or (f"{run.kind} run",)), *said),
        requests=tuple(taken.subject for taken in requests),
        lengthened=lengthened,
        kinds=kinds,
        fell_back=fell_back,
    )
    record_begun(taken, config, run, backends)
    return taken


def _must_have_begun(run: RunInfo) -> None:
    """A model that was trained on "all up to 2030" would be the newest until then: it would never be too old,
    and no row that comes would be new. A partition or an interval may be trained on while it lasts.

    A request is not asked: monitoring saw what it is about.
    """
    lasting, told = run.sources.partition or run.sources.data_interval, run.sources.params
    if lasting is not None:
        late = lasting.start if lasting.start >= run.now else None
    else:
        late = told.end if told is not None and told.end > run.now else None
    if late is not None:
        raise DataRefused(
            f"the run's window {'begins' if lasting else 'ends'} {late.isoformat()}, and now it is "
            f"{run.now.isoformat(timespec='seconds')}: no row has come from the future. Start a run without "
            "window_end to train on all rows up to now, or with an earlier one"
        )


def _freeze_or_fall_back(
    config: ModelConfig, run: RunInfo, window: Window, backends: Backends
) -> tuple[DatasetRef, str | None, str | None]:
    """The run's own rows; or, by ``healing.fall_back``, the last good snapshot where they are refused, here
    or by the validation, which is then run before its task. Raises ``DataRefused`` where there is none."""
    healing = config.healing
    if not (healing.enabled and healing.fall_back) or run.kind == "backfill":
        return (*_freeze(config, run, window, backends), None)
    dataset: DatasetRef | None = None
    lengthened = None
    try:
        dataset, lengthened = _freeze(config, run, window, backends)
        if last_good(config, window, dataset.version, backends) is None:
            return dataset, lengthened, None
        check_snapshot(DatasetRequest(config, run, Snapshot(dataset)), backends, "own_rows")
    except DataRefused as error:
        good = last_good(config, window, dataset.version if dataset else None, backends)
        if good is None:
            raise
        first = str(error).partition("\n")[0]
        said = f"the rows up to {window.end:%Y-%m-%d %H:%M} were refused, fell back on those of {good.window}"
        return good, None, f"{said}: {first}"
    return dataset, lengthened, None


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
    window = _window(data, as_of)
    holdout_start = holdout_start_of(data, window)
    source = backends.data_source(data.source.type, data.source.model_dump(exclude={"type"}))
    frame = source.read(window, time_column=data.time_column, columns=config.columns)
    frame = typed(frame, data.features)
    frame = _labelled(frame, data, window)
    lengthened = None
    if isinstance(data.holdout, NewestHoldout):
        holdout_start, lengthened = holdout(
            frame[data.time_column], holdout_start, window, config, run, backends
        )
    parts = split(frame, data, model=config.model, holdout_start=holdout_start)
    _check_rows(frame, parts, config, window)
    by_time_alone = isinstance(data.holdout, NewestHoldout) and "left_out" not in parts
    dataset = backends.datasets.save(
        frame,
        model=config.model,
        window=window,
        time_column=data.time_column,
        holdout_start=holdout_start,
        parts=None if by_time_alone else parts,
    )
    return dataset, lengthened


def _window(data: Data, as_of: datetime) -> Window:
    """From where ``data.window`` says up to the run's end, if that leaves anything before the holdout."""
    start = data.window.start or Period.parse(data.window.length or "1 day").before(as_of)
    if isinstance(data.holdout, NewestHoldout):
        length = data.holdout.length
        too_late, holdout = Period.parse(length).before(as_of), f"its holdout of {length}"
    else:
        too_late, holdout = as_of, "it"
    if start >= too_late:
        raise DataRefused(
            f"no rows to train on: as of {as_of.isoformat()} the window starts {start.isoformat()} and "
            f"{holdout} {'starts' if too_late < as_of else 'ends'} {too_late.isoformat()}; "
            "choose a later window_end, a longer data.window or a shorter data.holdout"
        )
    return Window(start, as_of)


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


def _check_rows(frame: pd.DataFrame, parts: list[SnapshotPart], config: ModelConfig, window: Window) -> None:
    data, labels = config.data, frame[config.data.label]
    of_part = {part: labels[[one == part for one in parts]] for part in ("train", "holdout")}
    training, left_out = len(of_part["train"]), parts.count("left_out")
    if training < data.minimum_rows:
        without = f" ({left_out} left out, whose {data.group} is in the holdout)" if left_out else ""
        raise DataRefused(
            f"{training} labelled rows to train on in {window}{without}, "
            f"data.minimum_rows asks for {data.minimum_rows}"
        )
    if not len(of_part["holdout"]):
        raise DataRefused(
            f"no labelled rows in the holdout, {data.holdout.in_words} of {window}; "
            "wait for its labels or make data.holdout larger"
        )
    _check_labels(of_part["train"], of_part["holdout"], config, window)


def _check_labels(training: pd.Series, holdout: pd.Series, config: ModelConfig, window: Window) -> None:
    """Labels that the task cannot be trained or scored on, found before time is spent on them."""
    label, parts = config.data.label, (("training rows", training), ("holdout", holdout))
    if not is_classification(config.task):
        _check_numbers([labels for _, labels in parts], config)
        return
    for part, labels in parts:
        if labels.nunique() < 2:
            raise DataRefused(
                f"the {part} in {window} have one class only: all {len(labels)} have the same {label}"
            )
    classes = 2 if config.task == "binary_classification" else training.nunique()
    for part, labels in parts:
        known = set(range(classes))
        if others := int((~labels.isin(known)).sum()):
            raise DataRefused(
                f"the labels of a {config.task} are numbered from 0"
                + (", so 0 and 1 (or false and true)" if classes == 2 else f", so 0 to {classes - 1} here")
                + f", but {others} of {len(labels)} in the {part} have another {label}; "
                "number the classes where the data is made, and train on rows that have every class"
            )


def _check_numbers(parts: list[pd.Series], config: ModelConfig) -> None:
    if wrong := sum(len(part) for part in parts if as_numbers(part) is None):
        what = f"{config.data.label} is {parts[0].dtype} in {wrong} rows"
    elif endless := sum(int(part.isin([float("inf"), float("-inf")]).sum()) for part in parts):
        what = f"{endless} of {sum(map(len, parts))} {config.data.label} are infinite"
    else:
        return
    raise DataRefused(f"the labels of a {config.task} are numbers, but {what}")
