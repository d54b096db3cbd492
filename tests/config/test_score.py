"""What ``score`` may say, what it asks of the rest of a file, and where a contradiction is shown."""

from __future__ import annotations

import pytest

from airflow_mlops.config.problems import InvalidConfig

BATCH = "deploy: {target: {type: batch}}\n"


def test_a_model_without_score_is_not_scored(load):
    assert load("").score is None


def test_score_alone_takes_the_models_own_rows_day_by_day(load):
    score = load("score: {}").score
    assert (score.source, score.partition, score.champion, score.shadow_share) == (None, "day", "now", 0.0)
    assert score.folder("wine", "2026-03-01") == "predictions/wine/date=2026-03-01"


def test_a_batch_model_is_rolled_out_by_its_shadow_and_needs_no_server(load):
    deploy = load(f"{BATCH}score: {{shadow_share: 0.1}}").deploy
    assert (deploy.strategy, deploy.weights, deploy.shadows) == ("shadow", (), True)
    direct = load("deploy: {target: {type: batch}, strategy: direct}\nscore: {}").deploy
    assert not direct.shadows


@pytest.mark.parametrize(
    ("more", "key", "said"),
    [
        (BATCH, "deploy.target", "a batch model is served by its score DAG alone; give 'score'"),
        (f"{BATCH}score: {{}}", "score.shadow_share", "the rollout's shadow would never see a row"),
        (
            "deploy: {target: {type: batch}, strategy: canary}\nscore: {shadow_share: 1}",
            "deploy.target.type",
            "a target of type batch has no canary; set strategy: shadow or direct",
        ),
        ("score: {path: 'predictions/wine'}", "score.path", "would be one place for all partitions"),
        ("score: {path: 'p/{partition}/{day}'}", "score.path", "a placeholder that nobody fills in"),
        ("score: {path: '{partition'}", "score.path", "a placeholder that nobody fills in"),
        ("score: {path: '/p/{partition}'}", "score.path", "is no folder of the store"),
        ("score: {path: 'p/../{partition}'}", "score.path", "is no folder of the store"),
        ("score: {path: 'inference/{partition}'}", "score.path", "inference/ is the store's own"),
        ("score: {path: 'rollouts/{partition}'}", "score.path", "rollouts/ is the store's own"),
        ("score: {keep: [date]}", "score.path", "a second column 'date' from the folder's name"),
        ("score: {path: 'p/bottle={partition}'}", "score.path", "a second column 'bottle'"),
        ("score: {keep: [prediction]}", "score.keep[0]", "a column of the predictions themselves"),
        ("score: {keep: [bottle]}", "score.keep[0]", "is carried over in any case"),
        (
            "score: {schedule: {watch: [{type: files, path: x}]}}",
            "score.schedule.watch",
            "watch in the model's own schedule",
        ),
        (
            "score: {schedule: {assets: wine/predictions}}",
            "score.schedule.assets",
            "is updated by this very DAG",
        ),
        (
            "score: {schedule: {every: 1 hour, start: 2026-01-01}}",
            "score.partition",
            "a run for each 1 hour covers no whole day; choose a shorter partition",
        ),
        ("score: {chunk: 1 hour}", "score.chunk", "read in chunks of chunk_rows already"),
        (
            "alerts: {on_failure: [{type: webhook, conn_id: a}], deadline: {score: 1 hour}}",
            "alerts.deadline.score",
            "there is no score DAG",
        ),
        ("schedule: {assets: wine/predictions}", "schedule.assets", "would start each other for ever"),
    ],
)
def test_a_contradiction_is_shown_at_its_key(load, more, key, said):
    with pytest.raises(InvalidConfig) as caught:
        load(more)
    found = {problem.key: problem.message for problem in caught.value.problems}
    assert said in found.get(key, f"{key} is not among {found}")


def test_it_may_follow_the_data_or_the_champion(load):
    score = load("score: {schedule: {assets: [raw/wine, wine/champion]}}").score
    assert [*score.schedule.assets.names()] == ["raw/wine", "wine/champion"]
