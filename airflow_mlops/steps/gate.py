"""Gate: may this challenger be registered?"""

from __future__ import annotations

from dataclasses import replace

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.parts.evaluation import EvaluationConfig
from airflow_mlops.config.parts.gate_rule import BoundedGate
from airflow_mlops.config.parts.gates import Gate, Gates
from airflow_mlops.config.parts.gates_metric import ChampionGate, ThresholdGate
from airflow_mlops.core.gates import AgainstChampion, Measured, Rule, Threshold, judge, rows_to_decide
from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.values import Evaluation, Verdict
from airflow_mlops.steps.made import made_data, made_today
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import GateRequest


def gate(request: GateRequest, backends: Backends) -> Verdict:
    """Judge the evaluation by the YAML's rules and record the verdict, whatever it is."""
    config, evaluation = request.config, request.evaluation
    verdict = judge(
        rules_of(config.gates, config.evaluation),
        evaluation,
        minimum_rows=config.gates.minimum_rows,
        bootstrap=config.gates.bootstrap,
        incompatible=config.gates.incompatible_champion,
    )
    wanted = None
    if verdict.outcome == "inconclusive" and config.gates.on_inconclusive == "collect":
        rules = rules_of(config.gates, config.evaluation)
        wanted = rows_to_decide(rules, evaluation, minimum_rows=config.gates.minimum_rows)
        verdict = replace(verdict, reasons=(*verdict.reasons, _wanted(wanted, evaluation.rows)))
    report = evaluation.report
    backends.ledger.append(
        entry(
            config,
            request.run,
            "gated",
            request.training.run_id,
            # A run that is cleared may be judged anew, against another champion: that is another entry.
            stage=_digest(verdict, evaluation),
            reasons=verdict.reasons,
            evidence=(report.uri,) if report else (),
            window=request.snapshot.dataset.window,
            data_version=request.snapshot.dataset.version,
            data={
                "outcome": verdict.outcome,
                "causes": list(request.snapshot.causes),
                "run_kind": request.run.kind,
                "rows": evaluation.rows,
                "rows_wanted": wanted,
                "holdout": request.snapshot.lengthened,
                **made_data(made_today(config, backends)),
            },
        )
    )
    return verdict


def _wanted(rows: int | None, now: int) -> str:
    if rows is None:
        return "more holdout rows alone would not decide it"
    return f"about {rows:,} holdout rows would decide it (now {now:,}); the next run holds out more"


def _digest(verdict: Verdict, evaluation: Evaluation) -> str:
    """The same on a retry, which judges the same numbers."""
    judged = TypeAdapter(list[Verdict | Evaluation]).dump_json([verdict, replace(evaluation, report=None)])
    return content_hash(judged.decode())[:8]


def rules_of(gates: Gates, evaluation: EvaluationConfig) -> list[Rule]:
    """The YAML's gates as the rules that judge."""
    return [_rule(rule, label, evaluation) for rule, label in zip(gates.rules, gates.labels, strict=True)]


def _rule(rule: Gate, label: str, evaluation: EvaluationConfig) -> Rule:
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
                direction=evaluation.direction(rule.metric),
            )
        case BoundedGate():
            minimum, maximum = rule.bounds
            return Measured(
                label,
                minimum=minimum,
                maximum=maximum,
                decide_by=rule.decide_by,
                judges_first=rule.judges_first,
                against_champion=rule.against_champion,
            )
        case _:
            return Measured(label, judges_first=rule.judges_first)
