"""Referrers by site and page; fields that only some servers log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import logblur
from logblur.errors import PolicyError
from logblur.policy.explain import explain
from logblur.policy.load import decode, encode, restore
from logblur.policy.resolve import resolve
from logblur.protect.paths import Templates
from logblur.protect.referrers import origins, pages


def texts(*values: str | None) -> pa.Array:
    """Return a column."""
    return pa.array(values, pa.large_string())


@pytest.mark.parametrize(
    ("referrer", "origin", "page"),
    [
        (None, "(none)", "(none)"),
        ("", "(none)", "(none)"),
        ("https://www.Example.org", "https://www.example.org", "https://www.example.org/"),
        ("HTTP://user:pw@a.example:8080/u/anna%40example.com?q=1#f", "http://a.example", "http://a.example/u/{email}"),
        ("https://203.0.113.7/x", "(none)", "(none)"),
        ("https://[2001:db8::1]/x", "(none)", "(none)"),
        ("https://a.example?x=anna@example.com", "https://a.example", "https://a.example/"),
        ("android-app://com.example/", "(none)", "(none)"),
        ("javascript:alert(1)", "(none)", "(none)"),
        ("https://a@b@c.example/x", "https://c.example", "https://c.example/x"),
    ],
)
def test_referrers_by_site_and_page(referrer: str | None, origin: str, page: str) -> None:
    """Scheme and host remain, and the path as of any path; user, port, query and fragment go."""
    assert origins(texts(referrer)).to_pylist() == [origin]
    assert pages(texts(referrer), Templates(), ()).to_pylist() == [page]


@given(st.text(max_size=60), st.text("ab@:/?#.", max_size=20))
def test_no_query_is_left(before: str, after: str) -> None:
    """Whatever a referrer is, nothing after its question mark or hash occurs."""
    (found,) = pages(texts(f"https://{before}?qqq{after}"), Templates(), ()).to_pylist()
    assert "qqq" not in found


POLICY = """
version = 1
name = "records"
purpose = "test"
legal_basis = "public-task"
retention = "1 day"
[input]
format = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{Cookie}i" "%{X-Shop}i" "%{X-Trace}i"'
[fields]
time = { method = "day" }
referer = { method = "path" }
cookies = { method = "pseudonym" }
http_x_shop = { method = "keep", reason = "which shop" }
http_x_trace = { method = "drop" }
"""
LINE = (
    '203.0.113.7 - anna [17/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "https://a.example/u/4539578763621486?x" '
    '"sid=qcookiewacholder" "riga via 203.0.113.9" "qtracewacholder"\n'
)


def frame(tmp_path: Path, text: str = POLICY) -> Any:
    """Return the protected lines."""
    (tmp_path / "log").write_text(LINE * 2)
    return logblur.scan(tmp_path / "log", policy=decode(text.encode())).collect()


def test_fields_of_some_servers_can_be_named(tmp_path: Path) -> None:
    """A header is kept but for addresses, cookies become pseudonyms, what is dropped or not named is not there."""
    rows = frame(tmp_path).to_dicts()
    assert rows[0]["http_x_shop"] == "riga via {ip}"
    assert rows[0]["referrer"] == "https://a.example/u/{card}"
    assert rows[0]["cookies"] == rows[1]["cookies"]
    assert "wacholder" not in str(rows)
    assert not {"http_x_trace", "remote_addr", "remote_user"} & rows[0].keys()


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ('$remote_addr [$time_iso8601] "$request" $request_id', "request_id"),
        ('$remote_addr [$time_iso8601] "$request" $upstream_response_time', "upstream_response_time"),
        ('$remote_addr [$time_iso8601] "$request" $ssl_protocol', "ssl_protocol"),
        ("#Fields: c-ip date time cs-uri-stem x-edge-location", "x_edge_location"),
        ("#Fields: c-ip date time cs-uri-stem s-computername", "s_computername"),
    ],
)
def test_variables_of_nginx_and_fields_of_w3c_can_be_named(tmp_path: Path, form: str, name: str) -> None:
    """What a format calls a variable or a field of its own is what a policy calls it."""
    log = tmp_path / "access.log"
    w3c = form.startswith("#")
    log.write_text(
        f"{form}\n203.0.113.9 2026-05-17 10:05:03 /a value\n"
        if w3c
        else '203.0.113.9 [2026-05-17T10:05:03Z] "GET /a HTTP/1.1" value\n'
    )
    head = POLICY.partition("[fields]")[0]
    named = f'{head}[fields]\ntime = {{ method = "day" }}\n{name} = {{ method = "keep", reason = "test" }}\n'
    found = logblur.scan(log, policy=decode(named.encode()), format="auto" if w3c else form)
    assert found.collect().to_dicts()[0][name] == "value"


def test_without_the_sweep_the_address_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the kept header holds an address, which only the sweep removes."""
    monkeypatch.setattr("logblur.protect.door.swept_of_addresses", lambda values, *_: values)
    assert frame(tmp_path).to_dicts()[0]["http_x_shop"] == "riga via 203.0.113.9"


def test_such_a_field_is_explained_and_kept_in_the_policy() -> None:
    """It comes back from what a day keeps, and `explain` says what becomes of it."""
    policy = decode(POLICY.encode())
    assert restore(encode(policy)) == policy
    said = {field.name: field.becomes for field in explain(policy, resolve(policy)).fields}
    assert said["http_x_shop"].startswith("as logged but for addresses")
    assert said["http_x_trace"] == "nothing; not even parsed"


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ('http_x_shop = { method = "keep" }', "fields.http_x_shop.reason"),
        ('http_x_shop = { method = "hour" }', "fields.http_x_shop.method"),
        ('shop_x = { method = "drop" }', "fields.shop_x"),
        ('upstream = { method = "drop" }', "fields.upstream"),
        ('request_idd = { method = "drop" }', "fields.request_idd"),
        ('http_X = { method = "drop" }', "fields.http_X"),
        ("http_x_shop = 1", "fields.http_x_shop"),
    ],
)
def test_such_a_field_can_be_wrong(line: str, path: str) -> None:
    """A name that no server's field has, or a method that such a field cannot have, is an error by its path."""
    with pytest.raises(PolicyError) as refused:
        resolve(decode((POLICY[: POLICY.index("http_x_shop")] + line).encode()))
    assert refused.value.path == path
