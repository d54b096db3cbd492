"""What the API server does with objects: the stand-in, and a real one, are held to the same."""

from __future__ import annotations

import threading

import httpx
import pytest

from airflow_mlops.backends.kube.access import Access
from airflow_mlops.backends.kube.api import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    HTTP_ROUTES,
    PODS,
    SECRETS,
    SERVICES,
    Kind,
    KubeApi,
    KubeRefused,
)
from airflow_mlops.exceptions import BackendUnavailable, ConfigError


def config_map(name: str, /, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def route(**spec: object) -> dict:
    rules = [{"backendRefs": [{"name": "first", "port": 80, "weight": 1}]}]
    return {
        "metadata": {"name": "shop"},
        "spec": {"parentRefs": [{"name": "nobody"}], "rules": rules, **spec},
    }


def refused(call, *args, **kwargs) -> KubeRefused:
    with pytest.raises(KubeRefused) as caught:
        call(*args, **kwargs)
    return caught.value


# Objects


def test_an_object_is_read_as_it_was_created_with_an_identity_and_a_version(api, namespace) -> None:
    made = api.create(CONFIG_MAPS, namespace, config_map("one", a="1"))
    assert made["data"] == {"a": "1"}
    assert made["metadata"]["uid"]
    assert made["metadata"]["namespace"] == namespace
    assert api.get(CONFIG_MAPS, namespace, "one") == made
    assert api.get(CONFIG_MAPS, namespace, "two") is None


def test_a_name_that_is_taken_is_a_conflict(api, namespace) -> None:
    api.create(CONFIG_MAPS, namespace, config_map("one"))
    error = refused(api.create, CONFIG_MAPS, namespace, config_map("one"))
    assert (error.code, error.reason) == (409, "AlreadyExists")
    assert 'configmaps "one" already exists' in error.message


def test_a_namespace_that_is_not_there_is_named(api) -> None:
    error = refused(api.create, CONFIG_MAPS, "nowhere", config_map("one"))
    assert (error.code, error.message) == (404, 'namespaces "nowhere" not found')


def test_a_name_that_is_none_is_refused_with_its_field(api, namespace) -> None:
    error = refused(api.create, CONFIG_MAPS, namespace, config_map("Not_A_Name"))
    assert (error.code, error.reason, error.causes[0]["field"]) == (422, "Invalid", "metadata.name")


def test_a_kind_that_the_cluster_does_not_know_is_said_to_be_missing(api, namespace) -> None:
    unknown = Kind("gateway.networking.k8s.io/v9", "HTTPRoute", "httproutes")
    with pytest.raises(
        ConfigError, match=r"does not know httproutes of gateway.networking.k8s.io/v9.*install"
    ):
        api.get(unknown, namespace, "one")


def test_a_list_is_narrowed_by_labels(api, namespace) -> None:
    for name, tier in (("one", "gold"), ("two", "lead")):
        body = config_map(name)
        body["metadata"]["labels"] = {"tier": tier, "app": "shop"}
        api.create(CONFIG_MAPS, namespace, body)
    names = [
        one["metadata"]["name"] for one in api.find(CONFIG_MAPS, namespace, {"app": "shop", "tier": "gold"})
    ]
    assert names == ["one"]


def test_an_older_version_cannot_replace_a_newer_one(api, namespace) -> None:
    old = api.create(CONFIG_MAPS, namespace, config_map("one", a="1"))
    api.merge(CONFIG_MAPS, namespace, "one", {"data": {"a": "2"}})
    error = refused(api.replace, CONFIG_MAPS, namespace, {**old, "data": {"a": "3"}})
    assert (error.code, error.reason) == (409, "Conflict")
    assert "the object has been modified" in error.message
    assert error.owners == ()


def test_a_write_that_changes_nothing_makes_no_version(api, namespace) -> None:
    made = api.create(CONFIG_MAPS, namespace, config_map("one", a="1"))
    again = api.merge(CONFIG_MAPS, namespace, "one", {"data": {"a": "1"}})
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_deleting_what_is_not_there_is_no_error(api, namespace) -> None:
    api.create(CONFIG_MAPS, namespace, config_map("one"))
    for _ in range(2):
        api.delete(CONFIG_MAPS, namespace, "one")
    assert api.get(CONFIG_MAPS, namespace, "one") is None


def test_a_finalizer_holds_an_object_until_it_is_taken_away(api, namespace) -> None:
    body = config_map("one")
    body["metadata"]["finalizers"] = ["example.com/wait"]
    api.create(CONFIG_MAPS, namespace, body)
    api.delete(CONFIG_MAPS, namespace, "one")
    assert "deletionTimestamp" in api.get(CONFIG_MAPS, namespace, "one")["metadata"]
    api.merge(CONFIG_MAPS, namespace, "one", {"metadata": {"finalizers": None}})
    assert api.get(CONFIG_MAPS, namespace, "one") is None


def test_a_secret_is_written_as_text_and_read_as_base64(api, namespace) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"token": "hush"}}
    made = api.create(SECRETS, namespace, body)
    assert (made["data"], made["type"], "stringData" in made) == ({"token": "aHVzaA=="}, "Opaque", False)


# Patches


def test_a_merge_patch_removes_what_is_null_and_leaves_the_rest(api, namespace) -> None:
    api.create(CONFIG_MAPS, namespace, config_map("one", a="1", b="2"))
    changed = api.merge(CONFIG_MAPS, namespace, "one", {"data": {"a": None, "c": "3"}})
    assert changed["data"] == {"b": "2", "c": "3"}


def test_a_json_patch_whose_test_fails_changes_nothing(api, namespace) -> None:
    api.create(CONFIG_MAPS, namespace, config_map("one", a="1"))
    change = [
        {"op": "replace", "path": "/data/a", "value": "2"},
        {"op": "test", "path": "/data/a", "value": "1"},
    ]
    assert refused(api.json_patch, CONFIG_MAPS, namespace, "one", change).code == 422
    assert api.get(CONFIG_MAPS, namespace, "one")["data"] == {"a": "1"}
    done = api.json_patch(CONFIG_MAPS, namespace, "one", [change[1], change[0]])
    assert done["data"] == {"a": "2"}


def test_json_patch_moves_copies_adds_and_removes(api, namespace) -> None:
    api.create(CONFIG_MAPS, namespace, config_map("one", a="1", b="2"))
    change = [
        {"op": "copy", "from": "/data/a", "path": "/data/c"},
        {"op": "move", "from": "/data/b", "path": "/data/x~1y"},
        {"op": "remove", "path": "/data/a"},
        {"op": "add", "path": "/metadata/labels", "value": {"app": "shop"}},
    ]
    done = api.json_patch(CONFIG_MAPS, namespace, "one", change)
    assert (done["data"], done["metadata"]["labels"]) == ({"c": "1", "x/y": "2"}, {"app": "shop"})


# Server-side apply


def test_an_apply_creates_merges_and_removes_what_it_no_longer_names(api, namespace) -> None:
    api.apply(CONFIG_MAPS, namespace, config_map("one", a="1", b="2"))
    done = api.apply(CONFIG_MAPS, namespace, config_map("one", a="1", c="3"))
    assert done["data"] == {"a": "1", "c": "3"}
    again = api.apply(CONFIG_MAPS, namespace, config_map("one", a="1", c="3"))
    assert again["metadata"]["resourceVersion"] == done["metadata"]["resourceVersion"]


def test_what_another_has_written_stays(api, other, namespace) -> None:
    api.apply(CONFIG_MAPS, namespace, config_map("one", a="1"))
    other.merge(CONFIG_MAPS, namespace, "one", {"data": {"theirs": "2"}})
    done = api.apply(CONFIG_MAPS, namespace, config_map("one", b="3"))
    assert done["data"] == {"theirs": "2", "b": "3"}


def test_a_field_of_another_is_a_conflict_that_names_both(api, other, namespace) -> None:
    api.apply(CONFIG_MAPS, namespace, config_map("one", a="1"))
    other.merge(CONFIG_MAPS, namespace, "one", {"data": {"a": "theirs"}})
    error = refused(api.apply, CONFIG_MAPS, namespace, config_map("one", a="1"))
    assert (error.code, error.reason) == (409, "Conflict")
    assert 'Apply failed with 1 conflict: conflict with "somebody-else" using v1' in error.message
    (owner,) = error.owners
    assert owner.startswith(".data.a ")
    assert "somebody-else" in owner
    assert api.get(CONFIG_MAPS, namespace, "one")["data"] == {"a": "theirs"}


def test_two_appliers_conflict_by_name_and_share_what_they_agree_on(api, other, namespace) -> None:
    api.apply(CONFIG_MAPS, namespace, config_map("one", a="1", b="2"))
    other.apply(CONFIG_MAPS, namespace, config_map("one", a="1"))
    error = refused(other.apply, CONFIG_MAPS, namespace, config_map("one", a="1", b="9"))
    assert error.message == 'Apply failed with 1 conflict: conflict with "airflow-mlops": .data.b'
    done = api.apply(CONFIG_MAPS, namespace, config_map("one", c="3"))
    assert done["data"] == {"a": "1", "c": "3"}


def test_force_takes_the_field_away_from_its_owner(api, other, namespace) -> None:
    other.apply(CONFIG_MAPS, namespace, config_map("one", a="theirs"))
    done = api.apply(CONFIG_MAPS, namespace, config_map("one", a="1"), force=True)
    assert done["data"] == {"a": "1"}
    assert refused(other.apply, CONFIG_MAPS, namespace, config_map("one", a="theirs")).code == 409


def test_an_apply_of_an_older_version_is_a_conflict_without_owners(api, namespace) -> None:
    old = api.apply(CONFIG_MAPS, namespace, config_map("one", a="1"))["metadata"]["resourceVersion"]
    api.merge(CONFIG_MAPS, namespace, "one", {"data": {"b": "2"}})
    body = config_map("one", a="3")
    body["metadata"]["resourceVersion"] = old
    error = refused(api.apply, CONFIG_MAPS, namespace, body)
    assert (error.code, error.reason, error.owners) == (409, "Conflict", ())


def test_items_of_a_keyed_list_are_merged_one_by_one(api, other, namespace, deployment) -> None:
    api.apply(DEPLOYMENTS, namespace, deployment("shop", 0, env=[{"name": "OURS", "value": "1"}]))
    theirs = {"name": "server", "env": [{"name": "THEIRS", "value": "2"}]}
    other.apply(
        DEPLOYMENTS,
        namespace,
        {"metadata": {"name": "shop"}, "spec": {"template": {"spec": {"containers": [theirs]}}}},
    )
    done = api.apply(DEPLOYMENTS, namespace, deployment("shop", 0, env=[{"name": "NEW", "value": "3"}]))
    (container,) = done["spec"]["template"]["spec"]["containers"]
    assert {one["name"] for one in container["env"]} == {"THEIRS", "NEW"}


def test_a_list_without_keys_belongs_to_its_owner_whole(api, other, namespace) -> None:
    api.apply(HTTP_ROUTES, namespace, route())
    change = {"spec": {"rules": [{"backendRefs": [{"name": "second", "port": 80, "weight": 9}]}]}}
    other.merge(HTTP_ROUTES, namespace, "shop", change)
    error = refused(api.apply, HTTP_ROUTES, namespace, route())
    assert any(owner.startswith(".spec.rules ") for owner in error.owners)


def test_an_apply_of_a_field_that_no_schema_has_is_refused(api, namespace, deployment) -> None:
    body = deployment("shop", 0)
    body["spec"]["template"]["spec"]["containers"][0]["imagee"] = "typo"
    with pytest.raises(KubeRefused, match="imagee: field not declared in schema"):
        api.apply(DEPLOYMENTS, namespace, body)


# Schemas and status


def test_defaults_are_filled_in_and_unknown_fields_dropped(api, namespace, deployment) -> None:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment("shop", 0)}
    del body["spec"]["replicas"]
    body["spec"]["nonsense"] = True
    body["spec"]["template"]["spec"]["nodeSelector"] = {"no": "node"}
    made = api.create(DEPLOYMENTS, namespace, body)
    assert (made["spec"]["replicas"], made["spec"]["progressDeadlineSeconds"]) == (1, 600)
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Always"
    assert "nonsense" not in made["spec"]
    api.delete(DEPLOYMENTS, namespace, "shop")


@pytest.mark.parametrize(
    ("backend", "field"),
    [
        ({"name": "first", "port": 80, "weight": -1}, "spec.rules[0].backendRefs[0].weight"),
        ({"name": "first", "port": 80, "weight": 1_000_001}, "spec.rules[0].backendRefs[0].weight"),
        ({"name": "first", "port": "http"}, "spec.rules[0].backendRefs[0].port"),
        ({"port": 80}, "spec.rules[0].backendRefs[0].name"),
    ],
)
def test_a_route_with_a_wrong_value_is_refused_with_its_path(api, namespace, backend, field) -> None:
    body = route(rules=[{"backendRefs": [backend]}])
    body |= {"apiVersion": HTTP_ROUTES.api_version, "kind": "HTTPRoute"}
    error = refused(api.create, HTTP_ROUTES, namespace, body)
    assert (error.code, error.reason) == (422, "Invalid")
    assert field in {cause["field"] for cause in error.causes}


def test_a_selector_that_misses_its_own_pods_is_refused_and_never_changes(api, namespace, deployment) -> None:
    body = deployment("shop", 0)
    body["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    assert "does not match template `labels`" in refused(api.apply, DEPLOYMENTS, namespace, body).message
    api.apply(DEPLOYMENTS, namespace, deployment("shop", 0))
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    assert "field is immutable" in refused(api.apply, DEPLOYMENTS, namespace, body).message


def test_the_generation_counts_changes_of_the_spec_and_the_status_has_a_path_of_its_own(
    api, namespace
) -> None:
    made = api.apply(HTTP_ROUTES, namespace, route())
    assert made["metadata"]["generation"] == 1
    noted = {**route(), "metadata": {"name": "shop", "annotations": {"note": "x"}}}
    assert api.apply(HTTP_ROUTES, namespace, noted)["metadata"]["generation"] == 1
    api.merge(HTTP_ROUTES, namespace, "shop", {"status": {"parents": []}})
    assert "status" not in api.get(HTTP_ROUTES, namespace, "shop")
    change = {"status": {"parents": []}, "spec": {"hostnames": ["x.example"]}}
    api.merge(HTTP_ROUTES, namespace, "shop", change, subresource="status")
    found = api.get(HTTP_ROUTES, namespace, "shop")
    assert (found["status"], "hostnames" in found["spec"]) == ({"parents": []}, False)
    assert found["metadata"]["generation"] == 1
    renamed = api.apply(HTTP_ROUTES, namespace, route(hostnames=["shop.example"]))
    assert renamed["metadata"]["generation"] == 2


def test_defaults_inside_of_a_list_make_no_new_version(api, namespace) -> None:
    first = api.apply(HTTP_ROUTES, namespace, route())
    (backend,) = first["spec"]["rules"][0]["backendRefs"]
    assert backend == {"group": "", "kind": "Service", "name": "first", "port": 80, "weight": 1}
    assert first["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    again = api.apply(HTTP_ROUTES, namespace, route())
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


# Watching


def test_a_watch_tells_what_came_after_a_list(api, namespace) -> None:
    api.create(CONFIG_MAPS, namespace, config_map("before"))
    _, version = api.find_with_version(CONFIG_MAPS, namespace)

    def act() -> None:
        api.create(CONFIG_MAPS, namespace, config_map("one", a="1"))
        api.merge(CONFIG_MAPS, namespace, "one", {"data": {"a": "2"}})
        api.delete(CONFIG_MAPS, namespace, "one")

    acting = threading.Thread(target=act)
    acting.start()
    watched = api.watch(CONFIG_MAPS, namespace, version, silence_seconds=3)
    seen = [
        (event, one["metadata"]["name"], one.get("data")) for event, one in (next(watched) for _ in "123")
    ]
    acting.join()
    assert seen == [
        ("ADDED", "one", {"a": "1"}),
        ("MODIFIED", "one", {"a": "2"}),
        ("DELETED", "one", {"a": "2"}),
    ]


def test_a_watch_ends_when_nothing_happens(api, namespace) -> None:
    _, version = api.find_with_version(CONFIG_MAPS, namespace)
    assert list(api.watch(CONFIG_MAPS, namespace, version, silence_seconds=0.1)) == []


# Access


def test_a_wrong_token_is_named_and_not_shown(kube) -> None:
    access = Access(kube.access.server, "hush", ca_file=kube.access.ca_file)
    with pytest.raises(BackendUnavailable, match="does not know our token") as caught:
        KubeApi(access).find(PODS, "default")
    assert "hush" not in str(caught.value)


def test_what_no_role_grants_is_forbidden_and_an_apply_that_creates_needs_both_rights(
    kube, namespace
) -> None:
    worker = KubeApi(kube.access_of("worker-token"))
    with pytest.raises(
        BackendUnavailable, match=r'User "system:serviceaccount:airflow:worker" cannot list resource "pods"'
    ):
        worker.find(PODS, namespace)
    roles = "rbac.authorization.k8s.io/v1"
    kube.api.create(
        Kind(roles, "Role", "roles"),
        namespace,
        {
            "apiVersion": roles,
            "kind": "Role",
            "metadata": {"name": "reader"},
            "rules": [
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]},
            ],
        },
    )
    subject = {"kind": "ServiceAccount", "name": "worker", "namespace": "airflow"}
    kube.api.create(
        Kind(roles, "RoleBinding", "rolebindings"),
        namespace,
        {
            "apiVersion": roles,
            "kind": "RoleBinding",
            "metadata": {"name": "reader"},
            "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        },
    )
    assert worker.find(PODS, namespace) == []
    with pytest.raises(BackendUnavailable, match=r'cannot get resource "pods"'):
        worker.get(PODS, namespace, "one")
    with pytest.raises(BackendUnavailable, match=r'cannot list resource "services"'):
        worker.find(SERVICES, namespace)
    with pytest.raises(BackendUnavailable, match=r'cannot create resource "configmaps"'):
        worker.apply(CONFIG_MAPS, namespace, config_map("one"))
    kube.api.create(CONFIG_MAPS, namespace, config_map("one"))
    worker.apply(CONFIG_MAPS, namespace, config_map("one", a="1"))


def test_a_server_that_is_away_says_what_to_look_at() -> None:
    with pytest.raises(BackendUnavailable, match=r"http://127\.0\.0\.1:9 does not answer.*conn_id"):
        KubeApi(Access("http://127.0.0.1:9")).find(PODS, "default")


def test_health_needs_no_token(kube) -> None:
    verify = kube.access.ca_file or True
    assert httpx.get(f"{kube.access.server}/readyz", verify=verify, trust_env=False).text == "ok"
