"""From Airflow's connection to AWS: what boto3 is told, and what is said where something is missing."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from airflow_mlops.exceptions import ConfigError
from airflow_mlops.hooks.aws import aws_access


@pytest.fixture
def add(monkeypatch):
    def add_connection(**said):
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", **said}))

    return add_connection


def access(region=None, conn_id="aws_default"):
    return aws_access(conn_id, region=region, wanted_by="deploy.target.conn_id of model churn")


def test_keys_are_where_amazons_provider_has_them(add):
    add(login="AKIA1", password="hush", extra={"region_name": "eu-west-1", "aws_session_token": "t"})
    expected = {
        "region": "eu-west-1",
        "access_key": "AKIA1",
        "secret_key": "hush",
        "session_token": "t",
    }
    assert access() == expected
    add(extra={"aws_access_key_id": "AKIA1", "aws_secret_access_key": "hush", "aws_session_token": "t"})
    assert access("eu-west-1") == expected


def test_the_models_region_goes_before_the_connections(add):
    add(extra={"region_name": "eu-west-1"})
    assert access("us-east-1") == {"region": "us-east-1"}


def test_a_role_its_arguments_and_addresses_are_passed_on(add):
    add(
        extra={
            "role_arn": "arn:aws:iam::123456789012:role/deployer",
            "external_id": "us",
            "assume_role_kwargs": {"DurationSeconds": 3600},
            "endpoint_url": "http://127.0.0.1:5000",
            "service_config": {"s3": {"endpoint_url": "http://127.0.0.1:9000"}, "sts": {}},
            "session_kwargs": {"profile_name": "prod", "region_name": "eu-west-1"},
            "verify": False,
        }
    )
    assert access() == {
        "region": "eu-west-1",
        "profile": "prod",
        "role_arn": "arn:aws:iam::123456789012:role/deployer",
        "role_arguments": {"DurationSeconds": 3600, "ExternalId": "us"},
        "url": "http://127.0.0.1:5000",
        "urls": {"s3": "http://127.0.0.1:9000"},
        "verify": False,
    }
    json.dumps(access())


def test_without_a_connection_boto3_looks_for_itself():
    assert access(conn_id=None, region="eu-west-1") == {"region": "eu-west-1"}


def test_a_missing_connection_names_the_command():
    with pytest.raises(ConfigError) as caught:
        access()
    assert str(caught.value) == (
        "Airflow has no connection 'aws_default' (deploy.target.conn_id of model churn). Add it with: "
        """airflow connections add aws_default --conn-type aws --conn-extra '{"region_name": "eu-west-1"}'"""
    )


def test_a_role_by_web_identity_is_the_providers_business(add, monkeypatch):
    add(extra={"role_arn": "arn:aws:iam::1:role/r", "assume_role_method": "assume_role_with_web_identity"})
    monkeypatch.setattr("airflow_mlops.hooks.aws.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install apache-airflow-providers-amazon"):
        access()


def test_the_provider_where_it_is_installed_is_asked_for_temporary_keys(add, monkeypatch):
    """Its own class is not in the lock file: this one has what we use of it."""
    asked = []

    class AwsBaseHook:
        def __init__(self, *, aws_conn_id, client_type):
            asked.append((aws_conn_id, client_type))

        def get_credentials(self, *, region_name=None):
            asked.append(region_name)
            return SimpleNamespace(access_key="ASIA1", secret_key="hush", token="t")

    module = ModuleType("airflow.providers.amazon.aws.hooks.base_aws")
    module.AwsBaseHook = AwsBaseHook
    monkeypatch.setitem(sys.modules, "airflow.providers.amazon.aws.hooks.base_aws", module)
    monkeypatch.setattr("airflow_mlops.hooks.aws.find_spec", lambda name: object())
    add(extra={"role_arn": "arn:aws:iam::1:role/r", "assume_role_method": "assume_role_with_saml"})
    assert access("eu-west-1") == {
        "region": "eu-west-1",
        "access_key": "ASIA1",
        "secret_key": "hush",
        "session_token": "t",
    }
    assert asked == [("aws_default", "sts"), "eu-west-1"]
