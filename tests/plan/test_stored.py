"""A plan as JSON and back: whatever its named tuples hold, the same comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.site import Site
from airflow_mlops.plan import stored
from airflow_mlops.plan.compile import compile_plan
from airflow_mlops.plan.graph import DagPlan, Plan, Running, TaskNode, Trigger
from airflow_mlops.plan.stored import plan_from_json, plan_to_json

CONFIGS = Path(__file__).parents[2] / "configs"
EXAMPLES = sorted(
    path for path in CONFIGS.glob("*.yaml") if path.name not in ("defaults.yaml", "policy.yaml")
)


def through_json(plan: Plan) -> Plan:
    return plan_from_json(json.loads(json.dumps(plan_to_json(plan))))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_plan_of_every_example_survives(path: Path) -> None:
    loaded = load_model(path, Site(root=CONFIGS))
    plan = compile_plan(loaded.config, loaded.digest)
    assert through_json(plan) == plan


def test_a_moment_keeps_the_name_of_its_zone() -> None:
    start = datetime(2026, 3, 29, 6, tzinfo=ZoneInfo("Europe/Paris"))
    node = TaskNode("train", "train", settings={"weight": 0.1, "verdicts": ["a.b"]})
    end = datetime(2027, 1, 1, tzinfo=timezone.utc)
    trigger = Trigger("@daily", timezone="Europe/Paris", start=start, end=end, assets=("a", {"any": ["b"]}))
    running = Running(retries=2)
    plan = Plan(
        "rain", "d", (DagPlan("rain.train", "train", trigger, (node,), "", "", "me", ("a",), running),)
    )
    back = through_json(plan)
    assert back == plan
    assert back.dags[0].trigger.start is not None
    assert str(back.dags[0].trigger.start.tzinfo) == "Europe/Paris"


class _Corner(NamedTuple):
    spans: tuple[timedelta, ...] = ()
    at: Mapping[str, datetime] | None = None
    node: TaskNode | None = None
    depth: int | None = 3


def test_fields_of_other_types_need_no_change_here() -> None:
    corner = _Corner(
        (timedelta(hours=2),),
        {"first": datetime(2026, 1, 1, tzinfo=timezone.utc)},
        TaskNode("train", "train"),
        None,
    )
    assert stored._record_decoder(_Corner)(json.loads(json.dumps(stored._encoded(corner)))) == corner


def test_what_has_no_json_form_is_refused_when_it_is_stored_not_when_it_is_read() -> None:
    node = TaskNode("train", "train", settings={"path": Path("/x")})
    with pytest.raises(TypeError, match="Path"):
        stored._encoded(node)


def test_every_field_of_a_plan_has_a_form() -> None:
    """A field of a new type fails here, and not in somebody's cache."""
    for kind in (Plan, DagPlan, Trigger, TaskNode, Running):
        assert kind._fields
        stored._record_decoder(kind)


def test_a_field_at_its_default_is_left_out() -> None:
    assert plan_to_json(Plan("rain", "d", ())) == {"model": "rain", "config_digest": "d", "dags": []}
    assert through_json(Plan("rain", "d", ())._replace(model="snow")).model == "snow"
