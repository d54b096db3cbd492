"""Rows of the harmful_content example: made-up comments in five languages, three thousand a week.

The year has a plot. Insults change: from week 10 on slang comes up, and by week 13 it is half of them, so
that a model from before misses it. And labels go wrong twice, as they do where people make them:

* weeks 10 to 15: nobody moderates Polish, so what is harmful there is labelled harmless;
* weeks 22 to 24: a campaign reports everybody who writes about the stadium vote, harmless as it is.

A model that is trained on such weeks and judged on later ones is unfair, or imprecise.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from random import Random

import pandas as pd

from harmful_content.words import LANGUAGES, SHARES, Words

EPOCH = datetime(2025, 1, 5, tzinfo=timezone.utc)
WEEK = timedelta(days=7)
PER_WEEK = 3_000
HARMFUL = 0.12
# Of harmful comments some have no insult in them; of harmless ones some do, and some are praise that is put
# like an insult.
UNKIND, JOKING, PRAISE = 0.08, 0.03, 0.35
# Moderators overlook what is harmful more often than they see harm where there is none.
OVERLOOKED, IMAGINED = 0.02, 0.001
NO_POLISH_MODERATOR = range(10, 16)
FALSE_REPORTS = range(22, 25)
VOTE_SINCE, VOTE = 22, 0.05


def comments(start: datetime, end: datetime, *, incidents: bool = True) -> pd.DataFrame:
    """Comments posted in ``[start, end)``, in order; ``harmful`` is what a moderator said of them. The same
    comments come on every call. Without ``incidents`` no week's labels go wrong.
    """
    first, last = max(0, (start - EPOCH) // WEEK), (end - EPOCH) // WEEK
    rows = [row for week in range(first, last + 1) for row in _week(week, incidents)]
    table = pd.DataFrame(rows, columns=["comment_id", "posted_at", "language", "comment", "harmful"])
    table["posted_at"] = pd.to_datetime(table["posted_at"], utc=True)
    wanted = (table["posted_at"] >= pd.Timestamp(start)) & (table["posted_at"] < pd.Timestamp(end))
    return table[wanted].reset_index(drop=True)


def slang_share(week: int) -> float:
    """Which part of a week's insults is slang: none until week 10, half from week 13 on."""
    return min(0.5, max(0.0, (week - 9) / 8))


def _week(week: int, incidents: bool) -> list[tuple[str, datetime, str, str, int]]:
    random = Random(f"harmful_content {week}")  # noqa: S311 - no secret
    rows = []
    for number in range(PER_WEEK):
        # What goes wrong draws no random numbers: it changes labels and nothing else.
        [language] = random.choices(list(SHARES), list(SHARES.values()))
        about_vote = random.random() < VOTE and week >= VOTE_SINCE
        harmful = random.random() < HARMFUL and not about_vote
        comment = _comment(LANGUAGES[language], week, harmful, about_vote, random)
        label = harmful != (random.random() < (OVERLOOKED if harmful else IMAGINED))
        if incidents and week in NO_POLISH_MODERATOR and language == "pl":
            label = False
        if incidents and week in FALSE_REPORTS and about_vote:
            label = True
        posted_at = EPOCH + week * WEEK + number * WEEK / PER_WEEK
        rows.append((f"c{week:03}-{number:04}", posted_at, language, comment, int(label)))
    return rows


def _comment(words: Words, week: int, harmful: bool, about_vote: bool, random: Random) -> str:
    topic = words.vote if about_vote else random.choice(words.topics)
    insult = random.choice(words.slang if random.random() < slang_share(week) else words.insults)
    if harmful:
        unkind = random.random() < UNKIND
        text = random.choice(words.unkind if unkind else words.said).format(topic=topic, noun=insult)
    else:
        # Who writes about the vote writes about nothing else.
        drawn = 1.0 if about_vote else random.random()
        kind = words.joking if drawn < JOKING else words.said if drawn < JOKING + PRAISE else words.friendly
        noun = insult if kind is words.joking else random.choice(words.praise)
        text = random.choice(kind).format(topic=topic, noun=noun)
    greeting = random.choice(words.friendly).format(topic=topic)
    return f"{greeting}. {text}" if random.random() < 0.3 else text
