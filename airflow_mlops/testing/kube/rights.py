"""Who asks, and what the Roles of the cluster let them do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airflow_mlops.testing.kube.objects import Objects
from airflow_mlops.testing.kube.selectors import Selector
from airflow_mlops.testing.kube.statuses import ApiError, Object

_MASTERS = "system:masters"
_RBAC = ("rbac.authorization.k8s.io", "v1")


@dataclass(frozen=True, slots=True)
class User:
    """A user by name, as ``system:serviceaccount:NAMESPACE:NAME`` for a service account."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def may_all(self) -> bool:
        return _MASTERS in self.groups


ADMIN = User("admin", (_MASTERS,))


@dataclass(frozen=True, slots=True)
class Act:
    """One request as the authorizer sees it. ``resource`` has its subresource: ``pods/log``."""

    verb: str
    group: str
    resource: str
    namespace: str | None = None
    name: str = ""

    @property
    def right(self) -> tuple[str, str, str]:
        """What a rule must grant: the API group, the resource and the verb."""
        return self.group, self.resource, self.verb


def authenticate(header: str | None, tokens: Mapping[str, User]) -> User:
    """The user of a bearer token. Raises the 401."""
    kind, _, token = (header or "").partition(" ")
    user = tokens.get(token.strip()) if kind.lower() == "bearer" else None
    if user is None:
        raise ApiError(401, "Unauthorized", "Unauthorized")
    return user


def authorize(user: User, act: Act, objects: Objects) -> None:
    """Raises the 403 where no Role or ClusterRole that is bound to the user grants the act."""
    if user.may_all or any(_grants(rule, act) for rule in _rules(user, act.namespace, objects)):
        return
    where = f'in the namespace "{act.namespace}"' if act.namespace else "at the cluster scope"
    full = f"{act.resource.partition('/')[0]}{f'.{act.group}' if act.group else ''}"
    named = f' "{act.name}"' if act.name else ""
    raise ApiError(
        403,
        "Forbidden",
        f'{full}{named} is forbidden: User "{user.name}" cannot {act.verb} resource "{act.resource}" in API '
        f'group "{act.group}" {where}',
        details={"name": act.name, "kind": act.resource, "group": act.group},
    )


def _rules(user: User, namespace: str | None, objects: Objects) -> Iterator[Object]:
    bindings = _all(objects, "clusterrolebindings", None)
    if namespace is not None:
        bindings += _all(objects, "rolebindings", namespace)
    for binding in bindings:
        if any(_is_subject(subject, user, namespace) for subject in binding.get("subjects") or ()):
            role = binding["roleRef"]
            place = namespace if role["kind"] == "Role" else None
            for one in _all(objects, "roles" if role["kind"] == "Role" else "clusterroles", place):
                if one["metadata"]["name"] == role["name"]:
                    yield from one.get("rules") or ()


def _all(objects: Objects, plural: str, namespace: str | None) -> list[Object]:
    resource = objects.catalog.find(*_RBAC, plural)
    if resource is None:
        raise AssertionError(f"{plural} are built in")
    found: list[Object] = objects.list(resource, namespace, Selector())["items"]
    return found


def _is_subject(subject: Object, user: User, namespace: str | None) -> bool:
    match subject["kind"]:
        case "ServiceAccount":
            place = subject.get("namespace") or namespace
            return user.name == f"system:serviceaccount:{place}:{subject['name']}"
        case "Group":
            return subject["name"] in user.groups
        case _:
            return bool(subject["name"] == user.name)


def _grants(rule: Object, act: Act) -> bool:
    names = rule.get("resourceNames")
    return (
        _has(rule.get("verbs"), act.verb)
        and _has(rule.get("apiGroups"), act.group)
        and _has(rule.get("resources"), act.resource)
        and (not names or act.name in names)
    )


def _has(granted: list[str] | None, wanted: str) -> bool:
    return granted is not None and (wanted in granted or "*" in granted)
