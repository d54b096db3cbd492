"""Endpoint configurations: which versions stand beside each other, and with what weights at first.

A version stands in one of two slots. Updates with guardrails need the same variant names before and after,
and so a variant cannot be named after its version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlops.backends.sagemaker.endpoint import Seen, Variant
from airflow_mlops.backends.sagemaker.settings import Settings

SLOTS = ("blue", "green")
Content = Mapping[str, Any]


def alone(settings: Settings, seen: Seen | None, version: str, model_name: str) -> Content:
    """One version, which answers everything. It stays in its slot if it has one, or takes the place of what
    serves now."""
    if seen is None:
        return {"ProductionVariants": [_entry(settings, SLOTS[0], model_name, 1.0)]}
    served = seen.variant(version)
    if served is not None:
        return {"ProductionVariants": [_weighted(served, 1.0)], **seen.kept}
    entry = _entry(settings, _slot_of_the_first(seen), model_name, 1.0)
    return {"ProductionVariants": [entry], **seen.kept}


def beside(settings: Settings, seen: Seen, champion: Variant, model_name: str) -> Content:
    """The champion, as it is configured, and a candidate that gets no request until weights are moved."""
    candidate = _entry(settings, _other(champion.name), model_name, 0.0)
    return {"ProductionVariants": [_weighted(champion, 1.0), candidate], **seen.kept}


def shadowed(settings: Settings, seen: Seen, champion: Variant, model_name: str) -> Content:
    """The champion, and a candidate that gets a copy of every request: the weights are equal."""
    candidate = _entry(settings, _other(champion.name), model_name, 1.0)
    return {
        "ProductionVariants": [_weighted(champion, 1.0)],
        "ShadowProductionVariants": [candidate],
        **seen.kept,
    }


def _entry(settings: Settings, slot: str, model_name: str, weight: float) -> dict[str, Any]:
    return {
        "VariantName": slot,
        "ModelName": model_name,
        "InitialInstanceCount": settings.instance_count,
        "InstanceType": settings.instance_type,
        "InitialVariantWeight": weight,
    }


def _weighted(variant: Variant, weight: float) -> dict[str, Any]:
    return {**variant.entry, "InitialVariantWeight": weight}


def _other(slot: str) -> str:
    return SLOTS[1] if slot == SLOTS[0] else SLOTS[0]


def _slot_of_the_first(seen: Seen) -> str:
    production = [one for one in seen.variants if not one.shadow]
    return max(production, key=lambda one: one.weight).name if production else SLOTS[0]
