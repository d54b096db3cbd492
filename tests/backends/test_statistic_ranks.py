"""The order of scores: what a metric says of rows left out one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from airflow_mlops.backends.statistic_ranks import AveragePrecision, Ranking


@pytest.mark.parametrize("ties", [False, True])
def test_the_influence_on_average_precision_is_that_of_leaving_each_row_out(ties: bool) -> None:
    random = np.random.default_rng(0)
    label, score = random.random(60) < 0.4, random.random(60)
    score = np.round(score, 1) if ties else score
    without = np.array(
        [average_precision_score(np.delete(label, row), np.delete(score, row)) for row in range(60)]
    )
    found = AveragePrecision(Ranking(label, score)).influence()
    np.testing.assert_allclose(found, 59 * (without.mean() - without), atol=1e-12)
