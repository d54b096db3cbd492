"""What is known of a challenger, as Markdown for the person who is asked about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.markdown import plain, table
from airflow_mlops.core.values import Evaluation, Finding, ModelRef, RunRef
from airflow_mlops.core.windows import Period

_MOST_ROWS = 20
_BY_PEOPLE = frozenset({"overridden", "answer_refused"})
_TITLES = {"gated": "Gates", "answer_refused": "An answer that did not count"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """``evaluation`` is None where its run has none; ``decided`` are the ledger's entries about the model,
    ``monitored`` the latest verdict on the champion; ``card_url`` leads to the model card, if there is one.
    """

    training: RunRef
    evaluation: Evaluation | None
    decided: tuple[Entry, ...] = ()
    monitored: Entry | None = None
    candidate: ModelRef | None = None
    champion: ModelRef | None = None
    card_url: str | None = None

    @property
    def evaluated_at(self) -> datetime | None:
        """When the gates last judged this model."""
        return max((entry.at for entry in self.decided if entry.kind == "gated"), default=None)


def expired(evaluated_at: datetime | None, now: datetime, limit: str | None) -> str | None:
    """Why evidence is too old to act on, or None. Without ``limit`` nothing expires; with one, a model of
    which nobody knows when it was evaluated has no evidence.
    """
    if limit is None:
        return None
    if evaluated_at is None:
        return f"nobody knows when it was evaluated, and gates.evidence_expires is {limit}"
    if Period.parse(limit).after(evaluated_at) > now:
        return None
    return (
        f"its evaluation of {evaluated_at:%Y-%m-%d %H:%M} UTC is older than gates.evidence_expires "
        f"({limit}); train a new challenger"
    )


def markdown(evidence: Evidence, *, report_url: Callable[[str], str], about: Sequence[str] = ()) -> str:
    """A page: who is to follow whom, the table of metrics, what the gates and the monitor said. ``about`` are
    lines on the question itself; ``report_url`` gives the address of a kept report."""
    parts = [
        "\n".join([*_heads(evidence), *(f"- {line}" for line in about)]),
        *_evaluation(evidence.evaluation),
        *_decided(evidence.decided, report_url),
        *_monitored(evidence.monitored, report_url),
    ]
    return "\n\n".join(parts)


def linked(text: str, url: str | None) -> str:
    """A link where there is an address."""
    return f"[{text}]({url})" if url else text


def _heads(evidence: Evidence) -> Iterator[str]:
    if evidence.candidate is not None:
        yield f"- **Challenger**: {linked(str(evidence.candidate), evidence.candidate.url)}"
    champion = evidence.champion
    yield f"- **Champion**: {linked(str(champion), champion.url) if champion else 'none yet'}"
    card = f", {linked('model card', evidence.card_url)}" if evidence.card_url else ""
    yield f"- **Training run**: {linked(evidence.training.run_id, evidence.training.url)}{card}"


def _evaluation(evaluation: Evaluation | None) -> Iterator[str]:
    yield "### Evaluation"
    if evaluation is None:
        yield "The training run has no evaluation."
        return
    yield f"{evaluation.rows:,} holdout rows; intervals at {evaluation.confidence:.0%}."
    if evaluation.champion_problem is not None:
        yield f"The champion could not be compared: {plain(evaluation.champion_problem)}."
    yield _metrics(evaluation)
    for finding in evaluation.findings:
        yield from _finding(finding)


def _metrics(evaluation: Evaluation) -> str:
    if not evaluation.champion_metrics:
        return table(("metric", "challenger"), list(evaluation.challenger.items()))
    rows = [
        (name, estimate, evaluation.champion_metrics.get(name), evaluation.difference.get(name))
        for name, estimate in evaluation.challenger.items()
    ]
    return table(("metric", "challenger", "champion", "difference"), rows)


def _finding(finding: Finding) -> Iterator[str]:
    """A gate's measurements: its slices, say. Of many, the first; the report has them all."""
    yield f"### {plain(finding.rule)}"
    if finding.problem is not None:
        yield f"Could not be measured: {plain(finding.problem)}."
    if finding.verdict is not None:
        yield f"**{finding.verdict.outcome.capitalize()}**"
        yield from _bullets(finding.verdict.reasons)
    if finding.measurements:
        header = ("measured", f"value in {finding.unit}" if finding.unit else "value", "rows", "note")
        shown = finding.measurements[:_MOST_ROWS]
        yield table(header, [(one.name, one.estimate, one.rows, one.note) for one in shown])
    if len(finding.measurements) > _MOST_ROWS:
        yield f"and {len(finding.measurements) - _MOST_ROWS} more in the report."


def _monitored(entry: Entry | None, report_url: Callable[[str], str]) -> Iterator[str]:
    yield "### Drift"
    if entry is None:
        yield "No monitoring run yet."
        return
    found = ["drift" if entry.data.get("drifted") else "no drift"]
    if entry.data.get("decayed") is not None:
        found.append("decay" if entry.data["decayed"] else "no decay")
    reports = _reports(entry, report_url)
    yield f"Version {entry.version}, {entry.window}: **{', '.join(found)}**. {reports}".strip()
    yield from _bullets(entry.reasons)


def _decided(entries: Sequence[Entry], report_url: Callable[[str], str]) -> Iterator[str]:
    said: set[str] = set()
    for entry in entries:
        # The registration repeats the gate's reasons.
        reasons = [reason for reason in entry.reasons if reason not in said]
        reports = "" if said.issuperset(entry.evidence) else _reports(entry, report_url)
        said.update(reasons, entry.evidence)
        if not reasons and not reports:
            continue
        outcome = f": {entry.data['outcome']}" if entry.data.get("outcome") else ""
        by = f", by {entry.actor}" if entry.kind in _BY_PEOPLE else ""
        yield f"### {_TITLES.get(entry.kind, entry.kind.replace('_', ' ').capitalize())}{outcome}"
        yield f"{entry.at:%Y-%m-%d %H:%M} UTC{by}. {reports}".strip()
        yield from _bullets(reasons)


def _reports(entry: Entry, report_url: Callable[[str], str]) -> str:
    links = [(_report_name(uri), report_url(uri)) for uri in entry.evidence]
    return ", ".join(linked(f"{name} report", url) for name, url in links if url)


def _report_name(uri: str) -> str:
    return uri.rpartition("/")[2].partition(".")[0].replace("_", " ")


def _bullets(reasons: Sequence[str]) -> Iterator[str]:
    if reasons:
        yield "\n".join(f"- {plain(reason)}" for reason in reasons)
