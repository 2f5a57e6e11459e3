"""Campaigns: what ``utm_source`` says of a visit, where the policy keeps it and no referrer says more."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import logblur
from logblur.classify import Memory, classify
from logblur.classify.campaigns import COLUMNS, named, told
from logblur.classify.hosts import abbreviations, sources
from logblur.placeholders import NONE
from logblur.policy.load import builtin_text, decode
from logblur.policy.model import Policy
from logblur.policy.resolve import resolve
from logblur.protect.door import protect
from logblur.protect.paths import Templates
from logblur.schema import Universe

KEPT = '{ method = "template", query = { keep = ["page", "utm_source"] } }'
SOURCES = ("search_engine", "social_network", "ai_service")
NAMES = {source.name for source in sources()} | {NONE}


def policy(fields: str = KEPT, more: str = "") -> Policy:
    """Return the default policy, with a path that keeps these parameters."""
    text = builtin_text("audience")
    assert '{ method = "template", query = "drop" }' in text
    text = text.replace('where = "referral"', 'where = "sites"')
    return decode((text.replace('{ method = "template", query = "drop" }', fields) + more).encode())


def text(*values: str | None) -> pa.DictionaryArray:
    """Return a text column as parsing yields it."""
    codes = pa.array(range(len(values)), pa.int32())
    return pa.DictionaryArray.from_arrays(codes, pa.array(values, pa.large_string()))


def row(query: str | None, referrer: str | None, said: Policy | None = None, **more: str) -> tuple[str, ...]:
    """Return universe, path and sources of one request of a person for ``/a`` of ``shop.example.com``."""
    columns = {
        "time": pa.array([0], pa.timestamp("us", "UTC")),
        "remote_addr": text("203.0.113.7"),
        "host": text("shop.example.com"),
        "path": text("/a"),
        "query": text(query),
        "status": pa.array([200], pa.int16()),
        "referer_host": text(referrer),
        "user_agent": text("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        **{name: text(value) for name, value in more.items()},
    }
    plan = resolve(said or policy())
    batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    classified = classify(batch, site="", memory=Memory(), follow_campaigns=plan.follows_campaigns)
    wanted = [name for name in ("path", *SOURCES) if name in plan.columns]
    found = protect(classified, plan, lambda _: bytes(16), columns=wanted, templates=Templates()).rows()
    return (Universe(found["universe"][0].as_py()).name, *(found[name][0].as_py() for name in wanted))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("chatgpt.com", "ChatGPT"),
        ("openai", "ChatGPT"),
        ("perplexity", "Perplexity"),
        ("Perplexity.ai", "Perplexity"),
        ("facebook", "Facebook"),
        ("fb", "Facebook"),
        ("Facebook_Ads", "Facebook"),
        ("ig", "Instagram"),
        ("l.instagram.com", "Instagram"),
        ("hacker%20news", "Hacker News"),
        ("hacker+news", "Hacker News"),
        ("t.co", "Twitter"),
        ("linkedin-company-page", "LinkedIn"),
        ("google", "Google"),
        ("bing", "Bing"),
        ("mail.ru", "Mail.ru"),
        ("newsletter", None),
        ("line_item", None),
        ("ask-me", None),
        ("facebooked", None),
        ("notchatgpt.com", None),
        ("203.0.113.7", None),
        ("alice@example.com", None),
        ("", None),
        ("facebook" + "x" * 100, None),
    ],
)
def test_a_value_names_a_source_or_nothing(value: str, name: str | None) -> None:
    """Hosts, names and what links call a source are known; other words, and words that only begin so, are not."""
    found = named(value)
    assert (found and found.name) == name


def test_what_links_call_a_source_is_one_of_it() -> None:
    """Every abbreviation is of a source of the table, is spelled so that it can be met, and stands there once."""
    assert abbreviations().keys() <= NAMES
    assert {name for name, kind in Counter((s.name, s.kind) for s in sources() if s.name in abbreviations())}
    words = [word for many in abbreviations().values() for word in many]
    assert all(re.fullmatch("[a-z0-9]+", word) for word in words)
    assert len(set(words)) == len(words)


@given(st.lists(st.text(max_size=30) | st.sampled_from(["utm_source=fb", "a=1&utm_source=x&utm_source=fb"])))
def test_nothing_of_a_client_s_text_is_said(queries: list[str]) -> None:
    """Whatever a query holds, the columns hold names of the table; at most one of the three says something."""
    columns = [column.to_pylist() for column in told(pa.array(queries, pa.large_string())).flatten()]
    assert len(columns) == len(COLUMNS)
    for said in zip(*columns, strict=True):
        assert set(said) <= NAMES
        assert sum(value != NONE for value in said) <= 1


@pytest.mark.parametrize(
    ("query", "referrer", "said"),
    [
        ("utm_source=chatgpt.com", None, ("PAGE_ANSWERS", "/a", NONE, NONE, "ChatGPT")),
        ("x=1&utm_source=fb&page=2", None, ("PAGE_SOCIAL", "/a?page=2", NONE, "Facebook", NONE)),
        ("utm_source=google", "mail.example.net", ("PAGE_SEARCH", "/a", "Google", NONE, NONE)),
        ("utm_source=fb", "www.google.com", ("PAGE_SEARCH", "/a", "Google", NONE, NONE)),
        ("utm_source=fb", "www.example.com", ("PAGE", "/a", NONE, NONE, NONE)),
        ("utm_source=news", None, ("PAGE", "/a?utm_source=news", NONE, NONE, NONE)),
        ("utm_source=news", "example.org", ("PAGE_REFERRAL", "/a?utm_source=news", NONE, NONE, NONE)),
        (None, None, ("PAGE", "/a", NONE, NONE, NONE)),
        ("Utm_Source=fb", None, ("PAGE", "/a", NONE, NONE, NONE)),
    ],
)
def test_the_referrer_is_asked_first(query: str | None, referrer: str | None, said: tuple[str, ...]) -> None:
    """A campaign tells the source where the referrer names none and is not the site; then it is not in the path."""
    assert row(query, referrer) == said


def test_a_policy_that_does_not_keep_it_does_not_follow_it() -> None:
    """Without the parameter in the list, or a table by sources, it tells nothing and stays where it is."""
    others = KEPT.replace('"utm_source"', '"utm_medium"')
    assert row("utm_source=fb", None, policy(others)) == ("PAGE", "/a", NONE, NONE, NONE)
    tables = policy().model_copy(update={"tables": policy().tables[:2]})
    assert row("utm_source=fb", None, tables) == ("PAGE", "/a?utm_source=fb", NONE, NONE, NONE)


def test_of_a_restricted_request_it_tells_nothing() -> None:
    """Where a restricted request keeps no parameter, its source is what the referrer says, and it stays in `page`."""
    said = policy(more='\n[signals]\nobjection = { http_dnt = ["1"] }\nfields.path = { method = "template" }\n')
    assert row("utm_source=fb", None, said, http_dnt="1") == ("PAGE", "/a", NONE, NONE, NONE)
    assert row("utm_source=fb", None, said, http_dnt="0")[0] == "PAGE_SOCIAL"


def test_the_tables_of_a_run_follow_it(tmp_path: Path) -> None:
    """Visits without a referrer are counted where their links say, and all tables still add up."""
    line = (
        '203.0.%d.9 - - [10/Nov/2025:20:05:03 +0200] "GET /%s HTTP/1.1" 200 5 "-" '
        '"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"\n'
    )
    asked = ["a?utm_source=fb"] * 30 + ["a?utm_source=chatgpt.com"] * 25 + ["b?utm_source=news"] * 20
    log = tmp_path / "access.log"
    log.write_text("".join(line % (n, path) for n, path in enumerate(asked)))
    more = "".join(
        f'\n[[table]]\nname = "{name}"\nwhere = "{name}"\nby = ["{by}"]\nmeasures = ["requests"]\nmin_clients = 10\n'
        for name, by in (("social", "social_network"), ("ai_answers", "ai_service"))
    )
    logblur.run(log, tmp_path / "out", policy=policy(more=more), state=tmp_path / "state")
    rows = {
        name: pl.read_parquet(tmp_path / "out" / name).select(by, "requests").rows()
        for name, by in (("social", "social_network"), ("ai_answers", "ai_service"), ("pages", "path"))
    }
    assert rows == {
        "social": [("Facebook", 30)],
        "ai_answers": [("ChatGPT", 25)],
        "pages": [("/a", 55), ("/b?utm_source=news", 20)],
    }
