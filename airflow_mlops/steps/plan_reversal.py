"""Plan a reversal: which earlier champion would be put back, what else that ends, and why it cannot be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.ledger import Entry, open_rollout
from airflow_mlops.core.reversal import Reign, end_of, former_champions, open_reversal, succession
from airflow_mlops.core.values import ModelRef, RunRef
from airflow_mlops.exceptions import ModelRefused, RolloutRefused
from airflow_mlops.steps.model_card import CARD_FILE
from airflow_mlops.steps.record import is_ours
from airflow_mlops.steps.requests import ReverseRequest
from airflow_mlops.steps.run_files import SMOKE_FILE


@dataclass(frozen=True, slots=True)
class PlannedReversal:
    """What a reversal would do. ``back`` comes in for ``out``; ``ends`` is the version whose rollout is open
    and ends first. ``begun`` is the intent that is gone on with, where there is one already; ``given_up``
    one of another version, which this one takes the place of. ``ended`` says how it ended, if it has.
    """

    back: ModelRef
    out: ModelRef | None = None
    ends: str | None = None
    begun: Entry | None = None
    given_up: Entry | None = None
    ended: Entry | None = None


def plan_reversal(request: ReverseRequest, backends: Backends) -> PlannedReversal:
    """Look and decide; nothing is changed.

    Without a version it is the one before the present champion, by the ledger, or that of a reversal which
    was left unfinished. Raises ``ModelRefused`` for a version that was never champion, is not in the
    registry or takes other features than the present champion, and ``RolloutRefused`` where nothing is left
    to do; both say what there is to go back to.
    """
    name = request.config.model
    entries = backends.ledger.entries(name)
    ours = [item for item in entries if item.kind == "reversal_intended" and is_ours(item, request.run)]
    if ours and (ended := end_of(entries, ours[-1])) is not None:
        return PlannedReversal(ModelRef(name, ours[-1].subject), begun=ours[-1], ended=ended)
    begun = open_reversal(entries)
    serving = backends.tracking.alias(name, "champion")
    left = open_rollout(entries)
    ends = left.subject if left is not None else None
    if begun is not None and request.version in (None, begun.subject):
        back = _registered(name, begun.subject, entries, backends)
        return PlannedReversal(back, _previous(name, begun), ends, begun)
    reigns = succession(entries, serving.version if serving else None)
    out = ModelRef(name, reigns[-1].version) if reigns else None
    back = _registered(name, _wanted(request, reigns, entries), entries, backends)
    if out is not None and out.version == back.version:
        out = _serves_instead(back, ends is not None, entries, backends)
    _refuse_misfit(request, back, out, entries, backends)
    return PlannedReversal(back, out, ends, given_up=begun)


def _previous(name: str, intent: Entry) -> ModelRef | None:
    previous = intent.data.get("previous")
    return None if previous is None else ModelRef(name, previous)


def _wanted(request: ReverseRequest, reigns: tuple[Reign, ...], entries: Iterable[Entry]) -> str:
    name = request.config.model
    if request.version is None:
        if len(reigns) < 2:
            present = f"version {reigns[-1].version} is" if reigns else "there is none, so it would be"
            raise ModelRefused(
                f"there is no champion of {name} to go back to: {present} the first one. End a rollout that "
                "does harm by clearing its roll_back, or train a new challenger"
            )
        return reigns[-2].version
    if request.version not in {reign.version for reign in former_champions(entries)} | {
        reign.version for reign in reigns
    }:
        raise ModelRefused(
            f"version {request.version} of {name} was never its champion, so nothing is known of how it "
            f"serves; {_there_is(entries)}"
        )
    return request.version


def _registered(name: str, version: str, entries: Iterable[Entry], backends: Backends) -> ModelRef:
    try:
        backends.tracking.run_of(ModelRef(name, version))
    except ModelRefused as error:
        raise ModelRefused(f"version {version} cannot be put back: {error}; {_there_is(entries)}") from error
    return ModelRef(name, version)


def _serves_instead(
    back: ModelRef, in_rollout: bool, entries: Iterable[Entry], backends: Backends
) -> ModelRef | None:
    """Who serves where the champion itself is to be put back. With nothing to do that is said: whoever asks
    for it means another version."""
    traffic = backends.serving.traffic()
    if traffic.champion is not None and traffic.champion.version != back.version:
        return traffic.champion
    if not in_rollout and traffic.mode == "none" and traffic.champion is not None:
        raise RolloutRefused(f"{back} is the champion already and serves; {_there_is(entries)}")
    return None


def _refuse_misfit(
    request: ReverseRequest,
    back: ModelRef,
    out: ModelRef | None,
    entries: Iterable[Entry],
    backends: Backends,
) -> None:
    """Today's requests are made for the present champion, and a server refuses a field that is missing or
    unknown."""
    theirs = _features(backends.tracking.run_of(back), backends)
    if theirs is None:
        return
    ours = _features_of(out, backends) if out is not None else None
    gap = _gap(theirs, ours or dict(request.config.data.features))
    if gap:
        raise ModelRefused(
            f"{back} cannot answer today's requests: it {gap}; {_there_is(entries, but=back.version)}"
        )


def _features_of(model: ModelRef, backends: Backends) -> Mapping[str, str | None] | None:
    try:
        return _features(backends.tracking.run_of(model), backends)
    except ModelRefused:  # the version that is to be taken out may be gone from the registry
        return None


def _features(training: RunRef, backends: Backends) -> Mapping[str, str | None] | None:
    """Names and kinds from the version's card; names alone from the rows that were kept with it."""
    for path in (CARD_FILE, SMOKE_FILE):
        try:
            kept = json.loads(backends.tracking.read_file(training.run_id, path))
        except KeyError:
            continue
        if path == CARD_FILE:
            return dict(kept["features"])
        if kept["rows"]:
            return dict.fromkeys(kept["rows"][0])
    return None


def _gap(theirs: Mapping[str, str | None], ours: Mapping[str, str | None]) -> str:
    said = []
    if missing := sorted(theirs.keys() - ours.keys()):
        said.append(f"needs {', '.join(missing)}, which they do not carry")
    if unknown := sorted(ours.keys() - theirs.keys()):
        said.append(f"does not know {', '.join(unknown)}, which they carry")
    other = [
        name
        for name in sorted(theirs.keys() & ours.keys())
        if None not in (theirs[name], ours[name]) and theirs[name] != ours[name]
    ]
    if other:
        said.append(f"takes {', '.join(other)} as another kind")
    return " and ".join(said)


def _there_is(entries: Iterable[Entry], but: str | None = None) -> str:
    """What one could go back to, in words."""
    told = [
        f"version {reign.version}" + (f" (since {reign.since:%Y-%m-%d %H:%M} UTC)" if reign.since else "")
        for reign in former_champions(entries)
        if reign.version != but
    ]
    return f"champions so far: {', '.join(told)}" if told else "no other version has been champion so far"
