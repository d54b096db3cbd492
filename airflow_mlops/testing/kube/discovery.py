"""The pages by which clients such as kubectl find out what is served."""

from __future__ import annotations

from airflow_mlops.testing.kube.resources import Catalog
from airflow_mlops.testing.kube.statuses import Object

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def page(path: str, catalog: Catalog) -> Object | None:
    """The page under this path, or None if it is no page of discovery."""
    path = path.rstrip("/")
    groups: dict[str, set[str]] = {}
    for resource in catalog:
        groups.setdefault(resource.group, set()).add(resource.version)
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.0+airflow-mlops-stand-in"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        named = sorted(group for group in groups if group)
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_group(name, groups[name]) for name in named],
        }
    match path.strip("/").split("/"):
        case ["api", "v1"]:
            return _resources("", "v1", catalog)
        case ["apis", group] if group in groups:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, groups[group])}
        case ["apis", group, version] if version in groups.get(group, ()):
            return _resources(group, version, catalog)
    return None


def _group(name: str, versions: set[str]) -> Object:
    named = [{"groupVersion": f"{name}/{version}", "version": version} for version in sorted(versions)]
    return {"name": name, "versions": named, "preferredVersion": named[0]}


def _resources(group: str, version: str, catalog: Catalog) -> Object:
    found = []
    for one in catalog:
        if (one.group, one.version) == (group, version):
            shape = {"singularName": one.kind.lower(), "namespaced": one.namespaced, "kind": one.kind}
            found.append({"name": one.plural, **shape, "verbs": _VERBS})
            if one.status:
                found.append({"name": f"{one.plural}/status", **shape, "verbs": ["get", "patch", "update"]})
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": found,
    }
