"""Draws the two AUC curves: the frozen model's and the loop's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airflow_mlops.cli.demo.scores import MonthScore


def draw(scores: Sequence[MonthScore], file: Path) -> Path:
    """Write the picture (PNG or SVG by the name's ending); the file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [f"{score.month:%b}" for score in scores]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for label, colour, values in (
        ("the loop, as served", "#0b6e4f", [score.loop_auc for score in scores]),
        ("frozen after March", "#8d99ae", [score.frozen_auc for score in scores]),
    ):
        mean = sum(values) / len(values)
        axes.plot(names, values, marker="o", color=colour, label=f"{label} (mean {mean:.3f})")
    for place, score in enumerate(scores):
        if len(score.champions) > 1:
            axes.annotate(
                " → ".join(f"v{version}" for version in score.champions),
                (place, score.loop_auc),
                textcoords="offset points",
                xytext=(0, 9),
                ha="center",
                fontsize=8,
                color="#0b6e4f",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8},
            )
    axes.set_title("Will this flight arrive late? New York, 2013")
    axes.set_ylabel("ROC AUC on the month's flights")
    axes.margins(y=0.15)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)
    return file
