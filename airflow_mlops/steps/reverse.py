"""Reverse: put an earlier champion back, verified, in the name of the person who asked for it and why."""

from __future__ import annotations

import json
from dataclasses import replace

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.healing import healing_of
from airflow_mlops.core.ledger import Entry, EntryKind, crowning_moment, open_rollouts
from airflow_mlops.core.reversal import open_reversal
from airflow_mlops.core.rollout import rollout_id
from airflow_mlops.core.values import ModelRef, RunInfo
from airflow_mlops.core.waiting import too_late
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused
from airflow_mlops.steps.model_card import sign_card
from airflow_mlops.steps.plan_reversal import PlannedReversal, plan_reversal
from airflow_mlops.steps.record import entry, is_ours
from airflow_mlops.steps.requests import Reversal, ReverseRequest, RollBackRequest
from airflow_mlops.steps.roll_back import roll_back
from airflow_mlops.steps.rollouts import rollout_by_ledger
from airflow_mlops.steps.run_files import SMOKE_FILE
from airflow_mlops.steps.smoke_serve import compared


def reverse(request: ReverseRequest, backends: Backends) -> Reversal:
    """Intent, end of an open rollout, look at the version, alias, traffic, done; a crash anywhere in it is
    finished by the same request, by any later one, or by the next deploy run.

    Where the target takes its time to bring the version up, the result is not ``done``, and the same request
    goes on. Raises what ``plan_reversal`` raises, and ``ModelRefused`` where the target refuses the version
    or answers otherwise than its evaluation: then it is given up, and the present champion stays.
    """
    planned = plan_reversal(request, backends)
    if planned.ended is not None:
        return _ended(planned, planned.ended)
    config, run = request.config, request.run
    if planned.given_up is not None:
        because = f"version {planned.back.version} is put back instead: {request.reason}"
        backends.ledger.append(_closing(planned.given_up, "reversal_refused", run, (because,)))
    intent = planned.begun or _intend(request, planned, backends)
    return _go_on(intent, config, run, backends)


def settle_reversal(config: ModelConfig, run: RunInfo, backends: Backends) -> None:
    """Finish what was left unfinished, or give it up where it can never be finished. Raises
    ``BackendUnavailable`` while the target is not ready for it."""
    while (intent := open_reversal(backends.ledger.entries(config.model))) is not None:
        try:
            reversal = _go_on(intent, config, run, backends)
        except (ModelRefused, RolloutRefused):
            continue  # given up, and recorded as such: the present champion stays
        if not reversal.done:
            raise BackendUnavailable(
                f"version {intent.subject} is still being put back, as {intent.actor} asked: {reversal.said}"
            )


def _intend(request: ReverseRequest, planned: PlannedReversal, backends: Backends) -> Entry:
    version = planned.back.version
    return backends.ledger.append(
        entry(
            request.config,
            request.run,
            "reversal_intended",
            version,
            version=version,
            reasons=(request.reason,),
            data={"previous": planned.out.version if planned.out else None, "ends": planned.ends},
        )
    )


def _ended(planned: PlannedReversal, end: Entry) -> Reversal:
    """What an earlier try of this very run came to."""
    if end.kind == "reversal_refused":
        raise ModelRefused("; ".join(end.reasons))
    return Reversal(planned.back.name, planned.back.version, None, end.data.get("previous"))


def _go_on(intent: Entry, config: ModelConfig, run: RunInfo, backends: Backends) -> Reversal:
    back, previous = ModelRef(config.model, intent.subject), intent.data.get("previous")
    try:
        _end_rollout(intent, config, run, backends)
        waits_for = _brought_up(back, backends)
        if waits_for is not None:
            late = too_late(intent.at, run.now, Period.parse(config.deploy.deadline))
            if late is not None:
                raise ModelRefused(f"{back} did not come up {late}: {waits_for}")
            return Reversal(back.name, back.version, None, previous, done=False, said=waits_for)
        url = _crown(back, backends)
    except (ModelRefused, RolloutRefused) as error:
        _give_up(intent, str(error), run, backends)
        raise
    _tag(back, previous, config, backends)
    done = _closing(intent, "reversed", run, intent.reasons)
    entries = backends.ledger.entries(config.model)
    if (healing := healing_of(entries, intent)) is not None:
        # Before the end: whoever is killed in between finds the reversal open, and writes both.
        backends.ledger.append(_closing(healing, "healed", run, healing.reasons))
    moment = crowning_moment(entries, done.at)
    backends.ledger.append(replace(done, at=moment))
    _sign(intent, back, previous, run, backends)
    return Reversal(back.name, back.version, url, previous)


def _end_rollout(intent: Entry, config: ModelConfig, run: RunInfo, backends: Backends) -> None:
    """Whatever is open, by the ledger or by what the target says."""
    because = (
        f"ended for a return to version {intent.subject}, by {intent.actor}: {'; '.join(intent.reasons)}"
    )
    entries = backends.ledger.entries(config.model)
    for left in open_rollouts(entries):
        rollout = rollout_by_ledger(config.model, left.subject, entries, backends)
        roll_back(RollBackRequest(config, run, rollout, (because,)), backends)
    open_there = backends.serving.traffic().rollout_id
    if open_there not in (None, rollout_id(config.model, intent.subject)):
        backends.serving.roll_back(str(open_there))


def _brought_up(back: ModelRef, backends: Backends) -> str | None:
    """What the target waits for, in its words; None once the version answers as it did when it was
    evaluated. A version that serves already, since an earlier try got so far, is not asked."""
    traffic = backends.serving.traffic()
    if traffic.champion is not None and traffic.champion.version == back.version:
        return None
    deployment = backends.serving.deploy(rollout_id(back.name, back.version), back)
    if not deployment.ready:
        return deployment.said
    training = backends.tracking.run_of(back)
    try:
        kept = json.loads(backends.tracking.read_file(training.run_id, SMOKE_FILE))
    except KeyError:  # registered by other means: that it loads is all there is to see
        backends.serving.smoke(back, [])
        return None
    verdict = compared(kept, backends.serving.smoke(back, kept["rows"]))
    if not verdict.passed:
        raise ModelRefused(
            f"{back} does not answer as it did when it was champion ({'; '.join(verdict.reasons)}); has the "
            "serving side got other libraries since?"
        )
    return None


def _crown(back: ModelRef, backends: Backends) -> str | None:
    """Alias, then traffic, both read back; the address of the version's page."""
    tracking = backends.tracking
    tracking.set_alias(back.name, "champion", back.version)
    traffic = backends.serving.promote(rollout_id(back.name, back.version), back)
    if traffic.champion is None or traffic.champion.version != back.version or traffic.mode != "none":
        raise BackendUnavailable(
            f"the server was told to serve {back} but says it serves {traffic.champion}, {traffic.mode} at "
            f"weight {traffic.weight:g}; the reversal is recorded as intended and a repeat will finish it"
        )
    alias = tracking.alias(back.name, "champion")
    if alias is None or alias.version != back.version:
        raise BackendUnavailable(
            f"{back} serves, but the alias champion reads back as {alias}: something else moves it. "
            "Repeating the reversal will finish it"
        )
    return alias.url


def _tag(back: ModelRef, previous: str | None, config: ModelConfig, backends: Backends) -> None:
    tracking, tags = backends.tracking, config.tracking.version_tags
    challenger = tracking.alias(back.name, "challenger")
    if challenger is not None and challenger.version == previous:
        tracking.drop_alias(back.name, "challenger")
    if previous is not None:
        tracking.set_tags(ModelRef(back.name, previous), tags.rejected)
    tracking.set_tags(back, tags.champion)


def _sign(intent: Entry, back: ModelRef, previous: str | None, run: RunInfo, backends: Backends) -> None:
    """On both cards; that of the version put back last, since one page of a run is kept."""
    reason = "; ".join(intent.reasons)
    for act, version in (("taken out", previous), ("put back", back.version)):
        if version is None:
            continue
        try:
            training = backends.tracking.run_of(ModelRef(back.name, version))
        except ModelRefused:  # deleted, or registered without a run: it has no card
            continue
        sign_card(act, intent.actor, reason, run, training, backends)


def _give_up(intent: Entry, because: str, run: RunInfo, backends: Backends) -> None:
    """The champion that was to be taken out stays; its alias may have been moved already."""
    previous, alias = intent.data.get("previous"), backends.tracking.alias(intent.model, "champion")
    if previous is not None and alias is not None and alias.version == intent.subject:
        backends.tracking.set_alias(intent.model, "champion", previous)
    backends.ledger.append(_closing(intent, "reversal_refused", run, (because,)))


def _closing(intent: Entry, kind: EntryKind, run: RunInfo, reasons: tuple[str, ...]) -> Entry:
    """In the name of the run that intended it, so that intent and end are found as a pair."""
    if not is_ours(intent, run):
        reasons = (*reasons, f"done by the run {run.key.run_id} of {run.key.dag_id}")
    return replace(intent, kind=kind, at=max(run.now, intent.at), reasons=reasons)
