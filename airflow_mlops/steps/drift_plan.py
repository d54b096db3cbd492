"""What the YAML asks of drift, as a plan."""

from __future__ import annotations

from collections.abc import Collection

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.gates_groups import SlicesGate
from airflow_mlops.core.drift import ColumnPlan, DriftPlan, SlicePlan, method_for


def drift_plan(config: ModelConfig, there: Collection[str]) -> DriftPlan:
    """The plan for the features that are ``there``: what the YAML has gained since a champion was trained can
    be compared once a model that knows it serves."""
    drift = config.monitor.drift
    columns = []
    for name, kind in config.data.features.items():
        if name in there:
            own = drift.features.get(name)
            method = (own and own.method) or drift.method
            threshold = (own and own.threshold) or drift.threshold
            columns.append(ColumnPlan(name, kind, method_for(kind, method), threshold))
    return DriftPlan(
        columns=tuple(columns),
        false_discovery_rate=drift.false_discovery_rate,
        missing=drift.missing,
        new_categories=drift.new_categories,
        slices=_slice_plan(config, {one.column for one in columns if one.kind != "text"}),
    )


def _slice_plan(config: ModelConfig, there: Collection[str]) -> SlicePlan:
    """The slices that are named for drift, else those that the gates hold the model to account in, as far as
    they are of features: the endpoint's log knows no other columns."""
    slices = config.monitor.drift.slices
    cuts, edges = slices.by or (), dict(slices.edges)
    if slices.by is None:
        gates = [rule for rule in config.gates.rules if isinstance(rule, SlicesGate)]
        cuts = tuple(dict.fromkeys(cut for gate in gates for cut in gate.by))
        edges = {name: at for gate in gates for name, at in gate.edges.items()} | edges
    return SlicePlan(
        cuts=tuple(cut for cut in cuts if set(cut) <= set(there)),
        bins=slices.bins,
        edges=edges,
        minimum_rows=slices.minimum_rows,
        most=slices.most,
    )
