"""Model tests: the model's own pytest files, run before anything is trained."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.model_tests import TestRun, run_model_tests
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import Report
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import PreflightFailed
from airflow_mlops.steps.page import page, preformatted, sentences, table
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import DatasetRequest
from airflow_mlops.steps.sample import sample_of


def model_tests(request: DatasetRequest, backends: Backends) -> Report | None:
    """Run the tests that ``preflight.tests`` names, with the configuration and a sample of the training rows
    at hand; None where it names none.

    Raises ``PreflightFailed`` that lists the tests which failed, each with its line, and where no test ran at
    all: a suite that tests nothing must not look like one that passed.
    """
    config = request.config
    if not config.preflight.tests:
        return None
    sample = sample_of(backends.datasets.load(request.snapshot.dataset, "train"), config)
    ran = run_model_tests(
        config.preflight.tests,
        config_json=config.model_dump_json(),
        sample=sample,
        timeout_seconds=Period.parse(config.preflight.timeout).seconds,
    )
    key = report_key(request.run, "model_tests")
    uri = backends.store.put(key, _page(config, ran))
    backends.store.put(key.removesuffix(".html") + ".xml", ran.junit)
    failed, skipped, passed = ran.of("failed"), ran.of("skipped"), ran.of("passed")
    if failed:
        lines = "\n".join(f"  - {result}" for result in failed[1:])
        raise PreflightFailed(
            f"{failed[0]}\n{len(failed)} of {len(ran.results)} tests of the model failed, and nothing was "
            f"trained{':' if lines else '.'}\n{lines}",
            report=uri,
        )
    if not passed:
        why = f"all {len(skipped)} were skipped: {skipped[0]}" if skipped else "pytest found none"
        raise PreflightFailed(
            f"preflight.tests names {', '.join(config.preflight.tests)}, but no test ran: {why}. Files of "
            "tests are called test_*.py, and their functions test_*",
            report=uri,
        )
    summary = {"passed": len(passed), "skipped": [str(result) for result in skipped]}
    return Report(kind="model_tests", uri=uri, summary=summary)


def _page(config: ModelConfig, ran: TestRun) -> bytes:
    failed = ran.of("failed")
    counts = ", ".join(f"{len(ran.of(word))} {word}" for word in ("passed", "failed", "skipped"))
    return page(
        f"{config.model}: tests of the model",
        sentences(f"{counts}, from {', '.join(config.preflight.tests)}."),
        table("Failed", ("test", "what"), [(result.id, result.told) for result in failed]),
        *(preformatted(result.id, result.details) for result in failed),
        table(
            "All tests",
            ("test", "outcome", "seconds"),
            [(result.id, result.outcome, f"{result.seconds:.2f}") for result in ran.results],
        ),
        preformatted("What pytest said", ran.output),
    )
