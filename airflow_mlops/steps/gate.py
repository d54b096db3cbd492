"""Gate: may this challenger be registered?"""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.parts.gates import Gate, Gates
from airflow_mlops.config.parts.gates_metric import ChampionGate, ThresholdGate
from airflow_mlops.core.gates import AgainstChampion, Measured, Rule, Threshold, judge
from airflow_mlops.core.values import Verdict
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import GateRequest


def gate(request: GateRequest, backends: Backends) -> Verdict:
    """Judge the evaluation by the YAML's rules and record the verdict, whatever it is."""
    config, evaluation = request.config, request.evaluation
    verdict = judge(
        rules_of(config.gates),
        evaluation,
        minimum_rows=config.gates.minimum_rows,
        bootstrap=config.gates.bootstrap,
    )
    report = evaluation.report
    backends.ledger.append(
        entry(
            config,
            request.run,
            "gated",
            request.training.run_id,
            reasons=verdict.reasons,
            evidence=(report.uri,) if report else (),
            window=request.snapshot.dataset.window,
            data_version=request.snapshot.dataset.version,
            data={"outcome": verdict.outcome, "causes": list(request.snapshot.causes)},
        )
    )
    return verdict


def rules_of(gates: Gates) -> list[Rule]:
    """The YAML's gates as the rules that judge."""
    return [_rule(rule, label) for rule, label in zip(gates.rules, gates.labels, strict=True)]


def _rule(rule: Gate, label: str) -> Rule:
    match rule:
        case ThresholdGate():
            return Threshold(
                rule.metric, minimum=rule.minimum, maximum=rule.maximum, decide_by=rule.decide_by
            )
        case ChampionGate():
            return AgainstChampion(
                rule.metric,
                margin=rule.margin or 0.0,
                improvement=rule.improvement,
                relative=rule.relative,
                on_tie=rule.on_tie,
                decide_by=rule.decide_by,
            )
        case _:
            minimum, maximum = rule.bounds
            return Measured(label, minimum=minimum, maximum=maximum, decide_by=rule.decide_by)
