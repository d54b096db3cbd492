"""Upstream faults: new rows, in training and in monitoring, against what the champion was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.faults import Fault, Reference, RowNames, faults_of, late_fault, volume_fault
from airflow_mlops.core.faults.fault import MEANINGS
from airflow_mlops.core.values import ColumnKind, DatasetRef, ModelRef, is_classification
from airflow_mlops.exceptions import DataRefused, ModelRefused
from airflow_mlops.steps.judged_rows import judged_of
from airflow_mlops.steps.page import sentences, table
from airflow_mlops.steps.requests import Collected
from airflow_mlops.steps.usual_rows import fallen_since, row_names, thin_window, usual_rows

LOG_NAMES = RowNames(key="key", time="event_time")
"""What the log calls them; a fault is told by the YAML's names."""
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found, and in a sentence which rows were held against which, or why none were."""

    faults: tuple[Fault, ...]
    said: str

    @property
    def summary(self) -> dict[str, Any]:
        """Small JSON values: columns, kinds and numbers."""
        return {
            "faults": [
                {"columns": list(one.columns), "kind": one.kind, "said": one.said} for one in self.faults
            ],
            "compared": self.said,
        }


def faults_in_snapshot(config: ModelConfig, dataset: DatasetRef, backends: Backends) -> Compared:
    """The rows that the champion's snapshot does not have yet, or, where those are few, all of them, and then
    only column by column."""
    champion = backends.tracking.alias(config.model, "champion")
    if champion is None:
        return Compared((), "there is no champion yet, so there is nothing to compare with")
    try:
        return _new_rows(config, dataset, champion, backends)
    except (DataRefused, ModelRefused) as error:
        return Compared((), f"not compared with what {champion} was trained on: {error}")


def faults_in_window(config: ModelConfig, collected: Collected, backends: Backends) -> Compared:
    """What the endpoint was asked. Its rows are compared in number with those of earlier windows, for nobody
    knows how many requests the rows of a training stand for, nor how long after the moment of a row it is
    asked for."""
    thin = thin_window(config, collected, usual_rows(config, collected, backends))
    found = () if thin is None else (thin,)
    try:
        compared = _asked_rows(config, collected, backends)
    except (DataRefused, ModelRefused) as error:
        said = f"not compared with what {collected.champion} was trained on: {error}"
        return Compared(found, said)
    return Compared((*found, *compared.faults), compared.said)


def _asked_rows(config: ModelConfig, collected: Collected, backends: Backends) -> Compared:
    least, ignore = config.validation.upstream_faults.minimum_rows, config.validation.upstream_faults.ignore
    judged = judged_of(config, collected)
    if judged.rows < least:
        said = f"{judged.rows} rows: validation.upstream_faults.minimum_rows asks for {least}"
        return Compared((), said)
    uri = _tags(collected.champion, backends).get("mlops.dataset_uri")
    if uri is None:
        return Compared((), f"{collected.champion} has no tag mlops.dataset_uri: there is no reference")
    kinds = _known({name: config.data.features[name] for name in judged.features}, uri, backends)
    length = (collected.window.end - collected.window.start).total_seconds()
    reference = _reference(config, uri, kinds, length, backends)
    window = backends.fault_summaries().window(
        judged.uri, kinds, time=LOG_NAMES.time, key=LOG_NAMES.key, salt=config.model
    )
    return Compared(
        faults_of(reference, window, row_names(config), ignore=ignore, by_hour=False),
        f"{window.rows} rows of {collected.window} against {reference.whole.rows} that {collected.champion} "
        f"was trained on, in {len(reference.blocks)} stretches as long",
    )


def critical_faults(config: ModelConfig, compared: Compared | None) -> tuple[Fault, ...]:
    """Those that stop what comes after them; none where the YAML calls them a warning."""
    critical = config.validation.upstream_faults.severity == "critical"
    return compared.faults if compared is not None and critical else ()


def on_page(config: ModelConfig, compared: Compared | None) -> str:
    """What a report shows of it; nothing where nothing was looked for."""
    if compared is None:
        return ""
    severity = config.validation.upstream_faults.severity
    rows = [(severity, ", ".join(one.columns), MEANINGS[one.kind], one.said) for one in compared.faults]
    count = len(compared.faults)
    return sentences(f"{count} upstream fault{'s' * (count != 1)}: {compared.said}.") + table(
        "Upstream faults", ("severity", "columns", "what", "in numbers"), rows
    )


def _new_rows(config: ModelConfig, dataset: DatasetRef, champion: ModelRef, backends: Backends) -> Compared:
    data, settings = config.data, config.validation.upstream_faults
    tags = _tags(champion, backends)
    uri = tags.get("mlops.dataset_uri")
    if uri is None:
        return Compared((), f"{champion} has no tag mlops.dataset_uri: there is no reference")
    label: ColumnKind = "categorical" if is_classification(config.task) else "numeric"
    kinds = _known({**data.features, data.label: label}, uri, backends)
    names = row_names(config)
    whole = _reference(config, uri, kinds, 0.0, backends).whole
    # Where labels lag, the newest rows are not there yet, and were not when the champion was trained.
    lag = _lag(tags.get("mlops.window_end"), whole.last)
    end, last = (dataset.window.end - lag).timestamp(), whole.last or 0.0
    summaries = backends.fault_summaries()
    new = summaries.window(dataset.uri, kinds, time=names.time, key=names.key, salt=config.model, after=last)
    if new.rows >= settings.minimum_rows and whole.last is not None and end > last:
        # No other run asks for stretches of this length: what monitoring keeps stays.
        reference = _reference(config, uri, kinds, end - last, backends, keep=False)
        faults = [
            volume_fault(names, new.rows, _usual_now(config, reference, backends)),
            late_fault(names, reference, new, end, end - last),
        ]
        found = tuple(one for one in faults if one is not None and one.columns[0] not in settings.ignore)
        said = f"{new.rows} new rows against {whole.rows} that {champion} was trained on"
        of_rows = faults_of(reference, new, names, ignore=settings.ignore, by_hour=end - last >= _DAY)
        return Compared((*found, *of_rows), said)
    everything = summaries.window(dataset.uri, kinds, time=names.time, key=names.key, salt=config.model)
    found = tuple(
        one
        for one in faults_of(Reference(whole), everything, names, ignore=settings.ignore)
        if not {names.key, names.time} & set(one.columns)
    )
    said = f"{everything.rows} rows against {whole.rows} that {champion} was trained on ({new.rows} are new)"
    return Compared(found, said)


def _usual_now(config: ModelConfig, reference: Reference, backends: Backends) -> list[int]:
    """The rows of each stretch. Where monitoring has seen the rows fall for good since, as many fewer: else
    the champion could never be replaced by one that knows the world as it is."""
    last = datetime.fromtimestamp(reference.whole.last or 0.0, tz=timezone.utc)
    left = fallen_since(last, config, backends)
    return [round(left * block.rows) for block in reference.blocks]


def _reference(
    config: ModelConfig,
    uri: str,
    kinds: Mapping[str, ColumnKind],
    length: float,
    backends: Backends,
    *,
    keep: bool = True,
) -> Reference:
    data = config.data
    return backends.fault_summaries().reference(
        uri,
        kinds,
        time=data.time_column,
        key=data.key,
        salt=config.model,
        length_seconds=length,
        keep=keep,
    )


def _known(kinds: Mapping[str, ColumnKind], uri: str, backends: Backends) -> dict[str, ColumnKind]:
    """Those that the champion's snapshot has: what the YAML has gained since is no fault."""
    schema = backends.datasets.schema(uri)
    if schema is None:
        raise DataRefused(f"the snapshot {uri} is gone from the store")
    return {name: kind for name, kind in kinds.items() if name in schema}


def _tags(champion: ModelRef, backends: Backends) -> Mapping[str, str]:
    return backends.tracking.tags_of(backends.tracking.run_of(champion).run_id)


def _lag(window_end: str | None, last: float | None) -> timedelta:
    if window_end is None or last is None:
        return timedelta(0)
    return timedelta(seconds=max(datetime.fromisoformat(window_end).timestamp() - last, 0.0))
