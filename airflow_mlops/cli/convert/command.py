"""The command: which format a source has, what is written, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import click

from airflow_mlops.cli.convert import dag_factory, mlops_stacks
from airflow_mlops.cli.convert.bundle import FILES, find_bundle
from airflow_mlops.cli.convert.draft import Draft, Left
from airflow_mlops.cli.convert.reading import Node, read_yaml
from airflow_mlops.cli.convert.report import FORMATS, Conversion, Report
from airflow_mlops.cli.convert.writing import written
from airflow_mlops.config.problems import nearest
from airflow_mlops.config.tree import is_layer_file

_KINDS = (dag_factory.KIND, mlops_stacks.KIND)


@click.command("convert")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--from", "kind", type=click.Choice(_KINDS), help="What the source is, if its content does not tell."
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="the working folder",
    help="Where the models' files are written. It is made if it is not there.",
)
@click.option("--dag", help="Only this DAG of a dag-factory file.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="How the report is printed: for people or for programs.",
)
def command(source: Path, kind: str | None, output: Path, dag: str | None, form: str) -> None:
    """Begin models' YAML files from a dag-factory file or a Databricks mlops-stacks bundle.

    SOURCE is a dag-factory YAML file, of which each DAG becomes a file, or the folder or databricks.yml of a
    bundle, which becomes one. The report names each setting that was carried over with its line and its key
    here, each that was not with the reason, and each value that is left to fill in: airflow-mlops lint names
    just those. Nothing of the source is run or imported, no environment variable is expanded, and a file that
    exists is never written over.
    """
    path = find_bundle(source) if source.is_dir() else source
    root = read_yaml(path)
    kind = kind or _kind_of(root, path)
    drafts, skipped = _drafts(kind, root, path)
    if dag is not None:
        drafts = _only(dag, drafts, kind)
    if not drafts:
        raise click.ClickException(f"{path} has no DAG with tasks; is it {kind}?")
    models = [_conversion(draft, output) for draft in drafts.values()]
    _write(models, output)
    click.echo(FORMATS[form](Report(source, kind, models, skipped)))


def _kind_of(root: Node, path: Path) -> str:
    if mlops_stacks.describes(root):
        return mlops_stacks.KIND
    if dag_factory.describes(root):
        return dag_factory.KIND
    raise click.ClickException(
        f"{path} is neither dag-factory (keys with tasks below them) nor a Databricks bundle (bundle.name); "
        f"if it is one of the two, say which: --from {' or --from '.join(_KINDS)}"
    )


def _drafts(kind: str, root: Node, path: Path) -> tuple[Mapping[str, Draft], list[Left]]:
    if kind == dag_factory.KIND:
        return dag_factory.drafts(root, path, datetime.now(timezone.utc))
    if not mlops_stacks.describes(root):
        raise click.ClickException(f"{path} has no bundle.name; give the bundle's {FILES[0]} or its folder")
    draft, skipped = mlops_stacks.draft_of(root, path)
    return {draft.name: draft}, skipped


def _only(dag: str, drafts: Mapping[str, Draft], kind: str) -> Mapping[str, Draft]:
    if kind != dag_factory.KIND:
        raise click.BadParameter("a bundle has no DAGs", param_hint="--dag")
    if dag not in drafts:
        known = nearest(dag, drafts) or f"it has {', '.join(drafts)}"
        raise click.BadParameter(f"the source has no DAG {dag!r}; {known}", param_hint="--dag")
    return {dag: drafts[dag]}


def _conversion(draft: Draft, output: Path) -> Conversion:
    path = output / f"{draft.name}.yaml"
    if is_layer_file(path):  # a name such as policy.yaml is that of no model's file
        path = path.with_stem(f"{draft.name}_model")
    return Conversion(draft, path, written(draft))


def _write(models: list[Conversion], output: Path) -> None:
    """All or nothing, as far as can be told beforehand."""
    paths = [one.path for one in models]
    if twice := sorted({str(path) for path in paths if paths.count(path) > 1}):
        raise click.ClickException(
            f"two DAGs would both become {', '.join(twice)}, and nothing was written; convert one by one, "
            "with --dag and --output"
        )
    if taken := [str(path) for path in paths if path.exists() or path.is_symlink()]:
        raise click.ClickException(
            f"{', '.join(taken)} is there already, and nothing was written; give another --output"
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
        for one in models:
            with one.path.open("x", encoding="utf-8") as file:  # refuses to overwrite, whoever was faster
                file.write(one.written.text)
    except OSError as error:
        raise click.ClickException(f"cannot write {error.filename}: {error.strerror}") from error
