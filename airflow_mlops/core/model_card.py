"""What a model card says of one version (Mitchell et al. 2019, "Model Cards for Model Reporting")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_mlops.core.values import (
    ColumnKind,
    DatasetRef,
    Evaluation,
    Importance,
    ModelRef,
    RunKey,
    RunRef,
    TaskKind,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What people have written about the model in its YAML."""

    description: str
    owner: str
    task: TaskKind
    intended_use: str = ""
    out_of_scope: str = ""
    contact: str = ""
    limits: tuple[str, ...] = ()
    considerations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """Somebody's word on the version: ``act`` is what they did, such as ``approved`` or ``promoted``."""

    act: str
    person: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One version of a model: what it is for, what it was made of, what was proven, and who let it out."""

    version: ModelRef
    purpose: Purpose
    features: Mapping[str, ColumnKind]
    label: str
    data: DatasetRef
    evaluation: Evaluation
    verdict: Verdict
    importance: tuple[Importance, ...]
    training: RunRef
    pipeline: RunKey
    causes: tuple[str, ...]
    code_version: str
    config_digest: str
    made_at: datetime
    cause_kinds: tuple[str, ...] = ()
    signatures: tuple[Signature, ...] = ()

    def signed(self, signature: Signature) -> ModelCard:
        """A copy with one more signature; who signs the same act again (a retried step) signs once."""
        again = (signature.act, signature.person)
        others = (made for made in self.signatures if (made.act, made.person) != again)
        return replace(self, signatures=(*others, signature))

    @property
    def limits(self) -> tuple[str, ...]:
        """What people wrote, then what the numbers themselves tell."""
        return (*self.purpose.limits, *_limits_found(self))


def _limits_found(card: ModelCard) -> tuple[str, ...]:
    evaluation, data = card.evaluation, card.data
    found = [
        f"Measured on {evaluation.rows} rows up to {data.window.end:%Y-%m-%d}; "
        "nothing is known of later times."
    ]
    if evaluation.champion is None:
        found.append("There was no champion to compare it with.")
    elif evaluation.champion_problem is not None:
        found.append(f"It could not be compared with the champion: {evaluation.champion_problem}.")
    found += [
        f"{finding.rule[:1].upper()}{finding.rule[1:]} could not be measured: {finding.problem}."
        for finding in evaluation.findings
        if finding.problem is not None
    ]
    if not card.verdict.passed:
        found.append(f"Its gates said {card.verdict.outcome}, and a person overrode them.")
    return tuple(found)
