"""The harmful_content example's comments and their plot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def plugins() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "plugins")
        yield


def week(first: int, last: int | None = None, **options: Any) -> pd.DataFrame:
    from harmful_content.data import EPOCH, WEEK, comments

    return comments(EPOCH + first * WEEK, EPOCH + (first if last is None else last) * WEEK + WEEK, **options)


@pytest.fixture(scope="module")
def first_weeks(plugins: None) -> pd.DataFrame:
    return week(0, 3)


def test_every_week_has_three_thousand_comments_in_order_and_none_is_there_twice(
    first_weeks: pd.DataFrame,
) -> None:
    from harmful_content.data import EPOCH, WEEK

    assert len(first_weeks) == 4 * 3_000
    assert first_weeks["comment_id"].is_unique
    assert first_weeks["posted_at"].is_monotonic_increasing
    assert first_weeks["posted_at"].iloc[3_000] == pd.Timestamp(EPOCH + WEEK)
    assert not first_weeks.isna().any(axis=None)


def test_a_comment_is_the_same_whichever_window_asks_for_it(first_weeks: pd.DataFrame) -> None:
    from harmful_content.data import EPOCH, comments

    start = EPOCH + timedelta(days=9, hours=7)
    some = comments(start, start + timedelta(days=3))
    expected = first_weeks[first_weeks["comment_id"].isin(some["comment_id"])].reset_index(drop=True)
    assert len(some) == pytest.approx(3_000 * 3 / 7, abs=2)
    pd.testing.assert_frame_equal(some, expected)


def test_harm_is_rare_in_every_language_and_languages_are_not_equally_frequent(
    first_weeks: pd.DataFrame,
) -> None:
    harmful = first_weeks.groupby("language")["harmful"].mean()
    assert sorted(harmful.index) == ["de", "en", "es", "fr", "pl"]
    assert harmful.between(0.08, 0.16).all()
    shares = first_weeks["language"].value_counts(normalize=True)
    assert shares["en"] > 2 * shares["pl"] > 0.2


def test_an_insult_is_not_always_harmful_and_harm_not_always_an_insult(first_weeks: pd.DataFrame) -> None:
    from harmful_content.words import LANGUAGES

    insults = {insult for words in LANGUAGES.values() for insult in words.insults}
    insulting = first_weeks["comment"].map(lambda text: any(insult in text for insult in insults))
    harmful = first_weeks["harmful"] == 1
    assert (insulting & ~harmful).sum() > 100
    assert (harmful & ~insulting).sum() > 100


def test_slang_comes_up_in_week_10_and_is_half_of_the_insults_from_week_13_on(plugins: None) -> None:
    from harmful_content.words import ENGLISH

    def slang(number: int) -> float:
        harmful = week(number).query("harmful == 1 and language == 'en'")["comment"]
        new = harmful.map(lambda text: any(word in text for word in ENGLISH.slang)).sum()
        old = harmful.map(lambda text: any(word in text for word in ENGLISH.insults)).sum()
        return float(new / (new + old))

    assert slang(9) == 0
    assert 0 < slang(10) < 0.3
    assert slang(13) == pytest.approx(0.5, abs=0.12)


def test_no_moderator_and_a_campaign_change_labels_and_nothing_else(plugins: None) -> None:
    for number, fault in ((12, "language == 'pl'"), (23, "comment.str.contains('stad|Stad')")):
        wrong, right = week(number), week(number, incidents=False)
        pd.testing.assert_frame_equal(wrong.drop(columns="harmful"), right.drop(columns="harmful"))
        changed = wrong["harmful"] != right["harmful"]
        assert changed.sum() > 30
        assert changed[changed].index.isin(wrong.query(fault).index).all()
    assert week(12).query("language == 'pl'")["harmful"].sum() == 0
    pd.testing.assert_frame_equal(week(16), week(16, incidents=False))


def test_the_words_are_few_enough_to_be_read_and_every_sentence_can_be_filled(plugins: None) -> None:
    from harmful_content.words import LANGUAGES, SHARES

    assert set(LANGUAGES) == set(SHARES)
    assert sum(SHARES.values()) == pytest.approx(1)
    for words in LANGUAGES.values():
        for sentence in (*words.friendly, *words.said, *words.unkind, *words.joking):
            assert "{" not in sentence.format(topic="t", noun="n")
        assert not set(words.insults) & {*words.slang, *words.praise}
