"""What looking for drift costs: ours beside Evidently alone, a floor of numpy and scipy, and other libraries.

    python benchmarks/drift.py [--rows 10000000] [--peer-rows 1000000] [--method psi] [--columns 20]
                               [--peer-python .peers/bin/python ...]

Two Parquet files of the same columns (three in four are numbers, the others categories; some have holes, some
have moved) are compared. Each contender runs in a process of its own, imports left out of the CPU seconds;
peak memory is the kernel's number (ru_maxrss), imports included.

``floor``: one column after the other with pyarrow, numpy and scipy, and nothing but the score: no p-value
beyond the method's own test, no missing values, no slices, no new categories, no report. ``floor, kept`` is
handed the reference's deciles (or its sorted values) and reads the current rows only. ``ours, first run``
makes the reference profile as well; ``ours`` is every later run. The floors' decisions are held against ours.
With ``--slices`` the rows are cut into slices by a category as well, which no other contender does.

Evidently, NannyML and alibi-detect run at --peer-rows, on pandas, where they are installed: beside this
package, or in the environment of a --peer-python, since neither of the last two fits beside Airflow
(``pip install alibi-detect 'pyarrow<21'``; ``pip install nannyml statsmodels pyarrow``). Neither has a
stability index: both run Kolmogorov-Smirnov and chi-squared. alibi-detect takes no holes, which are filled
with zero before the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["DO_NOT_TRACK"] = "1"
THRESHOLD = 0.1
SHARE = 0.3
SAMPLE_ROWS = 20_000
MOST_CPU = 3.0
LEAST_FASTER = 10.0
MOST_MIB = 2_048


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--peer-rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--method", default="psi", choices=["psi", "ks", "wasserstein", "jensenshannon"])
    parser.add_argument("--peer-python", nargs="*", default=[], help="Where other libraries are installed.")
    parser.add_argument("--slices", action="store_true", help="Look into the slices of one category as well.")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "SETTINGS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, settings = options.child
        print(json.dumps(_CHILDREN[name](json.loads(settings))))
        return
    print(f"{options.columns} columns, {options.method}, {os.cpu_count()} cores, {platform.machine()}")
    with tempfile.TemporaryDirectory(prefix="drift-") as folder:
        _large(Path(folder) / "large", options)
        _beside_peers(Path(folder) / "peers", options)


def _large(folder: Path, options: argparse.Namespace) -> None:
    settings = _settings(folder, options, options.rows)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"\n{options.rows:,} rows of each side, {size / 2**20:,.0f} MiB of Parquet")
    found = {name: _child(name, settings) for name in ("floor", "floor_kept", "profile", "ours")}
    ours, first = found["ours"], found["ours"]["cpu"] + found["profile"]["cpu"]
    _table(
        [
            ("floor", found["floor"]["cpu"], found["floor"]["peak_mib"]),
            ("ours, first run", first, max(ours["peak_mib"], found["profile"]["peak_mib"])),
            ("floor, kept", found["floor_kept"]["cpu"], found["floor_kept"]["peak_mib"]),
            ("ours", ours["cpu"], ours["peak_mib"]),
        ]
    )
    ratios = first / found["floor"]["cpu"], ours["cpu"] / found["floor_kept"]["cpu"]
    peak = max(ours["peak_mib"], found["profile"]["peak_mib"])
    print(f"CPU of ours over the floor's: {ratios[0]:.2f} on the first run, {ratios[1]:.2f} on later ones")
    _bar(f"at most {MOST_CPU:g} times the floor's CPU", max(ratios) <= MOST_CPU)
    _bar(f"peak below {MOST_MIB:,} MiB: {peak:,.0f}", peak < MOST_MIB)
    for name in ("floor", "floor_kept"):
        same = ours["drifted"] == found[name]["drifted"]
        apart = max(abs(ours["scores"][one] - score) for one, score in found[name]["scores"].items())
        _bar(f"the same decision on every column as {name}; scores at most {apart:.1e} apart", same)


def _beside_peers(folder: Path, options: argparse.Namespace) -> None:
    settings = _settings(folder, options, options.peer_rows)
    print(f"\n{options.peer_rows:,} rows of each side, beside libraries that hold them in pandas")
    _child("profile", settings)
    ours, page = _child("ours", settings), _child("page", settings)
    rows = [("ours", ours["cpu"], ours["peak_mib"]), ("ours and page", page["cpu"], page["peak_mib"])]
    evidently = None
    for name, library in (("evidently", "evidently"), ("nannyml", "nannyml"), ("alibi", "alibi_detect")):
        python = _python_with(library, options.peer_python)
        if python is None:
            print(f"{library} does not import here, nor where --peer-python points to: left out")
            continue
        found = _child(name, settings, python)
        rows.append((f"{library} alone", found["cpu"], found["peak_mib"]))
        evidently = found if name == "evidently" else evidently
    _table(rows)
    if evidently is not None:
        faster = evidently["cpu"] / ours["cpu"], evidently["cpu"] / page["cpu"]
        print(f"Evidently alone takes {faster[0]:.1f} times ours, {faster[1]:.1f} times ours with its page")
        _bar(f"at least {LEAST_FASTER:g} times faster than Evidently alone", faster[0] >= LEAST_FASTER)


def _settings(folder: Path, options: argparse.Namespace, rows: int) -> dict[str, Any]:
    folder.mkdir()
    settings = {"folder": str(folder), "rows": rows, "columns": options.columns, "method": options.method}
    settings["slices"] = options.slices
    _child("make", settings)
    return settings


def _table(rows: list[tuple[str, float, float]]) -> None:
    print(f"{'':<24}{'CPU s':>9}{'peak MiB':>10}")
    for name, cpu, peak in rows:
        print(f"{name:<24}{cpu:>9.2f}{peak:>10,.0f}")


def _bar(said: str, met: bool) -> None:
    print(f"{said}: {'met' if met else 'NOT MET'}")


def _python_with(library: str, others: list[str]) -> str | None:
    """The first Python in which the library imports."""
    ask, silent = f"import {library}", subprocess.DEVNULL
    for python in (sys.executable, *others):
        if subprocess.run([python, "-c", ask], stdout=silent, stderr=silent).returncode == 0:
            return python
    return None


def _child(name: str, settings: dict[str, Any], python: str = sys.executable) -> dict[str, Any]:
    command = [python, __file__, "--child", name, json.dumps(settings)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _kinds(settings: dict[str, Any]) -> dict[str, str]:
    return {
        f"c{number:02}": "categorical" if number % 4 == 3 else "numeric"
        for number in range(settings["columns"])
    }


def make(settings: dict[str, Any]) -> dict[str, Any]:
    """Both sides, in row groups as the inference log's collected windows have them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    for side in ("reference", "current"):
        writer = None
        for start in range(0, settings["rows"], 500_000):
            rng = np.random.default_rng((start, side == "current"))
            rows = min(500_000, settings["rows"] - start)
            columns = {
                name: _column(number, kind, rows, side == "current", rng)
                for number, (name, kind) in enumerate(_kinds(settings).items())
            }
            table = pa.table(columns)
            writer = writer or pq.ParquetWriter(_file(settings, side), table.schema, compression="zstd")
            writer.write_table(table, row_group_size=131_072)
        if writer is not None:
            writer.close()
    return {}


def _column(number: int, kind: str, rows: int, current: bool, rng: Any) -> Any:
    """Every sixth column has moved, each a bit farther than the one before; every fifth has holes."""
    import numpy as np
    import pyarrow as pa

    moved = 0.2 + 0.03 * number if current and number % 6 == 0 else 0.0
    holes = rng.random(rows) < 0.05 if number % 5 == 0 else None
    if kind == "categorical":
        odds = 1 / np.arange(1, 31)
        if current and number % 3 == 0:
            odds[:5] *= 2
        names = np.array([f"category {place}" for place in range(30)])
        return pa.array(names[rng.choice(30, rows, p=odds / odds.sum())], mask=holes)
    match number % 3:
        case 0:
            values = rng.normal(100 + 15 * moved, 15, rows)
        case 1:
            values = rng.exponential(np.exp(moved), rows)
        case _:
            values = np.floor(rng.normal(40 + 10 * moved, 10, rows))
    return pa.array(values, mask=holes)


def _file(settings: dict[str, Any], name: str) -> Path:
    return Path(settings["folder"]) / f"{name}.parquet"


class _Begun:
    """CPU seconds of this process since now."""

    def __init__(self) -> None:
        self._cpu, self._clock = time.process_time(), time.monotonic()

    def over(self, **found: Any) -> dict[str, Any]:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seconds = time.monotonic() - self._clock
        return {"cpu": time.process_time() - self._cpu, "seconds": seconds, "peak_mib": peak, **found}


def floor(settings: dict[str, Any]) -> dict[str, Any]:
    """Reference and current rows, a column at a time."""
    return _floor(settings, kept=False)


def floor_kept(settings: dict[str, Any]) -> dict[str, Any]:
    """Current rows only: what is needed of the reference was computed before the clock."""
    return _floor(settings, kept=True)


def _floor(settings: dict[str, Any], *, kept: bool) -> dict[str, Any]:
    import pyarrow.parquet as pq

    method = settings["method"]
    known = {}
    if kept:
        for name, kind in _kinds(settings).items():
            known[name] = _reference(
                pq.read_table(_file(settings, "reference"), columns=[name])[0], kind, method
            )
    begun = _Begun()
    scores = {}
    for name, kind in _kinds(settings).items():
        if not kept:
            column = pq.read_table(_file(settings, "reference"), columns=[name])[0]
            known[name] = _reference(column, kind, method)
        current = pq.read_table(_file(settings, "current"), columns=[name])[0]
        scores[name] = _score(known.pop(name), current, kind, method)
    drifted = sorted(name for name, score in scores.items() if score >= THRESHOLD)
    return begun.over(scores=scores, drifted=drifted)


def _values(column: Any) -> Any:
    """The values there are, as numpy has them."""
    import numpy as np

    values = column.to_numpy()
    return values[np.isfinite(values)]


def _reference(column: Any, kind: str, method: str) -> Any:
    """What the score needs of the reference."""
    import numpy as np

    if kind == "categorical":
        return {one["values"]: one["counts"] for one in column.drop_null().value_counts().to_pylist()}
    values = _values(column)
    if method in ("ks", "wasserstein"):
        return np.sort(values), values.std()
    inner = np.quantile(values, np.arange(1, 10) / 10, method="inverted_cdf")
    edges = np.concatenate(([-np.inf], np.nextafter(np.unique(inner), np.inf), [np.inf]))
    return edges, np.histogram(values, edges)[0]


def _score(known: Any, current: Any, kind: str, method: str) -> float:
    import numpy as np

    if kind == "categorical":
        counted = {one["values"]: one["counts"] for one in current.drop_null().value_counts().to_pylist()}
        names = sorted({*known, *counted})
        ours, theirs = (np.array([side.get(name, 0) for name in names]) for side in (known, counted))
        return _of_shares(ours, theirs, "psi" if method == "psi" else _CATEGORIES[method])
    values = _values(current)
    if method == "ks":
        from scipy.stats import ks_2samp

        return float(ks_2samp(known[0], values, method="asymp").statistic)
    if method == "wasserstein":
        from scipy.stats import wasserstein_distance

        return float(wasserstein_distance(known[0], values) / known[1])
    edges, before = known
    return _of_shares(before, np.histogram(values, edges)[0], method)


_CATEGORIES = {"ks": "chi_squared", "wasserstein": "jensenshannon", "jensenshannon": "jensenshannon"}


def _of_shares(reference: Any, current: Any, method: str) -> float:
    import numpy as np

    ours, theirs = reference / reference.sum(), current / current.sum()
    if method == "psi":
        ours, theirs = np.maximum(ours, 1e-4), np.maximum(theirs, 1e-4)
        return float(np.sum((theirs - ours) * np.log(theirs / ours)))
    if method == "chi_squared":
        return float(np.sqrt(np.sum((ours - theirs) ** 2 / (ours + theirs)) / 2))
    from scipy.spatial.distance import jensenshannon

    return float(jensenshannon(ours, theirs, base=2))


def _ours(settings: dict[str, Any]) -> Any:
    """The imports, before the clock is started; detector and plan."""
    import pandas  # noqa: F401
    import pyarrow.compute  # noqa: F401
    import scipy.stats  # noqa: F401

    from airflow_mlops.backends.drift.detector import StreamingDriftDetector
    from airflow_mlops.core.drift import ColumnPlan, DriftPlan, SlicePlan, method_for

    kinds: Any = _kinds(settings)
    columns = tuple(
        ColumnPlan(name, kind, method_for(kind, settings["method"]), THRESHOLD)
        for name, kind in kinds.items()
    )
    cuts = (("c03",),) if settings["slices"] else ()
    return StreamingDriftDetector(), DriftPlan(columns, slices=SlicePlan(cuts=cuts))


def _rows(settings: dict[str, Any], side: str) -> Any:
    from airflow_mlops.backends.drift.rows import ParquetRows

    return ParquetRows(side, (_file(settings, side),))


def profile(settings: dict[str, Any]) -> dict[str, Any]:
    """The reference profile, made and kept."""
    detector, plan = _ours(settings)
    begun = _Begun()
    body = detector.profile(_rows(settings, "reference"), plan)
    _file(settings, "profile").write_bytes(body)
    return begun.over(bytes=len(body))


def ours(settings: dict[str, Any]) -> dict[str, Any]:
    """The comparison with the kept profile: scores, p-values, missing values, new categories."""
    detector, plan = _ours(settings)
    begun = _Begun()
    found = detector.compare(_file(settings, "profile").read_bytes(), _rows(settings, "current"), plan)
    drifted = sorted(look.column for look in found.columns if look.drifted)
    return begun.over(scores={look.column: look.score for look in found.columns}, drifted=drifted)


def page(settings: dict[str, Any]) -> dict[str, Any]:
    """The comparison and Evidently's page of a sample, as the step keeps it."""
    import evidently.presets  # noqa: F401

    from airflow_mlops.backends.drift.sample import Sampler, sample_of
    from airflow_mlops.backends.drift_evidently import EvidentlyPage
    from airflow_mlops.core.drift import drift_verdict

    detector, plan = _ours(settings)
    kinds: Any = _kinds(settings)
    sample = sample_of(_rows(settings, "reference"), list(kinds), SAMPLE_ROWS)
    begun = _Begun()
    sampler = Sampler(list(kinds), SAMPLE_ROWS)
    body = _file(settings, "profile").read_bytes()
    found = detector.compare(body, _rows(settings, "current"), plan, sampler)
    verdict = drift_verdict(found.columns, SHARE)
    html = EvidentlyPage().page(sample, sampler.table(), found.columns, kinds, verdict, SHARE)
    return begun.over(bytes=len(html))


def evidently(settings: dict[str, Any]) -> dict[str, Any]:
    """Evidently on all rows: from Parquet to its scores and its page."""
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    method = settings["method"]
    begun = _Begun()
    kinds = _kinds(settings)
    definition = DataDefinition(
        numerical_columns=[name for name, kind in kinds.items() if kind == "numeric"],
        categorical_columns=[name for name, kind in kinds.items() if kind == "categorical"],
    )
    reference, current = (
        Dataset.from_pandas(pd.read_parquet(_file(settings, side)), data_definition=definition)
        for side in ("reference", "current")
    )
    of_categories = {"ks": "chisquare", "wasserstein": "jensenshannon"}.get(method, method)
    preset = DataDriftPreset(num_method=method, cat_method=of_categories, drift_share=SHARE)
    snapshot = Report([preset]).run(current, reference)
    html = snapshot.get_html_str(as_iframe=False)
    return begun.over(bytes=len(html))


def alibi(settings: dict[str, Any]) -> dict[str, Any]:
    """alibi-detect's drift of tables, which takes a matrix: categories are numbered before the clock."""
    import numpy as np
    import pandas as pd
    from alibi_detect.cd import TabularDrift

    kinds = _kinds(settings)
    sides = [pd.read_parquet(_file(settings, side)) for side in ("reference", "current")]
    both = pd.concat(sides, ignore_index=True)
    for name, kind in kinds.items():
        both[name] = pd.factorize(both[name])[0] if kind == "categorical" else both[name].fillna(0.0)
    matrix = both.to_numpy(dtype=np.float64)
    reference, current = matrix[: settings["rows"]], matrix[settings["rows"] :]
    of_categories = {place: None for place, kind in enumerate(kinds.values()) if kind == "categorical"}
    begun = _Begun()
    detector = TabularDrift(reference, p_val=0.05, correction="fdr", categories_per_feature=of_categories)
    found = detector.predict(current, drift_type="feature")["data"]
    return begun.over(drifted=int(found["is_drift"].sum()))


def nannyml(settings: dict[str, Any]) -> dict[str, Any]:
    """NannyML's univariate drift, of one chunk: from Parquet to its results."""
    import nannyml as nml
    import pandas as pd

    begun = _Begun()
    reference, current = (pd.read_parquet(_file(settings, side)) for side in ("reference", "current"))
    calculator = nml.UnivariateDriftCalculator(
        column_names=list(_kinds(settings)),
        continuous_methods=["kolmogorov_smirnov"],
        categorical_methods=["chi2"],
        chunk_number=1,
    )
    results = calculator.fit(reference).calculate(current)
    return begun.over(shape=list(results.to_df().shape))


_CHILDREN = {
    "alibi": alibi,
    "nannyml": nannyml,
    "make": make,
    "floor": floor,
    "floor_kept": floor_kept,
    "profile": profile,
    "ours": ours,
    "page": page,
    "evidently": evidently,
}


if __name__ == "__main__":
    main()
