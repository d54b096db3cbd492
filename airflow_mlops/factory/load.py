"""Folder -> DAGs and problems: what the two-line loader in the DAGs folder calls."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, get_parsing_context
from airflow.sdk.configuration import conf

from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.config.problems import Problem as Wrong
from airflow_mlops.config.site import Site
from airflow_mlops.config.text import printable
from airflow_mlops.config.tree import LIES_ABOVE, find_configs, layers_above
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.factory.cache import PlanCache
from airflow_mlops.factory.compiled import Compiled, compile_file, read_file
from airflow_mlops.factory.loaded import PLACEHOLDER, Loaded, Problem
from airflow_mlops.factory.one_model import files_of_model
from airflow_mlops.factory.refused import NotHere
from airflow_mlops.factory.render import render
from airflow_mlops.factory.tasks import Tasks
from airflow_mlops.hooks.site import airflow_site

if TYPE_CHECKING:
    from airflow_mlops.config.load import LoadedModel

log = logging.getLogger(__name__)


def load_dags(namespace: MutableMapping[str, Any], *, loader_file: str | Path | None = None) -> Loaded:
    """Put the DAGs of every model's YAML into ``namespace``, the ``globals()`` of a DAG file.

    Read are the files with our ``apiVersion`` at and below the loader's own folder and in ``[mlops]
    configs_folder`` where that is set (a relative one starts at the loader's folder, so that it stays
    inside a versioned bundle). Where Airflow parses for one task, only that model's file is read.

    A file that cannot be used never hides another: the DAG processor shows it as an import error under
    its own path (``report``), any other process logs a warning.
    Raises ``ConfigError`` only where a task is to run whose one file is broken.
    """
    folders = _folders(Path(loader_file or namespace["__file__"]).absolute().parent)
    context = get_parsing_context()
    with plan_cache() as cache:
        if context.dag_id is None:
            found = load_folders(folders, cache)
            namespace.update(_shown(found.problems))
        elif context.dag_id.endswith(PLACEHOLDER):
            found = _placeholder(folders, context.dag_id, cache)
        elif context.task_id is not None:
            found = load_one(folders, context.dag_id, cache)
        else:
            found = _asked_for(folders, context.dag_id, cache)
    namespace.update({f"dag {dag_id}": dag for dag_id, dag in found.dags.items()})
    return found


def _shown(problems: Sequence[Problem]) -> dict[str, DAG]:
    if not problems:
        return {}
    from airflow_mlops.factory.reporting import report  # some milliseconds that no good parse pays

    return report(problems)


def _placeholder(folders: Iterable[Path], dag_id: str, cache: PlanCache) -> Loaded:
    from airflow_mlops.factory.placeholder import placeholders

    made = placeholders(load_folders(folders, cache).problems)
    return Loaded({dag.dag_id: dag for dag in made.values() if dag.dag_id == dag_id})


def _asked_for(folders: Iterable[Path], dag_id: str, cache: PlanCache) -> Loaded:
    """One DAG for a command (``tasks test``, ``dags test``), which writes its parse to the database: an
    error raised here would be filed under the loader's path, where it hides every model."""
    try:
        return load_one(folders, dag_id, cache)
    except Exception as error:  # noqa: BLE001 (whatever it is)
        from airflow_mlops.factory.reporting import tell

        tell(dag_id, str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}")
        return Loaded()


def load_folders(folders: Iterable[Path], cache: PlanCache | None = None) -> Loaded:
    """Every model below the folders. The second of two files with one model's name is a problem."""
    dags: dict[str, DAG] = {}
    problems: list[Problem] = []
    owners: dict[str, Path] = {}
    layers: dict[Wrong, None] = {}
    sites: dict[Path, Site] = {}
    cache, tasks = cache or PlanCache(None), Tasks()
    for folder in folders:
        site = airflow_site(folder)
        problems += (
            Problem(layer, f"{layer}: {LIES_ABOVE.format(folder=folder)}") for layer in layers_above(folder)
        )
        try:
            found = find_configs(folder, site)
        except ConfigError as error:
            problems.append(Problem(folder, str(error)))
        else:
            sites = {**dict.fromkeys(_each_once(found), site), **sites}
    with _collector_paused():
        for path in sorted(sites):
            try:
                dags.update(load_file(path, site=sites[path], taken=owners, cache=cache, tasks=tasks))
            except ConfigError as error:
                problems.append(Problem(path, str(error)))
                layers |= dict.fromkeys(_in_other_files(error, path))
            except Exception as error:  # whatever one file does, the others must load
                log.debug("%s", path, exc_info=True)
                told = f"{printable(path)}: cannot be rendered: {type(error).__name__}: {error}"
                problems.append(Problem(path, told))
        cache.found({model: _place(path, sites[path]) for model, path in owners.items()})
        _spare_the_collector()
    return Loaded(dags, _each_file_once((*problems, *_by_file(layers))), cache.missed)


def _each_file_once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Airflow keeps one import error for a path: the second would replace the first."""
    told: dict[Path, dict[str, None]] = {}
    for problem in problems:
        told.setdefault(problem.path, {})[problem.message] = None
    return tuple(Problem(path, "\n".join(messages)) for path, messages in told.items())


def _in_other_files(error: ConfigError, path: Path) -> Iterator[Wrong]:
    """What is wrong in the layers of a file, which take it down."""
    if isinstance(error, InvalidConfig):
        yield from (one for one in error.problems if one.path not in (str(path), printable(path)))


def _by_file(found: Iterable[Wrong]) -> Iterator[Problem]:
    """A layer is told of under its own path as well, once for all the models that it takes down."""
    told: dict[str, list[str]] = {}
    for one in found:
        told.setdefault(one.path, []).append(str(one))
    yield from (Problem(Path(path), "\n".join(lines)) for path, lines in told.items())


def load_one(folders: Iterable[Path], dag_id: str, cache: PlanCache | None = None) -> Loaded:
    """The one DAG with this id, from the one file that describes its model; nothing if there is none.

    The files that are likely to are tried before the others are searched: this runs at the start of every
    task. Raises ``ConfigError`` where the file is broken.
    """
    model = dag_id.rpartition(".")[0]
    broken: ConfigError | None = None
    cache = cache or PlanCache(None)
    known = cache.places(model)
    with _collector_paused():
        for path, site in files_of_model(model, list(folders), known):
            try:
                made = load_file(path, site=site, only=dag_id, cache=cache)
            except ConfigError as error:
                broken = broken or error
            else:
                if dag_id in made:
                    if (place := _place(path, site)) not in known:
                        cache.found({model: place})
                    return Loaded(made, compiled=cache.missed)
    if broken is not None:
        raise broken
    return Loaded(compiled=cache.missed)


def load_file(
    path: Path,
    *,
    site: Site | None = None,
    only: str | None = None,
    taken: MutableMapping[str, Path] | None = None,
    cache: PlanCache | None = None,
    tasks: Tasks | None = None,
) -> dict[str, DAG]:
    """The DAGs of one file. They are checked the way Airflow does it when it fills its bag: a fault
    that Airflow found would be filed under the loader's path and take all the other models along.

    ``site`` is the file's own folder in this Airflow if not given; ``taken`` remembers which file gave each
    model, ``tasks`` what many have alike. Raises ``ConfigError``.
    """
    site = site or airflow_site(path.absolute().parent)
    compiled = _compiled(path, site, cache or PlanCache(None))
    model = compiled.plan.model
    if taken is not None and (first := taken.setdefault(model, path)) != path:
        from airflow_mlops.config.duplicates import described_twice

        raise InvalidConfig([described_twice(path, model, first)])
    return dags_of(compiled, lambda: read_file(path, site), only=only, tasks=tasks)


def dags_of(
    compiled: Compiled,
    read: Callable[[], LoadedModel],
    *,
    only: str | None = None,
    tasks: Tasks | None = None,
) -> dict[str, DAG]:
    """The DAGs of a compiled model, or one of them, checked in the same way. ``read`` gives what it was
    compiled from, for the line of a key that this Airflow cannot follow."""
    try:
        dags = render(compiled.plan, compiled.config, only=only, tasks=tasks)
    except NotHere as error:
        problem = read().layers.at_value(error.at, error.message, error.hint)
        raise InvalidConfig([problem]) from error
    for dag in dags.values():
        dag.validate()  # type: ignore[no-untyped-call]  # Airflow left it bare
        dag.check_cycle()
    return dags


def plan_cache() -> PlanCache:
    """The cache of ``[mlops] cache_folder``; one that knows nothing where that is empty."""
    configured = conf.get("mlops", "cache_folder", fallback="")
    return PlanCache(Path(configured).expanduser() if configured else None)


def _compiled(path: Path, site: Site, cache: PlanCache) -> Compiled:
    compiled = cache.get(path, site)
    if compiled is None:
        compiled, dependencies = compile_file(path, site)
        cache.put(path, site, compiled, dependencies)
    return compiled


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Nothing that a parse makes can be thrown away, and looking through it for cycles again and again
    takes a quarter of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _spare_the_collector() -> None:
    """Count what was made as looked through: else the next object that anybody makes has all of it
    looked through once more."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
    elif os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "client":
        gc.freeze()  # Airflow froze the rest before it forked this process, which ends after its parse


def _place(path: Path, site: Site) -> str:
    return os.path.relpath(path, site.root)


def _folders(own: Path) -> list[Path]:
    configured = conf.get("mlops", "configs_folder", fallback=None)
    # Without detours such as dags/../configs, so that paths below it can be told to lie below it.
    return [own, Path(os.path.normpath(own / Path(configured).expanduser()))] if configured else [own]


def _each_once(paths: Iterable[Path]) -> Sequence[Path]:
    """Sorted, so that of two files with one model it is always the same that counts as the second."""
    return sorted({Path(os.path.normpath(path)) for path in paths})
