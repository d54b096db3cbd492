"""The objects of a cluster: every write checked, counted and told to those who watch."""

from __future__ import annotations

import copy
import re
import secrets
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from airflow_mlops.testing.kube import admission, schema
from airflow_mlops.testing.kube.apply import apply, track
from airflow_mlops.testing.kube.fields import Owner
from airflow_mlops.testing.kube.resources import Catalog, Resource
from airflow_mlops.testing.kube.selectors import Selector
from airflow_mlops.testing.kube.statuses import (
    ApiError,
    Object,
    already_exists,
    bad_request,
    invalid,
    modified,
    not_found,
)

Key = tuple[str, str, str]
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
# What the server itself writes into the metadata; a client's own value is left aside.
_OF_THE_SERVER = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Change:
    """One version of one object: what it was before (None: not there) and after (None: deleted)."""

    version: int
    resource: Resource
    namespace: str | None
    before: Object | None
    after: Object | None


class Objects:
    """All objects, behind one lock. Writes answer with the object as it is then; every error is an
    ``ApiError``. The last ``history`` changes can be watched from; who asks for older ones is told so."""

    def __init__(self, catalog: Catalog, history: int = 1_000) -> None:
        self.catalog = catalog
        self._changed = threading.Condition(threading.RLock())
        self._kept: dict[Key, Object] = {}
        self._version = 0
        self._changes: deque[Change] = deque(maxlen=history)

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        with self._changed:
            found = self._kept.get((resource.full_name, namespace or "", name))
            if found is None:
                raise not_found(resource.full_name, name)
            return copy.deepcopy(found)

    def list(self, resource: Resource, namespace: str | None, selector: Selector) -> Object:
        with self._changed:
            found = [
                copy.deepcopy(one)
                for (kind, place, _), one in sorted(self._kept.items())
                if kind == resource.full_name and namespace in (None, place) and selector.matches(one)
            ]
            return {
                "kind": f"{resource.kind}List",
                "apiVersion": resource.api_version,
                "metadata": {"resourceVersion": str(self._version)},
                "items": found,
            }

    def create(self, resource: Resource, namespace: str | None, body: Object, owner: Owner) -> Object:
        with self._changed:
            new = self._of_kind(resource, namespace, body)
            metadata = new["metadata"]
            if "generateName" in metadata and not metadata.get("name"):
                metadata["name"] = f"{metadata['generateName']}{secrets.token_hex(3)[:5]}"
            name = metadata.get("name", "")
            if (resource.full_name, namespace or "", name) in self._kept:
                raise already_exists(resource.full_name, name)
            if metadata.get("resourceVersion"):
                raise bad_request("resourceVersion should not be set on objects to be created")
            if resource.status and resource.kind not in ("Namespace", "Node"):
                new.pop("status", None)
            schema.prune(new, resource.schema)
            return self._created(resource, namespace, new, owner)

    def replace(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Object,
        subresource: str,
        owner: Owner,
    ) -> Object:
        def whole(_: Object) -> Object:
            return self._of_kind(resource, namespace, body)

        return self.update(resource, namespace, name, whole, subresource, owner)

    def update(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        change: Callable[[Object], Object],
        subresource: str,
        owner: Owner,
    ) -> Object:
        """Change an object by a function of its present form, as a PUT and every kind of patch does."""
        with self._changed:
            old = self.get(resource, namespace, name)
            new = change(copy.deepcopy(old))
            if new.get("metadata", {}).get("name") != name:
                raise bad_request(f"the name of the object does not match the name on the URL ({name})")
            admission.check_version(resource, old, new)
            schema.prune(new, resource.schema)
            new = admission.only(resource, old, new, subresource)
            schema.fill_defaults(new, resource.schema)
            track(old, new, resource, owner)
            return self._updated(resource, namespace, old, new)

    def apply(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Object,
        subresource: str,
        owner: Owner,
        *,
        force: bool,
    ) -> Object:
        """Server-side apply; it creates what is not there."""
        with self._changed:
            wanted = self._of_kind(resource, namespace, body)
            if wanted["metadata"].setdefault("name", name) != name:
                raise bad_request(f"the name of the object does not match the name on the URL ({name})")
            if wanted["metadata"].get("managedFields"):
                raise bad_request("metadata.managedFields must be nil")
            for place, _, _ in schema.unknown_fields(wanted, resource.schema):
                raise ApiError(
                    500,
                    "",
                    f"failed to create typed patch object ({namespace}/{name}; {resource.api_version}, "
                    f"Kind={resource.kind}): {place}: field not declared in schema",
                )
            try:
                old = self.get(resource, namespace, name)
            except ApiError:
                if wanted["metadata"].get("resourceVersion") or subresource:
                    raise
                new = apply({}, wanted, resource, owner, force=force)
                new = {**wanted, **new, "metadata": {**wanted["metadata"], **new["metadata"]}}
                return self._created(resource, namespace, new, None)
            admission.check_version(resource, old, wanted)
            merged = apply(old, wanted, resource, owner, force=force)
            new = admission.only(resource, old, merged, subresource)
            schema.fill_defaults(new, resource.schema)
            return self._updated(resource, namespace, old, new)

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        grace_seconds: int | None,
        uid: str | None,
    ) -> Object | None:
        """Delete an object. None if it is gone at once; else its last form: a pod that a kubelet has yet to
        end, or an object whose finalizers have yet to run."""
        with self._changed:
            old = self.get(resource, namespace, name)
            if uid not in (None, old["metadata"]["uid"]):
                raise modified(resource.full_name, name)
            if resource.kind == "Pod" and old["spec"].get("nodeName") and grace_seconds != 0:
                grace = (
                    old["spec"]["terminationGracePeriodSeconds"] if grace_seconds is None else grace_seconds
                )
                return self._marked(resource, namespace, old, grace)
            if old["metadata"].get("finalizers"):
                return self._marked(resource, namespace, old, 0)
            self._gone(resource, namespace, old)
            return None

    def watch(
        self,
        resource: Resource,
        namespace: str | None,
        since: str,
        selector: Selector,
        stopped: Callable[[], bool],
    ) -> Iterator[Object]:
        """Events after a version, until ``stopped``: it is asked twice a second."""
        if since in ("", "0"):
            with self._changed:
                start = self._version
                present = self.list(resource, namespace, selector)["items"]
            yield from ({"type": "ADDED", "object": one} for one in present)
        else:
            start = int(since)
        while not stopped():
            with self._changed:
                if self._too_old(start):
                    gone = ApiError(410, "Expired", f"too old resource version: {start} ({self._version})")
                    yield {"type": "ERROR", "object": gone.body()}
                    return
                if self._version <= start:
                    self._changed.wait(0.5)
                events = [one for one in self._changes if one.version > start]
            for one in events:
                start = one.version
                if one.resource.full_name == resource.full_name and namespace in (None, one.namespace):
                    yield from _events(one, selector)

    def _too_old(self, since: int) -> bool:
        dropped = self._changes[0].version - 1 if len(self._changes) == self._changes.maxlen else 0
        return since < dropped

    def _of_kind(self, resource: Resource, namespace: str | None, body: Object) -> Object:
        if not isinstance(body, dict) or (body.get("apiVersion"), body.get("kind")) != (
            resource.api_version,
            resource.kind,
        ):
            raise bad_request(
                f"the API version and kind in the data do not match the expected ones "
                f"({resource.api_version}, {resource.kind})"
            )
        new = copy.deepcopy(body)
        metadata = new.setdefault("metadata", {})
        if resource.namespaced and metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        return new

    def _created(self, resource: Resource, namespace: str | None, new: Object, owner: Owner | None) -> Object:
        metadata = new["metadata"]
        name = metadata.get("name", "")
        if namespace is not None and ("namespaces", "", namespace) not in self._kept:
            raise not_found("namespaces", namespace)
        if not _NAME.fullmatch(name) or len(name) > 253:
            raise invalid(
                resource.full_kind,
                name,
                [
                    (
                        "metadata.name",
                        "FieldValueInvalid",
                        f"Invalid value: {name!r}: a lowercase RFC 1123 subdomain must consist of lower case "
                        "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
                        "character",
                    )
                ],
            )
        admission.encode_secret(resource, new)
        schema.fill_defaults(new, resource.schema)
        admission.check_labels(resource, new)
        schema.check(new, resource)
        for field in _OF_THE_SERVER:
            metadata.pop(field, None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        if resource.counts_generations and resource.status:
            metadata["generation"] = 1
        if owner is not None:
            metadata.pop("managedFields", None)
            track({}, new, resource, owner)
        if resource.kind == "CustomResourceDefinition":
            self.catalog.install(new)
        return self._keep(resource, namespace, None, new)

    def _updated(self, resource: Resource, namespace: str | None, old: Object, new: Object) -> Object:
        before = old["metadata"]
        new["metadata"] |= {
            field: before[field] for field in (*_OF_THE_SERVER, "resourceVersion") if field in before
        }
        if resource.namespaced:
            new["metadata"]["namespace"] = namespace
        admission.encode_secret(resource, new)
        admission.check_labels(resource, new)
        schema.check(new, resource)
        admission.check_immutable(resource, old, new)
        if admission.content(old) == admission.content(new):
            return old
        if (
            resource.counts_generations
            and resource.status
            and admission.desired(old) != admission.desired(new)
        ):
            new["metadata"]["generation"] = before["generation"] + 1
        if resource.kind == "CustomResourceDefinition":
            self.catalog.install(new)
        if (
            before.get("deletionTimestamp")
            and not new["metadata"].get("finalizers")
            and resource.kind != "Pod"
        ):
            self._gone(resource, namespace, new)
            return new
        return self._keep(resource, namespace, old, new)

    def _marked(self, resource: Resource, namespace: str | None, old: Object, grace_seconds: int) -> Object:
        if "deletionTimestamp" in old["metadata"]:
            return old
        new = copy.deepcopy(old)
        new["metadata"] |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": grace_seconds}
        return self._keep(resource, namespace, old, new)

    def _keep(self, resource: Resource, namespace: str | None, old: Object | None, new: Object) -> Object:
        self._version += 1
        new["metadata"]["resourceVersion"] = str(self._version)
        self._kept[resource.full_name, namespace or "", new["metadata"]["name"]] = new
        self._changes.append(Change(self._version, resource, namespace, old, copy.deepcopy(new)))
        self._changed.notify_all()
        return copy.deepcopy(new)

    def _gone(self, resource: Resource, namespace: str | None, old: Object) -> None:
        self._version += 1
        if resource.kind == "CustomResourceDefinition":
            self.catalog.remove(old["metadata"]["name"])
        del self._kept[resource.full_name, namespace or "", old["metadata"]["name"]]
        old["metadata"]["resourceVersion"] = str(self._version)
        self._changes.append(Change(self._version, resource, namespace, old, None))
        self._changed.notify_all()


def _events(change: Change, selector: Selector) -> Iterator[Object]:
    """What a watcher sees who may only see objects of a selector: one that leaves it is deleted for him."""
    was = change.before is not None and selector.matches(change.before)
    if change.after is None:
        if was:
            yield {"type": "DELETED", "object": change.before}
    elif selector.matches(change.after):
        yield {"type": "MODIFIED" if was else "ADDED", "object": change.after}
    elif was:
        yield {"type": "DELETED", "object": change.after}
