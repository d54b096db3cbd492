"""The file of one model among many, without reading the others: every task looks for its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from airflow_mlops.config.site import Site
from airflow_mlops.config.text import regular_bytes
from airflow_mlops.config.tree import find_yaml, would_find
from airflow_mlops.hooks.site import airflow_site


def files_of_model(
    model: str, folders: Sequence[Path], places: Iterable[str] = ()
) -> Iterator[tuple[Path, Site]]:
    """Files that seem to describe the model, by a cheap look at the text, which loading then confirms.

    First those at ``places``, relative to a folder, and those named after the model. Only who is not served
    by them has all folders searched.
    """
    says_so = re.compile(rf"""\bmodel['"]?\s*:\s*['"]?{re.escape(model)}(?!\w)""")
    sites = [(folder, airflow_site(folder)) for folder in folders]
    tried: set[Path] = set()
    for search in (_likely(model, sites, places), _searched(model, sites)):
        for path, site in search:
            if path not in tried:
                tried.add(path)
                if says_so.search(_text(path)):
                    yield path, site


def _text(path: Path) -> str:
    """Nothing of a file that cannot be read: the DAG processor tells of it, and here another model's task may
    be about to start."""
    try:
        return regular_bytes(path).decode("utf-8", "replace")
    except OSError:
        return ""


def _likely(
    model: str, sites: Sequence[tuple[Path, Site]], places: Iterable[str]
) -> Iterator[tuple[Path, Site]]:
    for place in (*places, f"{model}.yaml", f"{model}.yml"):
        for folder, _ in sites:
            path = Path(os.path.normpath(folder / place))
            # Of two folders that hold a file, the first one's site is its own, as in a parse of all.
            holders = (site for holder, site in sites if would_find(path, holder, site))
            if (site := next(holders, None)) is not None:
                yield path, site


def _searched(model: str, sites: Sequence[tuple[Path, Site]]) -> Iterator[tuple[Path, Site]]:
    found: dict[Path, Site] = {}
    for folder, site in sites:
        for path in find_yaml(folder, site):
            found.setdefault(Path(os.path.normpath(path)), site)
    yield from sorted(found.items(), key=lambda one: (one[0].stem != model, one[0]))
