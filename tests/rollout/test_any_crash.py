"""Whatever goes wrong, wherever in a rollout: the next run finishes or undoes it, and no rule is broken."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_mlops.core.ledger import open_rollouts, pending_challengers
from airflow_mlops.core.reversal import open_reversal
from airflow_mlops.core.standing import required_stages

from .deploying import Site, with_deploy
from .outside import Disturbance, Outside, reign

strategies = st.sampled_from(["shadow", "canary", "blue_green", "ab", "direct"])
KILLS = st.sampled_from(["killed before", "killed after", "run lost before", "run lost after", "away"])
ANYTHING = st.sampled_from(get_args(Disturbance))
LENGTH = 150
STAGES = ["approval", "shadow", "canary 0.1", "canary 0.5", "canary 1"]

plans = st.dictionaries(st.integers(1, LENGTH), ANYTHING, max_size=6)
crashes = st.dictionaries(st.integers(1, LENGTH), KILLS, max_size=8)
clearings = st.lists(st.integers(0, 20), max_size=4)
failing = st.lists(st.sampled_from([frozenset[str](), *(frozenset({one}) for one in STAGES)]), max_size=4)
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def lived(config: Any, strategy: str, approval: bool, plan: Any, fails: Any, *, follows: bool) -> Site:
    """A model with a champion, and three more challengers that come out while things go wrong."""
    outside = Outside(follows=follows)
    site = Site(outside, with_deploy(config, strategy=strategy, approval=approval))
    first = True
    for number, outcome in enumerate([frozenset[str](), *fails, frozenset[str]()], start=1):
        version = str(number)
        site.register(version)
        decide(site, version, has_champion=not first)
        outside.another = lambda version=version: another(site, version)
        outside.clearing = site.disturb
        site.attempt(f"d{number}", fails=outcome)
        if first:
            outside.plan, outside.calls, first = dict(plan), 0, False
    return site


def decide(site: Site, version: str, *, has_champion: bool) -> None:
    deploy = site.config.deploy
    stages = required_stages(
        approval=bool(deploy.approval),
        shadow=deploy.shadows,
        weights=deploy.weights,
        has_champion=has_champion,
    )
    site.outside.decided[version] = list(stages)


def another(site: Site, version: str) -> None:
    """A second run of the DAG begins in the middle of a call of the first, and runs to its end."""
    site.outside.another = None
    site.attempt(f"beside{version}")


def settle(site: Site) -> None:
    """A run without any disturbance that finds no challenger, so that it hides nothing by a promotion."""
    site.outside.plan, site.outside.another = {}, None
    for entry in pending_challengers(site.outside.entries.values()):
        del site.outside.entries[entry.id]
    site.attempt("last")


def check(site: Site) -> None:
    """Exactly one champion, by ledger, registry and target, and nothing left open."""
    outside = site.outside
    entries = list(outside.entries.values())
    assert outside.broken == []
    assert open_rollouts(entries) == []
    assert open_reversal(entries) is None
    champion = outside.aliases.get("champion")
    assert champion == reign(outside)
    assert champion is not None
    if champion not in outside.unloadable:
        assert outside.state.champion is not None
        assert outside.state.champion.version == champion
    assert (outside.state.rollout_id, outside.state.weight) == (None, 0.0)


@given(strategy=strategies, approval=st.booleans(), plan=crashes, fails=failing, follows=st.booleans())
@many
def test_a_run_that_is_killed_anywhere_is_finished_or_undone_by_the_next(
    config, strategy, approval, plan, fails, follows
):
    site = lived(config, strategy, approval, plan, fails, follows=follows)
    settle(site)
    check(site)
    kinds = {}
    for entry in site.outside.entries.values():
        kinds.setdefault(entry.subject, set()).add(entry.kind)
    assert not [version for version, seen in kinds.items() if {"promoted", "rolled_back"} <= seen]


@given(
    strategy=strategies,
    approval=st.booleans(),
    plan=plans,
    fails=failing,
    follows=st.booleans(),
    cleared=clearings,
)
# A smoke test that is cleared while the promotion waits, and fails now: the promotion asks no more.
@example(strategy="blue_green", approval=False, plan={26: "refuses"}, fails=[], follows=False, cleared=[3, 9])
@many
def test_nor_does_it_matter_who_else_moves_alias_or_traffic_what_is_cleared_or_who_lies(
    config, strategy, approval, plan, fails, follows, cleared
):
    site = lived(config, strategy, approval, plan, fails, follows=follows)
    for number in cleared:
        site.clear(number)
    settle(site)
    check(site)


@given(strategy=strategies, plan=plans, cleared=clearings)
@many
def test_an_edit_of_the_yaml_cannot_lower_what_a_rollout_that_was_taken_must_pass(
    config, strategy, plan, cleared
):
    site = lived(
        config, strategy, True, plan, [frozenset({"shadow"}), frozenset({"canary 0.1"})], follows=True
    )
    edited = site.edited(strategy="direct", approval=False)
    for number in cleared:
        edited.clear(number)
    assert site.outside.broken == []
