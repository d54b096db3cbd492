"""Small damage to a text, as hands, editors and attackers do it; the same for the same ``Random``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

# Words, marks and values that YAML readers, Python or this package may trip over.
TOKENS = (
    "yes", "No", "on", "~", "null", "true", "012", "0x1F", "1_000", "1:30", ".inf", "-.nan",
    "1e999", "-1e-999", "1" * 41, "9" * 400, "1" +"_" * 60 +"x", "-0", "1e5", "+.5", "2013-01-01",
    "0001-01-01T00:00+14:00", "9999-12-31T23:59:59-12:00", "2013-02-30", "2024-W01-1", "&a ", "*a",
    "&a [*a]", "<<: *a", "<<: {a: 1}", "!!python/object/apply:os.system [id]", "!!binary aGk=",
    "!!set {a}", "!x ", "!<tag:yaml.org,2002:int> 3", "%TAG ! tag:x,2000:\n", "%YAML 1.1\n",
    "---\n", "...\n", "--- ", "? ", "? [a]\n: b", "- ", ": ", ", ", "# ", "${", "${vars.rows}",
    "$${x}", "${vars.}", "${model}", "${profile}", "${vars.team}${vars.text}", "{{ ds }}", "{{",
    "%(x)s", "$HOME", "${HOME}", "\0", "\x07", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u2029",
    "\ufeff", "\ufffe", "\u00a0", "\u202e", "🙂", "e\u0301", "ﬁ", "\r", "\r\n", "\t", "\v", "\f",
    "\n\n", "'", '"', "\"\\0\"", '"\\ud83d"', "\"\\x07\"", "|", ">-", "|9", "|+\n  x", "[", "]",
    "{", "}", "[" * 60, "{a: " * 60, "@", "`", "\\", "a" * 300, "a: " * 5, "model: other\n",
    "locked: [model]\n", "vars: {rows: ${vars.rows}}\n", "apiVersion: airflow-mlops/v9\n",
    "airflow-mlops/v1beta1", "os:system", "os.system", "airflow.x:y", "a.b:c", "a..b:c",
    "__main__:x", "acme_evil:x", "type: parquet\n", "type: [a]\n", "type: 3\n", "type: {a: b}\n",
    "- type: champion\n", "cron: '* * * * *'\n", "0 0 31 2 *", "*/0 * * * *", "*/٣ * * * *",
    "1-5/2,7 0 * * sun", "@yearly", "@reboot", "99999999999999 days", "0 days", "٣ days",
    "3 months", "100 years", "../x", "/", "", "labels/../x", "s3://b/k", "(a+)+$", "a{9999999999}",
    "(", "[[:alpha:]", "(?=x)", "\\", "matches: '('\n", "given: null\n", "one_of: []\n",
    "equals: {a: [1]}\n", "key: deploy\n", "[0.1, 0.10000001]", "[1e-300, 0.5]", "[0.5, 0.1]",
    "suite: ../x.json\n", "Europe/../UTC", "Mars/X",
)  # fmt: skip


def mutated(text: str, random: Random, others: Sequence[str]) -> str:
    """One to four kinds of damage. ``others`` are texts to take pieces from."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        text = random.choice(_KINDS)(text, random, others)
    return text


def _flip(text: str, random: Random, others: Sequence[str]) -> str:
    """A changed byte, which may be no UTF-8 any more: then what a lax reader would see."""
    body = bytearray(text.encode("utf-8", "surrogatepass"))
    if body:
        body[random.randrange(len(body))] ^= 1 << random.randrange(8)
    return body.decode("utf-8", random.choice(("replace", "surrogateescape")))


def _token(text: str, random: Random, others: Sequence[str]) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(TOKENS) + text[at + random.choice((0, 0, 1, 5)) :]


def _value(text: str, random: Random, others: Sequence[str]) -> str:
    """Another value behind a colon or dash."""
    places = [found.end() for found in re.finditer(r"(?::|-) ", text)]
    if not places:
        return text
    at = random.choice(places)
    end = re.compile(r"[,\]}\n]|$").search(text, at)
    return text[:at] + random.choice(TOKENS) + text[end.start() if end else at :]


def _key(text: str, random: Random, others: Sequence[str]) -> str:
    """A key under the name of another, perhaps of another file."""
    keys = list(re.finditer(r"[\w]+(?=:)", text))
    foreign = re.findall(r"[\w]+(?=:)", random.choice(others))
    if not keys or not foreign:
        return text
    here = random.choice(keys)
    return text[: here.start()] + random.choice(foreign) + text[here.end() :]


def _lines(text: str, random: Random, others: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True)
    if len(lines) < 2:
        return text
    one, two = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(6):
        case 0:
            del lines[one]
        case 1:
            lines.insert(two, lines[one])
        case 2:
            lines[one], lines[two] = lines[two], lines[one]
        case 3:
            lines[one] = random.choice(("", " ", "  ", "    ", "\t")) + lines[one].lstrip(" ")
        case 4:
            lines[one : one + 3] = random.choice(others).splitlines(keepends=True)[two : two + 3]
        case 5:
            del lines[min(one, two) : max(one, two)]
    return "".join(lines)


def _cut(text: str, random: Random, others: Sequence[str]) -> str:
    at = random.randrange(len(text) + 1)
    return random.choice((text[:at], text[at:], text[:at] + random.choice(others)[at:]))


def _line_ends(text: str, random: Random, others: Sequence[str]) -> str:
    return text.replace(
        "\n", random.choice(("\r\n", "\r", "\u2028", "\x85", "\n\n", " \n")), random.choice((1, -1))
    )


_KINDS: tuple[Callable[[str, Random, Sequence[str]], str], ...] = (
    _flip, _token, _token, _value, _value, _value, _key, _key, _lines, _lines, _lines, _cut, _line_ends,
)  # fmt: skip
