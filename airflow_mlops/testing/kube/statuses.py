"""How the API says no: a ``Status`` body with a code, a reason and the causes, where fields are at fault."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]


class ApiError(Exception):
    """An answer that is not a success. ``plain`` is the page of a path that is not served at all."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Object | None = None,
        causes: Iterable[Object] = (),
        plain: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = {**(details or {}), **({"causes": list(causes)} if causes else {})}
        self.plain = plain

    def body(self) -> Object:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


def not_served() -> ApiError:
    """No such path: a kind that the server does not know is answered like any other wrong address."""
    return ApiError(404, "NotFound", "404 page not found", plain=True)


def not_found(resource: str, name: str) -> ApiError:
    return ApiError(
        404, "NotFound", f'{resource} "{name}" not found', details={"name": name, "kind": resource}
    )


def already_exists(resource: str, name: str) -> ApiError:
    return ApiError(
        409, "AlreadyExists", f'{resource} "{name}" already exists', details={"name": name, "kind": resource}
    )


def modified(resource: str, name: str) -> ApiError:
    """A write that was made of an older version of the object."""
    return ApiError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {resource} "{name}": the object has been modified; please apply '
        "your changes to the latest version and try again",
        details={"name": name, "kind": resource},
    )


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def invalid(kind: str, name: str, faults: Iterable[tuple[str, str, str]]) -> ApiError:
    """``faults`` are a field's path, the reason (``FieldValueInvalid``...) and the message."""
    causes = [{"field": field, "reason": reason, "message": message} for field, reason, message in faults]
    said = [f"{cause['field']}: {cause['message']}" for cause in causes]
    text = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    return ApiError(
        422,
        "Invalid",
        f'{kind} "{name}" is invalid: {text}',
        details={"name": name, "kind": kind.partition(".")[0]},
        causes=causes,
    )


def success(details: Object | None = None) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details or {},
    }
