"""What is SageMaker's own: guarded updates, its refusals, and changes that are cut off anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.stub import ANY, Stubber

from airflow_mlops.core.values import ModelRef, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, ModelRefused, RolloutRefused

from .sagemaker_standin import BUCKET, REGION, ROLE, Refused, StandIn, sagemaker, tenths

pytestmark = pytest.mark.slow  # moto takes seconds to import

FIRST, SECOND, THIRD = (ModelRef("flights", version) for version in "123")
ROW = {"temp": 20.5, "carrier": "AA"}
GUARDRAILS = {"alarms": ["flights-5xx"], "shift": "linear", "percent": 25, "bake": "15 minutes"}


@pytest.fixture(scope="module")
def running() -> Iterator[StandIn]:
    with sagemaker() as stand_in:
        yield stand_in


@pytest.fixture
def aws(running: StandIn) -> StandIn:
    running.reset()
    running.answers = tenths
    return running


def champion(aws: StandIn, **changed: Any) -> Any:
    """A target whose first model was promoted."""
    target = aws.target(**changed)
    assert target.promote("first", FIRST) == Traffic(champion=FIRST)
    aws.updates.clear()
    return target


def brought_up(target: Any, rollout_id: str, version: ModelRef) -> None:
    for _ in range(20):
        if target.deploy(rollout_id, version).ready:
            return
    raise AssertionError("it does not come up")


def variants(aws: StandIn) -> dict[str, float]:
    return {one["VariantName"]: one["CurrentWeight"] for one in aws.endpoint("flights").production_variants}


def test_a_first_model_is_tried_on_an_endpoint_of_its_own_and_then_its_champion(aws: StandIn) -> None:
    target = aws.target()
    told = target.deploy("r", FIRST)
    assert (told.ready, told.said) == (False, "endpoint flights is being made")
    brought_up(target, "r", FIRST)
    assert target.traffic() == Traffic(champion=None, rollout_id="r")
    assert target.smoke(FIRST, [ROW]) == [0.1]
    with pytest.raises(RolloutRefused, match="a first model is promoted at once"):
        target.set_traffic("r", FIRST, mode="canary", weight=0.1)
    assert target.promote("r", FIRST) == Traffic(champion=FIRST)
    assert aws.updates == []  # it stands there already


def test_a_first_model_that_does_not_come_up_is_refused_with_sagemakers_reason(aws: StandIn) -> None:
    target = aws.target()
    aws.next_change_fails("The primary container did not pass the ping health check.")
    with pytest.raises(ModelRefused, match=r"is Failed: The primary container did not pass the ping"):
        brought_up(target, "r", FIRST)
    assert target.roll_back("r") == Traffic(champion=None)
    brought_up(target, "s", SECOND)
    assert target.promote("s", SECOND) == Traffic(champion=SECOND)


def test_the_endpoint_of_a_first_model_that_was_given_up_is_made_anew_for_the_next(aws: StandIn) -> None:
    target = aws.target()
    brought_up(target, "r", FIRST)
    assert "never promoted" in target.deploy("s", SECOND).said
    brought_up(target, "s", SECOND)
    assert target.smoke(SECOND, [ROW]) == [0.2]


def test_an_update_that_sagemaker_took_back_is_never_reported_as_done(aws: StandIn) -> None:
    target = champion(aws)
    aws.next_change_fails("Unable to provision the requested capacity.")
    with pytest.raises(ModelRefused, match=r"rolled the update of endpoint flights .* Unable to provision"):
        target.set_traffic("r", SECOND, mode="canary", weight=0.1)
    traffic = target.traffic()
    assert (traffic.champion, traffic.weight) == (FIRST, 0.0)
    assert target.roll_back("r") == Traffic(champion=FIRST)


def test_a_deploy_that_sagemaker_took_back_is_refused_until_another_rollout_tries(aws: StandIn) -> None:
    target = champion(aws)
    aws.next_change_fails("no capacity")
    assert not target.deploy("r", SECOND).ready
    aws.clock.sleep(120)
    with pytest.raises(ModelRefused, match="no capacity"):
        brought_up(target, "r", SECOND)
    with pytest.raises(ModelRefused, match="no capacity"):
        target.smoke(SECOND, [ROW])
    assert len(aws.updates) == 1  # another one would take the same minutes
    target.roll_back("r")
    brought_up(target, "s", SECOND)


def test_an_endpoint_that_is_described_as_it_was_is_not_taken_for_rolled_back(aws: StandIn) -> None:
    target = champion(aws)
    aws.looks = 1
    target.deploy("r", SECOND)
    endpoint = aws.endpoint("flights")
    becoming = endpoint.becoming  # type: ignore[attr-defined]  # the stand-in's
    endpoint.becoming, endpoint.endpoint_status = None, "InService"  # type: ignore[attr-defined]
    assert not target.deploy("r", SECOND).ready
    endpoint.becoming, endpoint.endpoint_status = becoming, "Updating"  # type: ignore[attr-defined]
    brought_up(target, "r", SECOND)
    assert len(aws.updates) == 1


def test_a_canary_keeps_the_instances_that_the_champion_has_scaled_to(aws: StandIn) -> None:
    target = champion(aws)
    target.set_traffic("r", SECOND, mode="canary", weight=0.1)
    (update,) = aws.updates
    assert update["RetainAllVariantProperties"] is True
    assert update["ExcludeRetainedVariantProperties"] == [{"VariantPropertyType": "DesiredWeight"}]
    assert "DeploymentConfig" not in update
    assert variants(aws) == pytest.approx({"blue": 0.9, "green": 0.1})
    target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    assert len(aws.updates) == 1  # weights alone
    target.promote("r", SECOND)
    assert variants(aws) == {"green": 1.0}
    target.set_traffic("s", THIRD, mode="canary", weight=0.5)
    assert variants(aws) == {"green": 0.5, "blue": 0.5}


def test_a_champion_is_never_made_anew_because_the_image_is_another(aws: StandIn) -> None:
    champion(aws)
    target = aws.target(image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow-pyfunc:next")
    target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    before = aws.endpoint("flights").endpoint_config_name
    target.roll_back("r")
    aws.target().roll_back("r")
    assert aws.endpoint("flights").endpoint_config_name != before
    assert target.traffic() == Traffic(champion=FIRST)


@pytest.mark.parametrize("guardrails", [None, GUARDRAILS])
def test_what_was_brought_up_and_never_asked_is_named_so_that_its_rollout_takes_it_down(
    aws: StandIn, guardrails: Any
) -> None:
    target = champion(aws, guardrails=guardrails)
    brought_up(target, "flights-v2", SECOND)
    assert target.traffic() == Traffic(champion=FIRST, rollout_id="flights-v2")
    assert target.roll_back("flights-v2") == Traffic(champion=FIRST)
    assert variants(aws) == {"blue": 1.0}
    with pytest.raises(KeyError):
        aws.endpoint("flights-candidate")


def test_a_guarded_update_says_in_awss_terms_what_the_yaml_says(aws: StandIn) -> None:
    target = champion(aws, guardrails=GUARDRAILS)
    brought_up(target, "r", SECOND)
    assert target.smoke(SECOND, [ROW]) == [0.2]
    assert aws.updates == []  # it was tried elsewhere
    told = target.set_traffic("r", SECOND, mode="canary", weight=1.0)
    assert told == Traffic(FIRST, SECOND, "canary", 1.0, "r")
    (update,) = aws.updates
    assert update["DeploymentConfig"] == {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "LINEAR",
                "WaitIntervalInSeconds": 300,
                "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25},
            },
            "TerminationWaitInSeconds": 900,
            "MaximumExecutionTimeoutInSeconds": 7200,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "flights-5xx"}]},
    }
    assert target.promote("r", SECOND) == Traffic(champion=SECOND)
    assert len(aws.updates) == 1
    assert variants(aws) == {"blue": 1.0}  # the same variant: guardrails want that


def test_a_guarded_update_that_aws_took_back_is_refused_and_names_the_alarms(aws: StandIn) -> None:
    target = champion(aws, guardrails=GUARDRAILS)
    aws.next_change_fails("Alarm flights-5xx is in alarm state.")
    with pytest.raises(ModelRefused, match=r"rolled .* back.*in alarm state.*watches the alarms flights-5xx"):
        target.promote("r", SECOND)
    assert target.traffic() == Traffic(champion=FIRST)


def test_a_guarded_rollout_goes_back_without_the_alarms_and_leaves_no_trial_behind(aws: StandIn) -> None:
    target = champion(aws, guardrails=GUARDRAILS)
    brought_up(target, "r", SECOND)
    target.set_traffic("r", SECOND, mode="canary", weight=1.0)
    assert target.roll_back("r") == Traffic(champion=FIRST)
    assert "DeploymentConfig" not in aws.updates[-1]
    with pytest.raises(KeyError):
        aws.endpoint("flights-candidate")


def test_guardrails_hold_no_share_and_no_shadow(aws: StandIn) -> None:
    target = champion(aws, guardrails=GUARDRAILS)
    for mode, weight in (("canary", 0.1), ("shadow", 0.0)):
        with pytest.raises(ConfigError, match="strategy: blue_green or direct"):
            target.set_traffic("r", SECOND, mode=mode, weight=weight)


def test_a_shadow_gets_a_copy_of_every_request_and_stands_where_nobody_reaches_it(aws: StandIn) -> None:
    target = champion(aws)
    target.set_traffic("r", SECOND, mode="shadow", weight=0.0)
    assert variants(aws) == {"blue": 1.0}
    assert target.deploy("r", SECOND).ready
    with pytest.raises(RolloutRefused, match="it is a shadow"):
        target.smoke(SECOND, [ROW])
    assert target.set_traffic("r", SECOND, mode="canary", weight=0.1).weight == 0.1
    assert target.observe("r").weight == 0.1  # although SageMaker has 0.10000000149: judged to the digit
    assert target.smoke(SECOND, [ROW]) == [0.2]


def test_an_endpoint_that_is_not_ours_is_left_alone(aws: StandIn) -> None:
    target = champion(aws)
    with pytest.raises(ModelRefused, match="serves flights version 1, not trains"):
        aws.target(model="trains").traffic()
    with pytest.raises(ModelRefused, match="serves flights, not trains"):
        target.set_traffic("r", ModelRef("trains", "2"), mode="canary", weight=0.5)
    aws.endpoint("flights").tags = []
    for change in (
        lambda: target.promote("r", SECOND),
        lambda: target.deploy("r", SECOND),
        lambda: target.roll_back("r"),
    ):
        with pytest.raises(ModelRefused, match="was not made by this package"):
            change()
    assert variants(aws) == {"blue": 1.0}


def test_errors_and_latency_are_those_of_whole_minutes_of_the_stage(aws: StandIn) -> None:
    def answers(version: str, rows: list[dict[str, Any]]) -> list[Any]:
        if version == "2":
            raise Refused("out of memory", status=500)
        return tenths(version, rows)

    target = champion(aws)
    aws.answers = answers
    aws.latency |= {"1": 0.002, "2": 0.25}
    target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    _ask(aws, "blue", "green")  # in the minute in which the stage began
    early = target.observe("r")
    assert (early.champion.rows, early.challenger.rows, early.challenger.latency_p99_seconds) == (0, 0, None)
    aws.clock.to_the_next_minute()
    _ask(aws, *["blue"] * 3, *["green"] * 2)
    unfinished = target.observe("r").challenger
    assert (unfinished.rows, unfinished.latencies) == (0, ())  # that minute is not over
    aws.clock.to_the_next_minute()
    seen = target.observe("r")
    assert (seen.champion.rows, seen.champion.errors) == (3, 0)
    assert (seen.challenger.rows, seen.challenger.errors) == (2, 2)
    assert seen.champion.latency_p50_seconds == pytest.approx(0.002)
    assert seen.challenger.latency_p99_seconds == pytest.approx(0.25)
    for arm, seconds in ((seen.champion, 0.002), (seen.challenger, 0.25)):
        (place,) = [place for place, count in enumerate(arm.latencies) if count]
        assert seen.latency_edges[place - 1] < seconds <= seen.latency_edges[place]
        assert arm.latencies[place] == arm.rows


def _ask(aws: StandIn, *targets: str) -> None:
    for variant in targets:
        try:
            aws.answer("flights", [ROW], variant)
        except Refused:
            continue


@pytest.mark.parametrize(("counts", "errors"), [(False, 0), (True, 1)])
def test_an_answer_of_4xx_is_an_error_only_where_the_yaml_says_so(
    aws: StandIn, counts: bool, errors: int
) -> None:
    target = champion(aws, client_errors=counts)
    target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    aws.clock.to_the_next_minute()
    with pytest.raises(Refused):
        aws.answer("flights", [{}], "green")
    aws.clock.to_the_next_minute()
    assert target.observe("r").challenger.errors == errors


class CutOff(BaseException):
    """The worker was killed."""


CHANGES: dict[str, Callable[[Any], Traffic]] = {
    "canary": lambda target: target.set_traffic("r", SECOND, mode="canary", weight=0.25),
    "promote": lambda target: target.promote("r", SECOND),
    "roll back": lambda target: target.roll_back("r"),
}


@pytest.mark.parametrize(
    ("change", "guarded"),
    [("canary", False), ("promote", False), ("roll back", False), ("promote", True), ("roll back", True)],
)
def test_a_change_that_is_cut_off_anywhere_is_finished_when_it_is_asked_for_again(
    aws: StandIn, change: str, guarded: bool
) -> None:
    """After each call that changes something, in turn, until one whole change goes through."""
    with aws.without_http():
        _cut_off_everywhere(aws, change, guarded)


def _cut_off_everywhere(aws: StandIn, change: str, guarded: bool) -> None:
    for cut in range(1, 20):
        aws.reset()
        aws.looks = 1
        target = champion(aws, **({"guardrails": GUARDRAILS} if guarded else {}))
        if change == "roll back":
            target.set_traffic("r", SECOND, mode="canary", weight=1.0)
        with suppress(CutOff), cut_off_after(target, cut) as made:
            CHANGES[change](target)
        again = CHANGES[change](target)
        canary = Traffic(FIRST, SECOND, "canary", 0.25, "r")
        expected = {"canary": canary, "promote": Traffic(champion=SECOND)}
        assert again == expected.get(change, Traffic(champion=FIRST))
        assert target.traffic() == again
        assert len(variants(aws)) == (2 if change == "canary" else 1)
        if len(made) < cut:
            break
    assert 3 < cut < 19, f"only {made}, or without an end"


@contextmanager
def cut_off_after(target: Any, count: int) -> Iterator[list[str]]:
    """Ends the process, so to say, after its ``count``-th call that changes something."""
    made: list[str] = []
    real = target._aws._ask

    def counted(service: str, operation: str, *told: Any) -> Any:
        answer = real(service, operation, *told)
        if not operation.startswith(("describe", "list", "get")):
            made.append(operation)
            if len(made) == count:
                raise CutOff
        return answer

    with patch.object(target._aws, "_ask", counted):
        yield made


def refused(target: Any, operation: str, code: str, message: str, status: int = 400) -> Stubber:
    """botocore's own stub: the next call of SageMaker is this one, and is answered so."""
    stubber = Stubber(target._aws.client("sagemaker"))
    stubber.add_client_error(operation, code, message, status)
    return stubber


@pytest.mark.parametrize(
    ("code", "message", "error", "said"),
    [
        (
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/a is not authorized to perform: sagemaker:DescribeEndpoint",
            ConfigError,
            r"AWS refused sagemaker:DescribeEndpoint: User: .* Allow it to the caller; docs/how-to/sagemaker",
        ),
        (
            "ValidationException",
            f"Could not assume role {ROLE}. Please ensure that the role exists",
            ConfigError,
            r"for the role: Could not assume role .* Look at deploy.target.role.*iam:PassRole",
        ),
        (
            "ResourceLimitExceeded",
            "The account-level service limit 'ml.m5.large for endpoint usage' is 0 Instances",
            BackendUnavailable,
            r"for a quota: .*ml.m5.large.*Service Quotas",
        ),
        ("UnrecognizedClientException", "The token is invalid", ConfigError, "does not know who asks"),
        ("ExpiredTokenException", "The token is expired", BackendUnavailable, "have expired"),
        ("ThrottlingException", "Rate exceeded", BackendUnavailable, "ThrottlingException: Rate exceeded"),
        ("ValidationException", "Cannot update in-progress endpoint x", BackendUnavailable, "in-progress"),
        ("ValidationException", "1 validation error detected", ModelRefused, "1 validation error"),
    ],
)
def test_a_refusal_of_aws_says_who_can_do_what_about_it(
    aws: StandIn, code: str, message: str, error: type[Exception], said: str
) -> None:
    target = aws.target(access={})
    with (
        refused(target, "describe_endpoint", code, message),
        pytest.raises(error, match=said),
    ):
        target.traffic()


def test_what_was_just_made_and_is_not_known_everywhere_yet_is_asked_for_again(aws: StandIn) -> None:
    target = aws.target()
    client = target._aws.client("sagemaker")
    name, config = "flights-v1-00000000", "flights-11111111"
    variant = {
        "VariantName": "blue",
        "ModelName": name,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "InitialVariantWeight": 1.0,
    }
    arn = f"arn:aws:sagemaker:{REGION}:123456789012:endpoint/flights"
    with Stubber(client) as stubber:
        stubber.add_client_error(
            "describe_endpoint", "ValidationException", 'Could not find endpoint "flights".'
        )
        stubber.add_client_error("describe_model", "ValidationException", "Could not find model")
        stubber.add_response("create_model", {"ModelArn": f"{arn}-model-xxxxxxxxxxxx"})
        for _ in range(2):
            stubber.add_client_error(
                "create_endpoint_config", "ValidationException", f"Could not find model {name}"
            )
        stubber.add_response(
            "create_endpoint_config",
            {"EndpointConfigArn": f"{arn}-config"},
            {"EndpointConfigName": ANY, "ProductionVariants": [{**variant, "ModelName": ANY}]},
        )
        stubber.add_client_error(
            "create_endpoint", "ValidationException", f"Could not find endpoint configuration {config}"
        )
        stubber.add_response("create_endpoint", {"EndpointArn": arn})
        before = aws.clock.now()
        assert not target.deploy("r", FIRST).ready
        stubber.assert_no_pending_responses()
    assert aws.clock.now() - before > timedelta(seconds=14)


def test_an_update_that_ends_in_service_with_another_configuration_was_rolled_back(aws: StandIn) -> None:
    """As AWS answers it, by botocore's stub: in service again, and boto's waiter would be content."""
    target = aws.target(guardrails=GUARDRAILS)
    endpoint, client = target._endpoint, target._aws.client("sagemaker")
    arn = f"arn:aws:sagemaker:{REGION}:123456789012:endpoint/flights"
    when = datetime(2026, 11, 1, tzinfo=timezone.utc)

    def described(status: str, **more: Any) -> dict[str, Any]:
        return {
            "EndpointName": "flights",
            "EndpointArn": arn,
            "EndpointConfigName": "flights-old",
            "EndpointStatus": status,
            "CreationTime": when,
            "LastModifiedTime": when,
            "ProductionVariants": [{"VariantName": "blue", "CurrentWeight": 1.0}],
            **more,
        }

    config = {
        "EndpointConfigName": "flights-old",
        "EndpointConfigArn": f"{arn}-config",
        "CreationTime": when,
        "ProductionVariants": [{"VariantName": "blue", "ModelName": "flights-v1-0123abcd"}],
    }
    tags = {"Tags": [{"Key": "airflow-mlops:model", "Value": "flights"}]}
    with Stubber(client) as stubber:

        def one_look(status: str, **more: Any) -> None:
            stubber.add_response("describe_endpoint", described(status, **more), {"EndpointName": "flights"})
            stubber.add_response("describe_endpoint_config", config, {"EndpointConfigName": "flights-old"})
            stubber.add_response("list_tags", tags, {"ResourceArn": arn})

        one_look("InService")
        seen = endpoint.look()
        stubber.add_response(
            "update_endpoint",
            {"EndpointArn": arn},
            {
                "EndpointName": "flights",
                "EndpointConfigName": "flights-new",
                "RetainAllVariantProperties": True,
                "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
            },
        )
        stubber.add_response("add_tags", {"Tags": []}, {"ResourceArn": arn, "Tags": ANY})
        pending = {"EndpointConfigName": "flights-new"}
        one_look("InService")  # not yet known everywhere
        one_look("Updating", PendingDeploymentSummary=pending)
        one_look("RollingBack")
        for _ in range(4):
            one_look("InService", FailureReason="Alarm flights-5xx is in alarm state")
        with pytest.raises(ModelRefused, match=r"to flights-new back, and it serves flights-old again: Al"):
            endpoint.update(seen, "flights-new")


def test_aws_that_is_away_can_be_tried_again(aws: StandIn, monkeypatch: Any) -> None:
    monkeypatch.setattr("airflow_mlops.backends.sagemaker.session._ATTEMPTS", 2)
    target = aws.target(access={"url": "http://127.0.0.1:9"})
    with pytest.raises(BackendUnavailable, match="AWS does not answer sagemaker:DescribeEndpoint"):
        target.traffic()


def test_nobody_to_ask_as_is_said_with_what_to_fill_in(aws: StandIn, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    target = aws.target(access={"access_key": None})
    with pytest.raises(ConfigError, match=r"without credentials.*deploy\.target\.conn_id"):
        target.traffic()


def test_a_role_of_the_connection_is_assumed_and_renewed(aws: StandIn) -> None:
    role = {"role_arn": "arn:aws:iam::123456789012:role/deployer", "role_arguments": {"ExternalId": "us"}}
    target = aws.target(access=role)
    assert target.promote("r", FIRST) == Traffic(champion=FIRST)
    session = target._aws._session
    assert session.get_credentials().method == "assume-role"


def test_the_bucket_has_each_version_once_under_its_own_name(aws: StandIn) -> None:
    target = champion(aws)
    target.set_traffic("r", SECOND, mode="canary", weight=0.5)
    listed = target._aws.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [one["Key"] for one in listed] == [
        "models/flights/1/model.tar.gz",
        "models/flights/2/model.tar.gz",
    ]


def test_the_policy_of_the_documentation_allows_what_is_asked_for_and_nothing_else(aws: StandIn) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "sagemaker.md").read_text()
    (text,) = re.findall(r"^```json policy\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    allowed: set[str] = set()
    for statement in json.loads(text)["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
    aws.asked.clear()
    target = aws.target()
    brought_up(target, "r", FIRST)
    target.roll_back("r")
    target.promote("r", FIRST)
    target.set_traffic("s", SECOND, mode="shadow", weight=0.0)
    target.set_traffic("s", SECOND, mode="canary", weight=0.5)
    target.smoke(SECOND, [ROW])
    aws.clock.sleep(180)
    target.observe("s")
    target.promote("s", SECOND)
    guarded = aws.target(guardrails=GUARDRAILS)
    brought_up(guarded, "t", THIRD)
    guarded.set_traffic("t", THIRD, mode="canary", weight=1.0)
    guarded.roll_back("t")
    # Whoever makes a model passes its role on; AWS has no call of this name.
    assert aws.asked | {"iam:PassRole"} == allowed
