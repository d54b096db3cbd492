"""A model card as pages for people."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.core.model_card import ModelCard
from airflow_mlops.core.values import Finding
from airflow_mlops.steps.document import Section, as_html, as_markdown

MOST_FEATURES = 15


def html(card: ModelCard) -> bytes:
    """The card as a page of its own."""
    return as_html(_title(card), list(_sections(card)))


def markdown(card: ModelCard) -> str:
    """The card as text, as MLflow shows it with the version."""
    return as_markdown(_title(card), list(_sections(card)))


def _title(card: ModelCard) -> str:
    return f"Model card: {card.version}"


def _sections(card: ModelCard) -> Iterator[Section]:
    yield _purpose(card)
    yield _cause(card)
    yield _signed(card)
    yield Section("Verdict", (f"The gates said {card.verdict.outcome}.", *card.verdict.reasons))
    yield _metrics(card)
    yield from (_finding(finding) for finding in card.evaluation.findings)
    yield from _importance(card)
    yield _data(card)
    yield Section("Limits", card.limits)
    yield Section("Considerations", card.purpose.considerations)
    yield _lineage(card)


def _purpose(card: ModelCard) -> Section:
    purpose = card.purpose
    said = [purpose.description.strip() or f"A model for {purpose.task.replace('_', ' ')}."]
    said += [f"Intended use: {purpose.intended_use}"] if purpose.intended_use else []
    said += [f"Out of scope: {purpose.out_of_scope}"] if purpose.out_of_scope else []
    said.append(f"Owner: {purpose.owner}. Ask: {purpose.contact or purpose.owner}.")
    return Section("Purpose", tuple(said))


def _cause(card: ModelCard) -> Section:
    kinds = " and ".join(card.cause_kinds).replace("_", " ")
    said = (f"Cause: {kinds}.",) if kinds else ()
    return Section("Why it was trained", (*said, *card.causes))


def _signed(card: ModelCard) -> Section:
    rows = tuple(
        (item.act, item.person, f"{item.at:%Y-%m-%d %H:%M} UTC", item.reason) for item in card.signatures
    )
    return Section("Signed", (), ("what", "who", "when", "why"), rows)


def _metrics(card: ModelCard) -> Section:
    evaluation = card.evaluation
    against = str(evaluation.champion) if evaluation.champion else "no champion yet"
    rows = tuple(
        (name, estimate, evaluation.champion_metrics.get(name, ""), evaluation.difference.get(name, ""))
        for name, estimate in evaluation.challenger.items()
    )
    said = (f"{evaluation.rows} holdout rows; intervals at {evaluation.confidence:.0%}; {against}.",)
    return Section("Metrics", said, ("metric", "this version", "champion then", "difference"), rows)


def _finding(finding: Finding) -> Section:
    title = finding.rule[:1].upper() + finding.rule[1:]
    if finding.verdict is not None:
        return Section(title, finding.verdict.reasons)
    rows = tuple(
        (item.name, item.shown, "" if item.rows is None else item.rows, item.note)
        for item in finding.measurements
    )
    unit = f" ({finding.unit})" if finding.unit else ""
    return Section(title, (), ("what", f"measured{unit}", "rows", "note"), rows)


def _importance(card: ModelCard) -> Iterator[Section]:
    for part in dict.fromkeys(item.part for item in card.importance):
        rows = [(item.feature, item.estimate) for item in card.importance if item.part == part]
        title = "What it leans on" + (f", {part}" if part else "")
        left = len(rows) - MOST_FEATURES
        said = (f"{left} more features matter less.",) if left > 0 else ()
        yield Section(title, said, ("feature", "importance"), tuple(rows[:MOST_FEATURES]))


def _data(card: ModelCard) -> Section:
    data = card.data
    columns = ", ".join(f"{name} ({kind})" for name, kind in card.features.items())
    return Section(
        "Data",
        (
            f"Predicts {card.label} from {len(card.features)} features: {columns}.",
            f"{data.rows - data.holdout_rows} rows to train on and {data.holdout_rows} held out, "
            f"{data.window}; the holdout starts {data.holdout_start:%Y-%m-%d %H:%M} UTC.",
            f"Version {data.version}.",
        ),
    )


def _lineage(card: ModelCard) -> Section:
    rows = [
        ("trained because of", "; ".join(card.causes) or "nobody said"),
        ("training run", card.training.url or card.training.run_id),
        ("pipeline run", f"{card.pipeline.dag_id}, {card.pipeline.run_id}"),
        ("training code", card.code_version or "unknown"),
        ("configuration", card.config_digest[:12] or "unknown"),
        ("model file", f"sha256 {card.training.sha256}" if card.training.sha256 else "unknown"),
        ("data", card.data.uri),
        ("made", f"{card.made_at:%Y-%m-%d %H:%M} UTC"),
    ]
    return Section("Lineage", (), ("what", "which"), tuple(rows))
