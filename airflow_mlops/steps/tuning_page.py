"""The page of a search: the best parameters, how the search got there, and every trial."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.tuning import EarlierSearch, Trial, best
from airflow_mlops.core.values import SearchRun
from airflow_mlops.steps.page import page, sentences, table
from airflow_mlops.steps.tuning import maximize, tuning_of

_WIDTH, _HEIGHT, _EDGE = 640, 220, 44
_MOST_TRIALS = 500


def search_page(
    config: ModelConfig,
    trials: Sequence[Trial],
    winner: Trial,
    importances: Mapping[str, float],
    search: SearchRun,
) -> bytes:
    """Best trial, picture, importances and trials, the best first."""
    tuning = tuning_of(config)
    up = maximize(config)
    counted = {state: sum(trial.state == state for trial in trials) for state in _ORDER}
    states = ", ".join(f"{count} {state}" for state, count in counted.items() if count)
    return page(
        f"{config.model}: search for parameters",
        sentences(
            f"Trial {winner.number} is the best: {tuning.metric} {winner.value:.4f}, the mean over "
            f"{tuning.folds.plan.count} folds ({tuning.folds.type}) of training rows, not of the holdout.",
            f"{len(trials)} trials: {states}. MLflow run: {search.url or search.run_id}",
        ),
        table(
            "Chosen", ("parameter", "value"), [(name, _text(value)) for name, value in winner.params.items()]
        ),
        _picture(trials, tuning.metric, up),
        table(
            "What the metric hangs on",
            ("parameter", "share of its variation"),
            [(name, f"{share:.0%}") for name, share in importances.items()],
        ),
        _trial_table(trials, list(tuning.space), up),
    )


def earlier_page(config: ModelConfig, earlier: EarlierSearch) -> bytes:
    """What is used again, and since when."""
    tuning, found = tuning_of(config), earlier.entry
    return page(
        f"{config.model}: parameters of an earlier search",
        sentences(
            f"Run {found.run_id} searched on the window {found.window}, {earlier.age_days:.3g} days before "
            f"this one's end. tuning.every is {tuning.every}: until then its answer is used again.",
            f"{found.data['metric']} was {found.data['value']:.4f} there; report {', '.join(found.evidence)}",
        ),
        table(
            "Used", ("parameter", "value"), [(name, _text(value)) for name, value in earlier.params.items()]
        ),
    )


_ORDER = ("complete", "pruned", "failed", "lost", "running")


def _trial_table(trials: Sequence[Trial], names: Sequence[str], up: bool) -> str:
    def rank(trial: Trial) -> tuple[int, float, int]:
        value = trial.value if trial.folds else 0.0
        return _ORDER.index(trial.state), -value if up else value, trial.number

    shown = sorted(trials, key=rank)[:_MOST_TRIALS]
    title = "Trials" if len(shown) == len(trials) else f"The first {len(shown)} of {len(trials)} trials"
    rows = [
        (
            trial.number,
            trial.state,
            f"{trial.value:.4f}" if trial.folds else "",
            ", ".join(f"{fold:.4f}" for fold in trial.folds),
            *(_text(trial.params[name]) if name in trial.params else "" for name in names),
            f"{trial.seconds:.1f}" if trial.seconds is not None else "",
            "" if trial.worker is None else trial.worker,
            trial.reason,
        )
        for trial in shown
    ]
    return table(title, ("trial", "state", "mean", "folds", *names, "seconds", "worker", "reason"), rows)


def _picture(trials: Sequence[Trial], metric: str, up: bool) -> str:
    """Each complete trial as a dot, and the best so far as a line."""
    done = [trial for trial in trials if trial.state == "complete"]
    if len(done) < 2:
        return ""
    low, high = min(trial.value for trial in done), max(trial.value for trial in done)
    last = max(trial.number for trial in done) or 1

    def at(number: int, value: float) -> tuple[float, float]:
        across = _EDGE + (_WIDTH - 2 * _EDGE) * number / last
        share = (value - low) / (high - low) if high > low else 0.5
        return round(across, 1), round(_HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * share, 1)

    dots = "".join(
        '<circle cx="{}" cy="{}" r="3" fill="#57606a"/>'.format(*at(t.number, t.value)) for t in done
    )
    steps = [
        at(trial.number, top.value)
        for index, trial in enumerate(done, start=1)
        if (top := best(done[:index], maximize=up)) is not None
    ]
    line = " ".join(f"{x},{y}" for x, y in steps)
    words = (
        f'<text x="{_EDGE}" y="{_EDGE - 14}">{escape(metric)}: {high:.4g}</text>'
        f'<text x="{_EDGE}" y="{_HEIGHT - _EDGE + 18}">{low:.4g}</text>'
        f'<text x="{_WIDTH - _EDGE}" y="{_HEIGHT - _EDGE + 18}" text-anchor="end">trial {last}</text>'
    )
    return (
        f'<h2>How the search went</h2><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" '
        f'font-size="12" font-family="system-ui,sans-serif">'
        f'<polyline points="{line}" fill="none" stroke="#0969da" stroke-width="2"/>{dots}{words}</svg>'
    )


def _text(value: Any) -> str:
    return (
        f"{value:.6g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
    )
