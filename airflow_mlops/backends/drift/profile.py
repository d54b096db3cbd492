"""The reference profile: all that is kept of the rows that a champion was trained and evaluated on.

It is made once and kept beside the champion's dataset, as one Parquet file: a row for each column in each
slice, and what the slices are in its metadata. Later runs read it instead of the reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_mlops.backends.drift.categories import CategoryProfile
from airflow_mlops.backends.drift.numbers import NumberProfile
from airflow_mlops.backends.drift.slices import Cut, Grouped
from airflow_mlops.exceptions import DataRefused

FORMAT = 1
_META = b"airflow_mlops.drift_profile"
ALL_ROWS = ""
Part = NumberProfile | CategoryProfile


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """``parts`` is by slice (``ALL_ROWS`` is none) and name of a column, or of a text's measure; ``words``
    are what each text column's reference knows."""

    rows: int
    parts: Mapping[tuple[str, str], Part]
    words: Mapping[str, tuple[str, ...]]
    cuts: tuple[Cut, ...] = ()

    def numbers(self, name: str, slice_: str = ALL_ROWS) -> NumberProfile:
        """Of a column of numbers, or a text's measure."""
        found = self.parts.get((slice_, name))
        if not isinstance(found, NumberProfile):
            raise _not_of(name, "numbers")
        return found

    def categories(self, name: str, slice_: str = ALL_ROWS) -> CategoryProfile:
        """Of a column of categories."""
        found = self.parts.get((slice_, name))
        if not isinstance(found, CategoryProfile):
            raise _not_of(name, "categories")
        return found


def _not_of(name: str, what: str) -> DataRefused:
    return DataRefused(
        f"the reference profile has no {what} of {name}: delete its file beside the champion's dataset, and "
        "the next run makes it anew"
    )


def to_bytes(profile: Profile) -> bytes:
    """The profile as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_as_row(slice_, name, part) for (slice_, name), part in profile.parts.items()]
    meta = {
        "format": FORMAT,
        "rows": profile.rows,
        "words": profile.words,
        "cuts": [asdict(cut) for cut in profile.cuts],
    }
    schema = _schema().with_metadata({_META: json.dumps(meta)})
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema), sink, compression="zstd")
    body: bytes = sink.getvalue().to_pybytes()
    return body


def from_bytes(body: bytes) -> Profile:
    """Raises ``DataRefused`` where this is no profile, or one of a later release."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(body))
        meta = json.loads(table.schema.metadata[_META])
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
        raise DataRefused(
            f"the reference profile cannot be read: {error}. Delete its file beside the champion's dataset, "
            "and the next run makes it anew"
        ) from error
    if meta["format"] != FORMAT:
        raise DataRefused(
            f"the reference profile has format {meta['format']}, and this release reads format {FORMAT}: "
            "upgrade, or delete the profile's file beside the champion's dataset to have it made anew"
        )
    names: dict[str, tuple[str, ...]] = {}
    parts: dict[tuple[str, str], Part] = {}
    for row in range(table.num_rows):
        slice_, name, part = _from_row(table.slice(row, 1), names)
        parts[slice_, name] = part
    return Profile(
        rows=meta["rows"],
        parts=parts,
        words={name: tuple(words) for name, words in meta["words"].items()},
        cuts=tuple(_cut(one) for one in meta["cuts"]),
    )


def _schema() -> Any:
    import pyarrow as pa

    numbers, counts = pa.list_(pa.float64()), pa.list_(pa.int64())
    return pa.schema(
        {
            "slice": pa.string(),
            "part": pa.string(),
            "kind": pa.string(),
            "rows": pa.int64(),
            "missing": pa.int64(),
            "mean": pa.float64(),
            "deviation": pa.float64(),
            "edges": numbers,
            "below": counts,
            "upto": counts,
            "sums": numbers,
            "categories": pa.list_(pa.string()),
            "counts": counts,
            "rest": pa.int64(),
        }.items()
    )


def _as_row(slice_: str, name: str, part: Part) -> dict[str, Any]:
    row: dict[str, Any] = {"slice": slice_, "part": name, "rows": part.rows, "missing": part.missing}
    if isinstance(part, NumberProfile):
        arrays = {key: getattr(part, key) for key in ("edges", "below", "upto", "sums")}
        return row | {"kind": "numbers", "mean": part.mean, "deviation": part.deviation} | arrays
    # The names are those of all rows, in every slice: once is enough.
    names = list(part.names) if slice_ == ALL_ROWS else None
    return row | {"kind": "categories", "categories": names, "counts": part.counts, "rest": part.rest}


def _from_row(row: Any, names: dict[str, tuple[str, ...]]) -> tuple[str, str, Part]:
    def plain(key: str) -> Any:
        return row[key][0].as_py()

    def array(key: str) -> Any:
        return row[key].combine_chunks().flatten().to_numpy(zero_copy_only=False)

    slice_, name = plain("slice"), plain("part")
    if plain("kind") == "numbers":
        numbers = NumberProfile(
            rows=plain("rows"),
            missing=plain("missing"),
            mean=plain("mean"),
            deviation=plain("deviation"),
            edges=array("edges"),
            below=array("below"),
            upto=array("upto"),
            sums=array("sums"),
        )
        return slice_, name, numbers
    if slice_ == ALL_ROWS:
        names[name] = tuple(plain("categories"))
    return slice_, name, CategoryProfile(names[name], array("counts"), plain("rest"), plain("missing"))


def _cut(said: Mapping[str, Any]) -> Cut:
    columns = tuple(
        Grouped(
            one["column"],
            None if one["categories"] is None else tuple(one["categories"]),
            tuple(one["edges"]),
        )
        for one in said["columns"]
    )
    return Cut(columns, tuple(said["kept"]), tuple(said["rows"]))
