"""Code of the user's, which may raise anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_mlops.core.failures import is_away
from airflow_mlops.core.raised import raised
from airflow_mlops.exceptions import BackendUnavailable, MlopsError


@contextmanager
def user_code(name: str, otherwise: Callable[[str], MlopsError]) -> Iterator[None]:
    """Raise ``BackendUnavailable`` (a retry can help) where a service or machine was at fault, and else
    ``otherwise`` of what is said; the code's own error is kept as the cause."""
    try:
        yield
    except MlopsError:
        raise
    except Exception as error:
        refuse_away(name, error)
        raise otherwise(f"{name} raised {raised(error)}") from error


def refuse_away(name: str, error: Exception) -> None:
    """Raise ``BackendUnavailable`` where a service or machine was at fault."""
    if is_away(error):
        raise BackendUnavailable(f"{name} raised {raised(error)}; is the service behind it up?") from error
