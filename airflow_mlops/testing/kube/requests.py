"""A request to the API server, taken apart, and its answer where it is about objects alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from airflow_mlops.testing.kube.fields import Owner
from airflow_mlops.testing.kube.objects import Objects, now
from airflow_mlops.testing.kube.patches import json_patch, merge_patch
from airflow_mlops.testing.kube.resources import Resource
from airflow_mlops.testing.kube.rights import Act
from airflow_mlops.testing.kube.selectors import Selector
from airflow_mlops.testing.kube.statuses import ApiError, Object, bad_request, not_found, success

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, taken apart. ``rest`` is what follows a subresource: the path behind ``proxy``."""

    method: str
    resource: Resource
    namespace: str | None
    name: str = ""
    subresource: str = ""
    rest: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    agent: str = "unknown"
    body: bytes = b""

    @property
    def act(self) -> Act:
        verb = _VERBS[self.method]
        if verb == "get" and not self.name:
            verb = "watch" if self.watches else "list"
        if verb == "delete" and not self.name:
            verb = "deletecollection"
        full = self.resource.plural + (f"/{self.subresource}" if self.subresource else "")
        name = self.name.partition(":")[0]
        return Act(verb, self.resource.group, full, self.namespace, name)

    @property
    def watches(self) -> bool:
        return self.query.get("watch") in ("1", "true")

    @property
    def applies(self) -> bool:
        return self.method == "PATCH" and self.content_type == "application/apply-patch+yaml"

    @property
    def selector(self) -> Selector:
        return Selector(self.query.get("labelSelector", ""), self.query.get("fieldSelector", ""))

    def owner(self, operation: str) -> Owner:
        """Who writes: the field manager that is named, else the first part of the client's User-Agent."""
        manager = self.query.get("fieldManager") or self.agent.partition("/")[0]
        subresource = self.subresource if self.subresource == "status" else ""
        return Owner(manager, operation, self.resource.api_version, subresource, now())

    def json(self) -> Any:
        try:
            # JSON is YAML, and an apply may be either.
            return yaml.safe_load(self.body) if "yaml" in self.content_type else json.loads(self.body)
        except (ValueError, yaml.YAMLError) as error:
            raise bad_request(f"the request's body cannot be read: {error}") from error


def plain_answer(objects: Objects, request: Request) -> tuple[int, Object]:
    """A request about objects alone: its code and its body."""
    resource, namespace, name, subresource = (
        request.resource,
        request.namespace,
        request.name,
        request.subresource,
    )
    if subresource and not (subresource == "status" and resource.status):
        raise not_found(resource.full_name, f"{name}/{subresource}")
    match request.method:
        case "GET" if name:
            return 200, objects.get(resource, namespace, name)
        case "GET":
            return 200, objects.list(resource, namespace, request.selector)
        case "POST" if not name:
            return 201, objects.create(resource, namespace, request.json(), request.owner("Update"))
        case "PUT" if name:
            written = objects.replace(
                resource, namespace, name, request.json(), subresource, request.owner("Update")
            )
            return 200, written
        case "PATCH" if name:
            return _patch(objects, request)
        case "DELETE" if name:
            return 200, _delete(objects, request)
    raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def _patch(objects: Objects, request: Request) -> tuple[int, Object]:
    resource, namespace, name, subresource = (
        request.resource,
        request.namespace,
        request.name,
        request.subresource,
    )
    change = request.json()
    match request.content_type:
        case "application/apply-patch+yaml":
            if not request.query.get("fieldManager"):
                raise bad_request("fieldManager is required for apply patch")
            force = request.query.get("force") in ("1", "true")
            before = objects.list(resource, namespace, Selector(fields=f"metadata.name={name}"))["items"]
            applied = objects.apply(
                resource, namespace, name, change, subresource, request.owner("Apply"), force=force
            )
            return (200 if before else 201), applied
        case "application/merge-patch+json":
            patched = objects.update(
                resource,
                namespace,
                name,
                lambda old: merge_patch(old, change),
                subresource,
                request.owner("Update"),
            )
            return 200, patched
        case "application/json-patch+json":
            patched = objects.update(
                resource,
                namespace,
                name,
                lambda old: json_patch(old, change),
                subresource,
                request.owner("Update"),
            )
            return 200, patched
        case other:
            raise ApiError(
                415,
                "UnsupportedMediaType",
                f"the body of the request was in an unknown format - {other} is not an accepted media type",
            )


def _delete(objects: Objects, request: Request) -> Object:
    options = request.json() if request.body else {}
    grace = options.get("gracePeriodSeconds", request.query.get("gracePeriodSeconds"))
    left = objects.delete(
        request.resource,
        request.namespace,
        request.name,
        grace_seconds=None if grace is None else int(grace),
        uid=(options.get("preconditions") or {}).get("uid"),
    )
    return success({"name": request.name, "kind": request.resource.plural}) if left is None else left


def bind(objects: Objects, request: Request) -> Object:
    """Give a pod to a node, as the scheduler does."""
    node = request.json()["target"]["name"]

    def bound(pod: Object) -> Object:
        if pod["spec"].get("nodeName"):
            raise ApiError(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on pods/binding "{request.name}": pod {request.name} is '
                f'already assigned to node "{pod["spec"]["nodeName"]}"',
            )
        pod["spec"]["nodeName"] = node
        return pod

    objects.update(request.resource, request.namespace, request.name, bound, "", request.owner("Update"))
    return success()
