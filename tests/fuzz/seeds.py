"""Good files to begin with: every example of the repository, and a small tree that uses every part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from airflow_mlops.cli.init.files import Start, files_of

REPOSITORY = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```yaml[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

DEFAULTS = """\
# The team's defaults.
apiVersion: airflow-mlops/v1
owner: ${vars.team}
vars: {team: risk, rows: 300, share: 0.25, text: "${vars.team} and $${more}"}
locked: [deploy.approval, vars.rows]
deploy:
  approval: true
  steps: [0.1, 0.5]
  analysis: {errors: {max_rate: 0.02}}
gates:
  minimum_rows: ${vars.rows}
tags: &tags [team, "${vars.team}"]
"""
PROFILE = """\
apiVersion: airflow-mlops/v1
vars: {share: 0.5}
locked:
  - gates.minimum_rows
deploy:
  approval_timeout: 2 days
  shadow: {max_disagreement: "${vars.share}"}
monitor: null
"""
POLICY = """\
apiVersion: airflow-mlops/v1
allowed_imports: [acme, sklearn]
rules:
  - name: every model has an owner
    key: owner
    given: true
    matches: "[a-z][a-z-]*"
    hint: say who is asked
  - {name: approved, key: deploy.approval, equals: true, when: {profile: [prod], level: [1, 2, 3]}}
  - name: enough rows
    key: gates.minimum_rows
    minimum: 100
    maximum: 1e6
  - name: a threshold
    key: gates.rules
    contains: {type: threshold}
    when:
      task: [binary_classification, regression]
      tags: [team]
  - {name: known, key: evaluation.confidence, one_of: [0.9, 0.95, 0.99]}
"""
MODEL = """\
apiVersion: airflow-mlops/v1
model: churn
description: >-
  Who leaves, of ${vars.team}?
  {{ ds }} and $${this} stay, $${ too.
level: 2
task: binary_classification
schedule:
  {cron: "0 6 1,15 */2 mon-fri", timezone: Europe/Paris, start: 2024-01-01, end: 2025-06-30T12:00+02:00}
data:
  source: {type: python, callable: acme.data:load, params: {nested: [1, 2.5, {a: ~, b: [true, 'x']}]}}
  time_column: seen_at
  key: "id"
  label: gone
  features: {age: numeric, plan: categorical, größe: numeric}
  window: {length: 6 months}
  holdout: {length: 14 days}
validation:
  suite: suite.json
  expectations:
    - type: expect_column_values_to_not_be_null
      kwargs: &kwargs {column: gone, mostly: 0.9, row_condition: "age > 3", condition_parser: pandas}
      severity: warning
    - {type: expect_column_values_to_be_unique, kwargs: *kwargs}
training:
  callable: acme.train:fit
  params:
    text: |
      one
        two # no comment
    other: "\\u00e9\\t\\x41"
  trusted_types: [acme.parts.Encoder, collections.OrderedDict]
evaluation: {metrics: [roc_auc, log_loss], confidence: 0.9}
gates:
  rules:
    - {type: threshold, metric: roc_auc, minimum: 0.6, maximum: 1}
    - type: champion
      metric: log_loss
      margin: 0
monitor:
  cron: "@daily"
  labels: {source: {type: parquet, path: labels/*.parquet}}
  performance: {metric: roc_auc}
retraining: {causes: [drift, decay], k: 2, n: 3}
compute: {python: /opt/python}
execution: {retries: 3}
"""
# The same by other schedules, and with people to tell.
BY_EVENTS = """\
schedule:
  timetable: {name: DeltaDataIntervalTimetable, params: {delta: 6 hours}}
  start: "2024-01-01"
  assets:
    all: [raw/flights, {any: [weather, {name: plans, uri: s3://raw/plans}]}]
  watch:
    - {type: files, name: drop, path: in/*.csv, poll_interval: 1 minute}
    - {type: other_kind, params: {topic: x, retries: 3}}
  catchup: true
alerts:
  on_failure:
    - {type: webhook, conn_id: hooks, endpoint: alerts/ml}
    - {type: smtp, conn_id: mail, to: [a@example.org]}
  deadline: {train: 2 hours, deploy: 30 days}
  routes:
    - {events: [promoted, gate_held], at_least: info, to: [{type: slack_webhook, conn_id: slack}]}
  severity: {gate_held: critical}
  repeat_after: 3 days
  tell_over: false
execution: {retries: 2, retry_delay: 1 minute, timeout: 3 hours, pool: ml, pool_slots: 2, queue: big}
"""
SUITE = """\
{"name": "s", "expectations": [
  {"type": "expect_column_values_to_be_between",
   "kwargs": {"column": "age", "min_value": 0, "max_value": 1.5e2}},
  {"expectation_type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}, "severity": "info"}
]}
"""
OLD = (REPOSITORY / "configs" / "breast_cancer.yaml").read_text(encoding="utf-8").replace(
    "airflow-mlops/v1", "airflow-mlops/v1beta1"
) + "retries: 2  # of each task\n"


def models() -> list[str]:
    """Every model's YAML there is: examples, the docs' blocks, what init writes, and two of our own."""
    minimal = (REPOSITORY / "tests" / "config" / "minimal.yaml").read_text(encoding="utf-8")
    examples = [path.read_text(encoding="utf-8") for path in sorted(REPOSITORY.glob("configs/*.yaml"))]
    alone = MODEL.replace("  suite: suite.json\n", "").replace("${vars.team}", "${model}")
    return [*examples, minimal, minimal + BY_EVENTS, *_documented(), *_begun(), alone]


def _documented() -> Iterator[str]:
    for page in sorted((REPOSITORY / "docs").rglob("*.md")):
        for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
            if "apiVersion" in block[1] and "model:" in block[1]:
                yield block[1]


def _begun() -> Iterator[str]:
    for level in (1, 2, 3):
        start = Start("begun", level, "binary_classification", 2026)
        yield from (text for path, text in files_of(start, Path()).own.items() if path.suffix == ".yaml")
