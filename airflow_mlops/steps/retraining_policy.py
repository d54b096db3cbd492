"""The retraining policy of a model, by its whole YAML: what a rollout may take is said under ``deploy``."""

from __future__ import annotations

from dataclasses import replace

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.retraining import Policy
from airflow_mlops.core.windows import Period


def retraining_policy(config: ModelConfig) -> Policy:
    """As ``core.retraining`` reads it.

    Each stage of a rollout writes to the ledger when it ends. A stage may take ``deploy.deadline``, an answer
    as long as it is waited for, tries and queues ``retraining.patience``: after all of that nobody is at the
    rollout, or it is held and waits for a person.
    """
    policy, deploy = config.retraining.policy(config.schedule.timezone), config.deploy
    waits = [policy.patience, Period.parse(deploy.deadline)]
    if deploy.approval:
        waits.append(Period.parse(deploy.approval.timeout or deploy.approval_timeout))
    silence = Period(sum(one.months for one in waits), sum(one.seconds for one in waits))
    return replace(policy, silence=silence)
