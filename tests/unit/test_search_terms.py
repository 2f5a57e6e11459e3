"""Search terms: from engines that still say them, swept, and from nobody else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import logblur
from logblur.classify.terms import searched
from logblur.errors import PolicyError
from logblur.placeholders import NONE
from logblur.policy.load import builtin_text, decode
from logblur.policy.model import Policy
from logblur.policy.resolve import resolve
from logblur.protect.queries import search_terms

HEAD = builtin_text("audience").partition("[[table]]")[0]
TABLE = (
    '[[table]]\nname = "terms"\nwhere = "search"\nby = ["search_engine", "search_terms"]\nmeasures = ["requests"]\n'
    "min_clients = 2\n"
)


ADDRESSES = st.ip_addresses(network="203.0.113.0/24") | st.ip_addresses(network="2001:db8::/32")


def policy(method: str = "terms") -> Policy:
    """Return the fields of the default policy, referrers treated so, and a table of search terms."""
    return decode((HEAD.replace('{ method = "domain" }', f'{{ method = "{method}" }}') + TABLE).encode())


def large(*values: str | None) -> pa.Array:
    """Return texts as parsing yields them."""
    return pa.array(values, pa.large_string())


@pytest.mark.parametrize(
    ("referrer", "terms"),
    [
        ("https://www.google.com/search?q=blue+shoes&ie=utf-8", "blue+shoes"),
        ("https://duckduckgo.com/?t=h_&q=%C5%A1okol%C4%81de#x", "%C5%A1okol%C4%81de"),
        ("https://uk.search.yahoo.com/search?p=tea", "tea"),
        ("http://yandex.ru/search/?text=%D1%87%D0%B0%D0%B9", "%D1%87%D0%B0%D0%B9"),
        ("https://www.baidu.com/s?wd=cha", "cha"),
        ("https://www.google.com/", None),
        ("https://www.google.com/search?q=", None),
        ("https://www.google.com/search?xq=no", None),
        ("https://mail.google.com/?q=secret", None),
        ("https://example.org/?q=secret", None),
        ("https://chatgpt.com/?q=secret", None),
        ("https://www.facebook.com/search?q=secret", None),
        ("https://user:pw@www.google.com:443/search?q=a", "a"),
        ("google.com/search?q=a", None),
        ("", None),
        (None, None),
    ],
)
def test_terms_come_from_engines_alone(referrer: str | None, terms: str | None) -> None:
    """The parameter that an engine's results have is read, and no other, and of no other site."""
    assert searched(large(referrer)).to_pylist() == [terms]


def test_each_engine_has_its_own_parameter() -> None:
    """Referrers of several engines in one column are each read by their own rule."""
    given = large(
        "https://www.google.com/?q=a&text=b", None, "https://yandex.ru/?wd=a&text=b", "https://example.org/?q=a"
    )
    assert searched(given).to_pylist() == ["a", None, "b", None]
    assert searched(large()).to_pylist() == []


@pytest.mark.parametrize(
    ("raw", "published"),
    [
        ("Blue+Shoes", "blue shoes"),
        ("%20blue%20%20shoes ", "blue shoes"),
        ("%C5%A0OKOL%C4%80DE", "šokolāde"),
        ("alice%40example.com", "{email}"),
        ("call+%2B371+2612+3456", "call {phone}"),
        ("192.0.2.7", "{ip}"),
        ("26123456", "{number}"),
        ("%28other%29", "%28other)"),
        ("a" * 200, "{long}"),
        ("+", NONE),
        (None, NONE),
    ],
)
def test_terms_are_swept(raw: str | None, published: str) -> None:
    """Terms are decoded, in small letters and without what has the form of an identifier."""
    assert search_terms(large(raw)).to_pylist() == [published]


EMAILS = st.from_regex(r"[a-z]{2,8}[._]?[A-Za-z]{2,8}@[a-z]{2,8}\.(?:com|lv|co\.uk)", fullmatch=True)


@settings(max_examples=20, deadline=None)
@given(EMAILS, ADDRESSES)
def test_no_identifier_is_published(email: str, address: object) -> None:
    """What has the form of an identifier is gone, also in the middle of other words."""
    raw = [email, f"who is {email}", f"{address}", f"ping {address} now"]
    for said in search_terms(large(*raw)).to_pylist():
        assert email.lower() not in said
        assert str(address) not in said


def test_terms_are_published_where_the_policy_asks(tmp_path: Path) -> None:
    """A scan holds them beside the engine; with method `domain` whole referrers are not even parsed."""
    log = tmp_path / "access.log"
    log.write_text(
        '203.0.113.7 - - [10/Nov/2025:20:05:03 +0200] "GET / HTTP/1.1" 200 5 "https://duckduckgo.com/?q=Blue+shoes" '
        '"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"\n'
    )
    found = logblur.scan(log, policy=policy()).select("search_engine", "search_terms").collect()
    assert found.rows() == [("DuckDuckGo", "blue shoes")]
    assert "referer" in resolve(policy()).fields
    with pytest.raises(PolicyError, match="'terms'"):
        resolve(policy("domain"))
    assert "search_terms" not in logblur.scan(log, policy="audience").collect_schema()
