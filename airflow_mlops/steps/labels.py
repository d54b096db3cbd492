"""Labels: the truth that has landed, and the answers that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.monitor_labels import Labels
from airflow_mlops.core.label_lag import counted
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.columns import as_text

if TYPE_CHECKING:
    import pandas as pd

_CLOCKS_DIFFER = timedelta(hours=1)
"""By which a label may seem to have landed before its answer was asked for."""


def joined_by(labels: Labels, rows: pd.DataFrame) -> tuple[str, ...]:
    """The columns of the inference log that labels of these rows are joined by. The id of a request says
    which row is meant only where it has one row; else the key says the rest."""
    if labels.join == "key":
        return ("key",)
    several = rows[["request_id", "key"]].drop_duplicates()["request_id"].duplicated().any()
    return ("request_id", "key") if several else ("request_id",)


def landed_labels(
    config: ModelConfig,
    labels: Labels,
    window: Window,
    backends: Backends,
    by: Sequence[str] = ("key",),
) -> pd.DataFrame:
    """The columns of ``by`` (as text, which the inference log has), ``label`` and ``labelled_at`` of labels
    of a window's answers. ``labelled_at`` is when a label landed, where ``arrived_at`` says so, else the
    row's own time. Raises ``DataRefused`` where the source has no such columns."""
    data = config.data
    columns = {name: _column(name, config, labels) for name in by}
    time = labels.arrived_at or data.time_column
    source = labels.source
    wanted = list(dict.fromkeys([*columns.values(), time, data.label]))
    rows = backends.data_source(source.type, source.model_dump(exclude={"type"})).read(
        _landing(labels, window), time_column=time, columns=wanted
    )
    rows = rows[rows[[data.label, *columns.values()]].notna().all(axis=1)]
    named = {name: as_text(rows[column]) for name, column in columns.items()}
    named |= {"label": rows[data.label], "labelled_at": rows[time]}
    return rows.assign(**named)[list(named)]


def _landing(labels: Labels, window: Window) -> Window:
    """When labels of a window's answers land, or, where the source does not say, the time of the answers."""
    if labels.arrived_at is None:
        return window
    return Window(window.start - _CLOCKS_DIFFER, labels.waits.after(window.end))


class LabelReader:
    """The labels of many windows, each read once in a run. Where the source says when labels landed, those of
    one window lie between those of others, up to the deadline: they are read once for all of ``windows``, and
    kept (three columns of all labels of that time). Else a window's are read when it is asked for, and kept
    until another is."""

    def __init__(
        self, config: ModelConfig, labels: Labels, windows: Sequence[Window], backends: Backends
    ) -> None:
        self.config, self.labels, self._backends = config, labels, backends
        self._span = Window(min(one.start for one in windows), max(one.end for one in windows))
        self._kept: dict[tuple[Window, tuple[str, ...]], pd.DataFrame] = {}

    def read(self, window: Window, by: tuple[str, ...]) -> pd.DataFrame:
        """What ``landed_labels`` has of one of the windows."""
        by_landing = self.labels.arrived_at is not None
        span = self._span if by_landing else window
        if (span, by) not in self._kept:
            if not by_landing:
                self._kept.clear()
            found = landed_labels(self.config, self.labels, span, self._backends, by)
            self._kept[(span, by)] = found
        kept = self._kept[(span, by)]
        if span == window:
            return kept
        landing = _landing(self.labels, window)
        return kept[(kept["labelled_at"] >= landing.start) & (kept["labelled_at"] < landing.end)]


def _column(name: str, config: ModelConfig, labels: Labels) -> str:
    """The source's name of a column that is joined by."""
    if name == labels.join and labels.column is not None:
        return labels.column
    return config.data.key if name == "key" else "request_id"


@dataclass(frozen=True, slots=True)
class Joined:
    """A version's answers, one of each key or request (``answers``, by their numbers in ``file``, which has
    more columns), which of them have a label (``there``, line by line), and these (``labelled``, numbered
    anew: also with ``label`` and ``labelled_at``, when the first one landed). ``lags_known`` says that the
    latter is a time of landing."""

    file: Path
    answers: pd.DataFrame
    there: Any
    labelled: pd.DataFrame
    lags_known: bool

    def numbers(self, *, there: bool) -> Any:
        """Of the answers with a label, or of those without, in the file."""
        return self.answers.index[self.there if there else ~self.there]

    def lags(self) -> dict[int, int] | None:
        """Labels by how long they took; None where nobody says."""
        if not self.lags_known:
            return None
        return counted((self.labelled["labelled_at"] - self.labelled["event_time"]).dt.total_seconds())

    def ages(self, now: datetime) -> dict[int, int] | None:
        """Answers that wait, by how long they have."""
        if not self.lags_known:
            return None
        return counted((now - self.answers.loc[~self.there, "event_time"]).dt.total_seconds())


def join_labels(
    reader: LabelReader, answers: pd.DataFrame, file: Path, version: str, window: Window
) -> Joined:
    """The answers of one version in a window, read from a file, and the labels that have landed for them.

    A window may hold answers of the champion before this one, or of a challenger in its canary. Of a label
    that was corrected later, the last one counts, and the first one's time.
    """
    own = answers.loc[answers["version"] == version]
    by, by_landing = joined_by(reader.labels, own), reader.labels.arrived_at is not None
    keys = list(by)
    own = own.drop_duplicates(keys)
    landed = reader.read(window, by)
    if not by_landing:
        landed = landed.drop_duplicates(keys)
    else:
        landed = landed.sort_values("labelled_at", kind="stable")
        first = landed.drop_duplicates(keys)[[*keys, "labelled_at"]]
        landed = landed.drop_duplicates(keys, keep="last")[[*keys, "label"]].merge(first, on=keys)
    place = own[keys].merge(landed[keys].assign(place=range(len(landed))), on=keys, how="left")["place"]
    there = place.notna().to_numpy()
    found = landed[["label", "labelled_at"]].iloc[place[there].astype("int64").to_numpy()]
    labelled = own[there].reset_index(drop=True)
    labelled = labelled.assign(**{name: found[name].array for name in found})
    return Joined(file, own, there, labelled, by_landing)
