"""How much memory a process takes that loads a model and predicts with it.

As a module it is that process: ``python -m airflow_mlops.backends.gates.memory FOLDER``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlops.backends.fresh_process import model_in, put_down, rows_in
from airflow_mlops.backends.material import Material
from airflow_mlops.backends.own_process import run_module
from airflow_mlops.core.values import Estimate, Finding, Measurement
from airflow_mlops.exceptions import ModelRefused

_TIMEOUT_SECONDS = 300.0


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """Megabytes of resident memory at the peak of loading and of one prediction, beyond what the process had
    with its libraries imported and the rows read. One process is measured once: it varies by a megabyte or
    two."""
    rows = material.features.head(settings["rows"])
    files = material.tracking.files_of(material.model_uri)
    with tempfile.TemporaryDirectory(prefix="airflow-mlops-") as parent:
        folder = Path(parent)
        put_down(folder, files, rows, task=material.task, trusted_types=material.trusted_types)
        ended = run_module(__name__, [parent], timeout_seconds=_TIMEOUT_SECONDS)
        answered = folder / "answer.json"
        if ended.code != 0 or not answered.is_file():
            said = ended.output.strip().splitlines()[-3:] or ["it said nothing"]
            how = "took too long" if ended.code is None else f"ended with code {ended.code}"
            raise ModelRefused(f"the process that was to load the model {how}: " + " ".join(said))
        found = json.loads(answered.read_text())
    name = f"loading the model and predicting {len(rows)} rows"
    note = f"{found['loading']:.1f} MB of it to load"
    total = found["total"]
    return Finding("", (Measurement(name, Estimate(total, total, total), note=note),), unit="MB")


def _probe(folder: Path) -> dict[str, float]:
    import skops.io  # noqa: F401 (it brings scikit-learn: libraries are no part of what a model takes)

    from airflow_mlops.backends import model_skops  # noqa: F401 (and neither is its own module)

    rows = rows_in(folder)
    _forget_peak()
    before = _megabytes("VmRSS")
    model = model_in(folder)
    loaded = _megabytes("VmHWM")
    model.predict(rows)
    return {"loading": max(loaded - before, 0.0), "total": max(_megabytes("VmHWM") - before, 0.0)}


def _forget_peak() -> None:
    """The peak of importing must not hide the model's. Linux forgets it on 5 (proc(5), clear_refs)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # elsewhere the peak so far stands, and a small model may hide behind it
        return


def _megabytes(name: str) -> float:
    """``VmRSS`` is what is resident now, ``VmHWM`` the most that ever was."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1_024 / 1_000_000
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, which has no /proc
    return peak / 1_000_000


if __name__ == "__main__":
    place = Path(sys.argv[1])
    (place / "answer.json").write_text(json.dumps(_probe(place)))
