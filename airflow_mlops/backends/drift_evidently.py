"""Evidently's own page and tests of a comparison, on a sample of both sides, with the scores of all rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.drift.plain import category, numbers
from airflow_mlops.backends.drift.texts import MEASURES, Dictionary, measure_name, measured
from airflow_mlops.core.drift import DriftVerdict
from airflow_mlops.core.values import ColumnDrift, ColumnKind

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class EvidentlyPage:
    """Draws the distributions and lists the tests; it judges nothing. Evidently would score its sample by
    bins of its own, and now and then say the opposite of the verdict: so it is handed the scores that there
    are, as tests of ours that it is told of.
    """

    def page(
        self,
        reference: pa.Table,
        current: pa.Table,
        looks: Sequence[ColumnDrift],
        kinds: Mapping[str, ColumnKind],
        verdict: DriftVerdict,
        share: float,
    ) -> bytes:
        """A page that stands alone. Columns without values in one of the samples are told of in words."""
        shown: dict[str, ColumnDrift] = {}
        frames: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        for look in looks:
            name = look.column
            ours, theirs = reference.column(name), current.column(name)
            if kinds[name] == "text":
                measure = next((one for one in MEASURES[::-1] if f"of {one}" in look.method), MEASURES[0])
                name = measure_name(name, measure)
                ours, theirs = _of_texts(ours, theirs, measure)
            else:
                ours, theirs = (_plain(one, kinds[look.column]) for one in (ours, theirs))
            if ours.notna().any() and theirs.notna().any():
                shown[name] = look
                frames[0][name], frames[1][name] = ours, theirs
        told = [look for look in looks if look not in shown.values()]
        opening = _opening(verdict, told, reference.num_rows, current.num_rows)
        if not shown:
            return f"<html><body>{opening}</body></html>".encode()
        numeric = [name for name, look in shown.items() if kinds[look.column] != "categorical"]
        try:
            html = _evidently(frames, shown, numeric, _agreeing(share, shown, verdict))
        except Exception as error:  # noqa: BLE001  # whatever odd columns do to it
            # Values that are equal but for rounding have no histogram, for one. The verdict does not hang on
            # these drawings, and the monitor must not.
            return f"<html><body>{opening}{_undrawn(error)}</body></html>".encode()
        return html.replace("<body>", f"<body>{opening}", 1).encode()


def _plain(column: Any, kind: ColumnKind) -> pd.Series:
    """Numbers as floats, categories as text: Evidently guesses otherwise, and differently per frame. Infinity
    counts as missing: no bin can hold it, and Evidently fails on it."""
    import numpy as np
    import pandas as pd

    if kind == "numeric":
        values = pd.Series(numbers(column))
        return values.where(np.isfinite(values))
    return pd.Series([None if one is None else category(one) for one in column.to_pylist()], dtype=object)


def _of_texts(reference: Any, current: Any, measure: str) -> tuple[pd.Series, pd.Series]:
    """A measure of both sides, by the words that the sample of the reference knows."""
    import pandas as pd

    ours, theirs = reference.combine_chunks(), current.combine_chunks()
    known = Dictionary()
    known.add(ours)
    place, step = MEASURES.index(measure), 2 if measure == MEASURES[1] else 1
    return (
        pd.Series(measured(ours, known.words)[place][step - 1 :: step]),
        pd.Series(measured(theirs, known.words)[place]),
    )


def _agreeing(share: float, shown: Mapping[str, ColumnDrift], verdict: DriftVerdict) -> float:
    """The limit by which the columns that are shown come to the verdict on all of them."""
    found = sum(look.drifted for look in shown.values()) / len(shown)
    if (found >= share) == verdict.drifted:
        return share
    return found if verdict.drifted else min(1.0, found + 1 / (2 * len(shown)))


def _opening(verdict: DriftVerdict, told: Sequence[ColumnDrift], rows: int, other_rows: int) -> str:
    drawn = (
        f"Scores and verdict are of all rows; what is drawn below is a sample of {rows:,} rows of the "
        f"reference and {other_rows:,} of now."
    )
    named = [str(look) for look in told]
    return "".join(f"<p>{escape(text)}</p>" for text in (verdict.reasons[0], *named, drawn))


def _undrawn(error: Exception) -> str:
    return f"<p>Evidently could not draw this sample: {escape(f'{type(error).__name__}: {error}')}</p>"


def _evidently(
    frames: tuple[Mapping[str, Any], Mapping[str, Any]],
    shown: Mapping[str, ColumnDrift],
    numeric: Sequence[str],
    share: float,
) -> str:
    # Set before the import: Evidently reports its use to its makers otherwise.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(
        numerical_columns=list(numeric),
        categorical_columns=[name for name in shown if name not in numeric],
    )
    reference, current = (
        Dataset.from_pandas(pd.DataFrame(dict(frame)), data_definition=definition) for frame in frames
    )
    with _as_tests(shown) as tests:
        preset = DataDriftPreset(
            columns=list(shown),
            per_column_method=tests,
            per_column_threshold={name: look.threshold for name, look in shown.items()},
            drift_share=share,
        )
        snapshot = Report([preset], include_tests=True).run(current, reference)
        html: str = snapshot.get_html_str(as_iframe=False)
    return html


@contextmanager
def _as_tests(shown: Mapping[str, ColumnDrift]) -> Iterator[dict[str, str]]:
    """Tests of Evidently's by name, each of which gives the look that there is of its column."""
    from evidently.legacy.calculations.stattests import registry
    from evidently.legacy.core import ColumnType

    names = {}
    for number, (column, look) in enumerate(shown.items()):
        test = registry.StatTest(
            name=f"airflow_mlops_{number}",
            display_name=look.method,
            allowed_feature_types=[ColumnType.Numerical, ColumnType.Categorical],
        )
        registry.register_stattest(test, _giving(look))
        names[column] = test.name
    try:
        yield names
    finally:
        for name in names.values():
            registry._registered_stat_tests.pop(name, None)


def _giving(look: ColumnDrift) -> Any:
    def given(*_: Any) -> tuple[float, bool]:
        return look.score, look.drifted

    return given
