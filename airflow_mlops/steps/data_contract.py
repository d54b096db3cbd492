"""The data's side of the contract: columns, kinds, categories, classes, and the champion's columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import DatasetRef, is_classification
from airflow_mlops.exceptions import ModelRefused, TrackingRefused
from airflow_mlops.steps.columns import as_numbers
from airflow_mlops.steps.contract_check import Check
from airflow_mlops.steps.requests import DatasetRequest

if TYPE_CHECKING:
    import pandas as pd

FEW_CATEGORIES = 50
MANY_CATEGORIES = 1_000
FEW_OF_A_CLASS = 10


def data_contract(request: DatasetRequest, backends: Backends) -> Iterator[Check]:
    """Every finding about the snapshot's training rows; the holdout is not looked at."""
    config, dataset = request.config, request.snapshot.dataset
    rows = backends.datasets.load(dataset, "train")
    missing = [name for name in config.columns if name not in rows]
    if missing:
        there = ", ".join(map(str, rows.columns))
        yield Check("the snapshot", "broken", f"it lacks {', '.join(missing)}; there are: {there}")
    for name, kind in config.data.features.items():
        if name in rows:
            yield _column(rows[name], kind)
    if config.data.label in rows and is_classification(config.task):
        yield _classes(rows[config.data.label])
    yield _against_champion(config, dataset, backends)


def _column(column: pd.Series, kind: str) -> Check:
    subject = f"data.features.{column.name}"
    values = column.dropna()
    if not len(values):
        return Check(subject, "warning", f"is null in all {len(column)} training rows")
    if kind == "numeric":
        if as_numbers(values) is None:
            return Check(subject, "broken", f"is declared numeric, but the snapshot holds {column.dtype}")
    elif kind == "categorical":
        return _categories(subject, values)
    elif kind == "text" and not (values != "").any():
        return Check(subject, "warning", f"is empty in all {len(column)} training rows")
    return Check(subject, "held")


def _categories(subject: str, values: pd.Series) -> Check:
    """Values that hardly ever come twice teach nothing, and cost a column or a number each."""
    distinct = int(values.nunique())
    if distinct > FEW_CATEGORIES and 2 * distinct > len(values):
        return Check(
            subject,
            "broken",
            f"is declared categorical, but {distinct} of {len(values)} values are different, as in a column "
            "that names its row; leave it out, make groups of its values, or declare prose as text",
        )
    if distinct > MANY_CATEGORIES:
        return Check(subject, "warning", f"has {distinct} categories; the rarest will be taken together")
    return Check(subject, "held")


def _classes(label: pd.Series) -> Check:
    counts = label.value_counts()
    if int(counts.min()) < FEW_OF_A_CLASS:
        return Check(
            "data.label",
            "warning",
            f"only {int(counts.min())} of {len(label)} training rows have {label.name} = {counts.idxmin()}",
        )
    return Check("data.label", "held")


def _against_champion(config: ModelConfig, dataset: DatasetRef, backends: Backends) -> Check:
    """A changed schema is legitimate, and often not meant: told before hours are spent on it, since the gate
    may find that the two models cannot be compared."""
    subject = "the champion's columns"
    try:
        champion = backends.tracking.alias(config.model, "champion")
        if champion is None:
            return Check(subject, "held", "there is no champion yet")
        uri = backends.tracking.tags_of(backends.tracking.run_of(champion).run_id).get(
            "mlops.dataset_uri", ""
        )
    except (ModelRefused, TrackingRefused) as error:
        return Check(subject, "warning", f"cannot be looked up: {error}")
    theirs, ours = backends.datasets.schema(uri), backends.datasets.schema(dataset.uri)
    if theirs is None or ours is None:
        return Check(
            subject, "warning", f"cannot be compared: the snapshot of {champion} is gone from the store"
        )
    if changes := list(_changes(theirs, ours)):
        return Check(subject, "warning", f"{champion} was trained on others: {'; '.join(changes)}")
    return Check(subject, "held")


def _changes(theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[str]:
    new, gone = [name for name in ours if name not in theirs], [name for name in theirs if name not in ours]
    if new:
        yield f"{', '.join(new)} {'is' if len(new) == 1 else 'are'} new"
    if gone:
        yield f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} gone"
    yield from (
        f"{name} was {theirs[name]} and is {ours[name]}"
        for name in ours
        if name in theirs and theirs[name] != ours[name]
    )
