"""What it costs to hold Parquet to 20 expectations, and whether the verdicts are Great Expectations' own.

    python benchmarks/checks.py [--rows 1000000 10000000] [--peer-rows 1000000] [--repeat 1]

Three programs, each in a process of its own, on the same file of 9 columns: ``ours`` (the suite pushed down
to DuckDB, as the validate step does it), ``gx`` (Great Expectations on a pandas frame of the whole file), and
``floor`` (one DuckDB query, written by hand, that computes the same numbers and judges nothing). CPU seconds
are the whole process's, imports and all; memory is its peak. Great Expectations runs up to ``--peer-rows``:
at 10 million rows it needs over 4 GiB. The file is drawn in pieces, and takes less than 1 GiB to make.

The bars: at most 2 times the floor's CPU and less than 1 GiB at 10 million rows, and every verdict, count and
number equal to Great Expectations' own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airflow_mlops.core.values import CheckedExpectation, Expectation

PLANS = ["free", "pro", "team", "trial"]
PIECE = 500_000
BAR_CPU, BAR_MIB, BAR_ROWS = 2.0, 1024, 10_000_000


def main() -> None:
    """Draw each file, run the three programs on it, and print what they took and whether they agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--peer-rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=1, help="the fastest of so many runs counts")
    parser.add_argument("--measure", choices=PROGRAMS, help=argparse.SUPPRESS)
    parser.add_argument("--draw", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.draw:
        draw(args.file, args.draw)
    elif args.measure:
        print(json.dumps(measured(PROGRAMS[args.measure], args.file)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            for rows in args.rows:
                compare(Path(folder, f"{rows}.parquet"), rows, rows <= args.peer_rows, args.repeat)


def compare(file: Path, rows: int, with_peer: bool, repeat: int) -> None:
    """One size: a line a program, the ratios, and the bars."""
    _run("--draw", str(rows), "--file", str(file))
    print(f"\n{rows:,} rows, {file.stat().st_size / 2**20:.0f} MiB of Parquet, {len(suite())} expectations")
    taken = {}
    for name in PROGRAMS:
        if name == "gx" and not with_peer:
            continue
        runs = [json.loads(_run("--measure", name, "--file", str(file))) for _ in range(repeat)]
        best = taken[name] = min(runs, key=lambda one: one["cpu"])
        print(f"  {name:6} {best['cpu']:7.2f} CPU s  {best['wall']:7.2f} s  {best['mib']:6.0f} MiB")
    ours, floor = taken["ours"], taken["floor"]
    ratio = ours["cpu"] / floor["cpu"]
    if rows < BAR_ROWS:
        print(f"  ours / floor {ratio:.2f}, imports and all")
    else:
        print(f"  ours / floor {ratio:.2f} (bar {BAR_CPU:g}): {_met(ratio <= BAR_CPU)}")
        print(f"  ours {ours['mib']:.0f} MiB (bar {BAR_MIB}): {_met(ours['mib'] < BAR_MIB)}")
    if with_peer:
        cpu, mib = (taken["gx"][name] / ours[name] for name in ("cpu", "mib"))
        print(f"  gx / ours {cpu:.1f} in CPU, {mib:.1f} in memory")
        unlike = [
            f"{one} is not {other}"
            for one, other in zip(ours["told"], taken["gx"]["told"], strict=True)
            if one != other
        ]
        print(f"  verdicts, counts and numbers equal to gx's: {_met(not unlike)}")
        print("".join(f"    {one}\n" for one in unlike), end="")


def suite() -> list[Expectation]:
    """Twenty of what people ask most; five of them fail."""
    asked: list[tuple[str, dict[str, Any]]] = [
        ("table_row_count_to_be_between", {"min_value": 1000}),
        ("table_columns_to_match_set", {"column_set": [*COLUMNS]}),
        ("column_values_to_not_be_null", {"column": "id"}),
        ("column_values_to_be_unique", {"column": "id"}),
        ("column_values_to_not_be_null", {"column": "income", "mostly": 0.95}),
        ("column_values_to_be_between", {"column": "age", "min_value": 18, "max_value": 90}),
        ("column_values_to_be_between", {"column": "income", "min_value": 0, "mostly": 0.999}),
        ("column_mean_to_be_between", {"column": "income", "min_value": 40_000, "max_value": 60_000}),
        ("column_stdev_to_be_between", {"column": "income", "max_value": 1_000}),
        ("column_median_to_be_between", {"column": "income", "min_value": 40_000, "max_value": 60_000}),
        (
            "column_quantile_values_to_be_between",
            {
                "column": "score",
                "quantile_ranges": {"quantiles": [0.05, 0.95], "value_ranges": [[-2, -1], [1, 2]]},
            },
        ),
        ("column_values_to_be_in_set", {"column": "plan", "value_set": PLANS[:3]}),
        ("column_distinct_values_to_equal_set", {"column": "plan", "value_set": PLANS}),
        ("column_values_to_match_regex", {"column": "mail", "regex": r"^[a-z]+\d+@example\.(com|org)$"}),
        ("column_value_lengths_to_be_between", {"column": "mail", "min_value": 5, "max_value": 40}),
        (
            "column_values_to_be_between",
            {"column": "at", "min_value": "2024-01-01", "max_value": "2024-06-01"},
        ),
        ("column_max_to_be_between", {"column": "score", "max_value": 10}),
        ("column_sum_to_be_between", {"column": "visits", "min_value": 1}),
        ("column_unique_value_count_to_be_between", {"column": "age", "max_value": 100}),
        (
            "column_pair_values_a_to_be_greater_than_b",
            {"column_A": "visits", "column_B": "buys", "or_equal": True},
        ),
    ]  # fmt: skip
    return [Expectation(f"expect_{name}", kwargs) for name, kwargs in asked]


COLUMNS = ("id", "age", "income", "score", "plan", "mail", "at", "visits", "buys")


def draw(file: Path, rows: int) -> None:
    """The file, a piece at a time, with the row groups that a snapshot has."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, next(_pieces(1)).schema, compression="zstd", compression_level=3) as writer:
        for piece in _pieces(rows):
            writer.write_table(piece, row_group_size=131_072)


def _pieces(rows: int) -> Iterator[Any]:
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(0)
    for start in range(0, rows, PIECE):
        size = min(PIECE, rows - start)
        income = np.round(random.normal(50_000, 15_000, size), 2)
        visits = random.integers(0, 200, size)
        number = random.integers(0, 10**6, size)
        mails = pa.array([f"user{one}@example.com" for one in number], pa.string())
        seconds = 1_704_067_200 + random.integers(0, 366 * 86_400, size)
        yield pa.table(
            {
                "id": np.arange(start, start + size),
                "age": random.integers(18, 91, size),
                "income": pa.array(income, mask=random.random(size) < 0.02),
                "score": random.normal(size=size),
                "plan": pa.array(np.array(PLANS)[random.integers(0, 4, size)]),
                "mail": mails,
                "at": pa.array(seconds * 1_000_000, pa.timestamp("us", tz="UTC")),
                "visits": visits,
                "buys": visits - random.integers(-1, 50, size).clip(max=visits),
            }
        )


def ours(file: Path) -> list[Any]:
    """As the validate step checks a snapshot."""
    from airflow_mlops.backends.checks_gx import GreatExpectationsChecker
    from airflow_mlops.backends.checks_parquet import ParquetChecker

    return _told(ParquetChecker(GreatExpectationsChecker()).check_file(file, suite()).expectations)


def gx(file: Path) -> list[Any]:
    """Great Expectations on a frame."""
    import pandas as pd

    from airflow_mlops.backends.checks_gx import GreatExpectationsChecker

    return _told(GreatExpectationsChecker().check(pd.read_parquet(file), suite()))


def floor(file: Path) -> list[Any]:
    """One query that computes the numbers that the verdicts are made of."""
    import duckdb

    query = r"""
        SELECT count(*), count(id), count(DISTINCT id), count(income),
            count(*) FILTER (age NOT BETWEEN 18 AND 90), count(*) FILTER (income < 0),
            avg(income), stddev_samp(income), median(income), quantile_disc(score, [0.05, 0.95]),
            count(*) FILTER (plan NOT IN ('free', 'pro', 'team')), count(DISTINCT plan),
            count(*) FILTER (NOT regexp_matches(mail, '^[a-z]+\d+@example\.(com|org)$')),
            count(*) FILTER (length(mail) NOT BETWEEN 5 AND 40),
            count(*) FILTER (epoch_us("at") NOT BETWEEN 1704067200000000 AND 1717200000000000),
            max(score), sum(visits), count(DISTINCT age), count(*) FILTER (visits < buys)
        FROM read_parquet(?)"""
    return [repr(value) for value in duckdb.execute(query, [str(file)]).fetchall()[0]]


PROGRAMS: dict[str, Callable[[Path], list[Any]]] = {"ours": ours, "floor": floor, "gx": gx}


def _told(items: list[CheckedExpectation] | tuple[CheckedExpectation, ...]) -> list[Any]:
    return [[one.expectation.type, one.outcome, one.rows, one.unexpected, one.observed] for one in items]


def measured(program: Callable[[Path], list[Any]], file: Path) -> dict[str, Any]:
    """What a program says, and what its process took since it began."""
    begun = time.perf_counter()
    told = program(file)
    wall, used = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
    return {"told": told, "wall": wall, "cpu": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024}


def _run(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _met(is_met: bool) -> str:
    return "met" if is_met else "NOT MET"


if __name__ == "__main__":
    main()
