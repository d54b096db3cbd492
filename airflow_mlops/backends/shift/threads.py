"""Many small questions to trees are answered by one thread each."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """For a block: threads that OpenMP starts for a few thousand rows wait for each other longer than they
    work, and on a worker with other tasks they burn a multiple of the time that one thread needs."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:  # without scikit-learn nothing here uses OpenMP
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="openmp")
    return limits
