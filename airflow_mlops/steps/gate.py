"""Gate: may this challenger be registered?"""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.parts.gates import Gate, ThresholdGate
from airflow_mlops.core.gates import AgainstChampion, Threshold, judge
from airflow_mlops.core.values import Verdict
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import GateRequest


def gate(request: GateRequest, backends: Backends) -> Verdict:
    """Judge the evaluation by the YAML's rules and record the verdict, whatever it is."""
    config, evaluation = request.config, request.evaluation
    verdict = judge(
        [_rule(rule) for rule in config.gates.rules],
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


def _rule(rule: Gate) -> Threshold | AgainstChampion:
    if isinstance(rule, ThresholdGate):
        return Threshold(rule.metric, minimum=rule.minimum, maximum=rule.maximum)
    return AgainstChampion(rule.metric, margin=rule.margin)
