"""A few of the kills of ``make chaos``: the moments at which most is half-done."""

from __future__ import annotations

from pathlib import Path

import pytest

from .episodes import first_model, rollout
from .killing import Kill
from .site import chaos_site

pytestmark = pytest.mark.slow  # an MLflow server and a model server, and four rollouts under traffic


def test_whatever_is_killed_in_a_real_rollout_one_champion_serves_and_no_request_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with chaos_site(tmp_path) as site:
        first_model(site)
        quiet = rollout(site, None)
        assert (quiet.became, quiet.ended_by, quiet.faults) == ("promoted", "its own run", [])
        served = quiet.changes_of("serving.promote")
        aliased = quiet.changes_of("tracking.set_alias")
        for kill, became in (
            (Kill("run", quiet.changes_of("ledger.append shadowed"), after=True), "rolled back"),
            (Kill("run", aliased, after=True), "promoted"),
            (Kill("gateway", served, after=True), "promoted"),
        ):
            outcome = rollout(site, kill)
            assert outcome.faults == [], (str(kill), outcome.log)
            assert outcome.became == became, (str(kill), outcome.log)
