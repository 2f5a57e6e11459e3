"""Requests that object, or do not consent: which they are, and that less of them is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import logblur
from logblur.errors import PolicyError
from logblur.policy.explain import explain
from logblur.policy.load import decode, encode, restore, validate
from logblur.policy.plan import Signals
from logblur.policy.resolve import resolve
from logblur.protect.signals import restricted

POLICY = """
version = 1
name = "signals"
purpose = "test"
legal_basis = "public-task"
retention = "1 year"
[input]
format = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i" "%{Sec-GPC}i" "%{Cookie}i"'
[fields]
remote_addr = { method = "truncate", ipv4_prefix = 16, ipv6_prefix = 32 }
time = { method = "hour" }
path = { method = "template" }
status = { method = "keep", reason = "test" }
user_agent = { method = "family" }
[signals]
SIGNALS
[[table]]
name = "t"
where = "all"
by = ["path", "network", "browser", "status"]
measures = ["requests", "visitors"]
min_clients = 2
"""
OBJECT = 'objection = { http_sec_gpc = ["1"] }\n'
CONSENT = 'consent = { cookie_choice = ["yes*"] }\n'
DROP = 'fields = { path = { method = "drop" } }\n'


def policy(signals: str, more: str = "") -> Any:
    """Return a policy with these signals; ``more`` replaces the legal basis."""
    text = POLICY.replace("SIGNALS", signals)
    return decode((text.replace('"public-task"', more) if more else text).encode())


def column(*texts: str | None) -> pa.DictionaryArray:
    """Return texts as parsing does."""
    return pa.array(texts, pa.large_string()).dictionary_encode(null_encoding="encode")


def signals(consent: Any = (), objection: Any = ()) -> Signals:
    """Return conditions alone."""
    return Signals(consent, objection, True, {}, (), 0, 0, ())


@pytest.mark.parametrize(
    ("cookies", "consents"),
    [
        ("choice=yes", True),
        ("a=b; choice=YES", True),
        ("a=b;choice=yes; c=d", True),
        ("choice=yesterday", False),
        ("choice=no; x=yes", False),
        ("mychoice=yes", False),
        ("choice=no; choice=yes", True),
        ("choice", False),
        (None, False),
        ("; " * 50_000, False),
    ],
)
def test_a_cookie_is_found_in_the_header(cookies: str | None, consents: bool) -> None:
    """One cookie of the whole header counts by its name and its whole value."""
    asked = signals(consent=(("cookie_choice", ("yes",)),))
    assert restricted({"cookies": column(cookies)}, asked, 1).tolist() == [not consents]


def test_an_objection_outweighs_consent_and_silence_is_none() -> None:
    """Who consents and objects is restricted; so is silence, and what is not logged, where consent is asked for."""
    columns = {"http_sec_gpc": column("1", "1", None, "0"), "cookie_choice": column("yes", "no", "yes", None)}
    both = signals((("cookie_choice", ("y*",)),), (("http_sec_gpc", ("1",)),))
    assert restricted(columns, both, 4).tolist() == [True, True, False, True]
    assert restricted({}, both, 4).all()
    assert not restricted({}, signals((), (("http_sec_gpc", ("1",)),)), 4).any()


@given(st.text(max_size=20), st.text(max_size=20))
def test_values_are_no_patterns(value: str, text: str) -> None:
    """Without a star a value counts by itself alone, whatever characters it has."""
    if "*" in value or not value.strip():
        return
    found = restricted({"f": column(text)}, signals((), (("f", (value,)),)), 1)[0]
    assert bool(found) <= (value.strip().casefold() == text.strip().casefold())
    assert restricted({"f": column(value)}, signals((), (("f", (value,)),)), 1).all()


def lines() -> Iterator[str]:
    """Yield requests of six clients to one page; three object, by the header or by not consenting."""
    for n in range(6):
        gpc, cookie = ("1", "choice=no") if n % 2 else ("-", "choice=yes&stats")
        yield (
            f'203.{n}.113.7 - - [17/May/2026:12:00:00 +0000] "GET /page HTTP/1.1" 200 5 "-" '
            f'"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" "{gpc}" "{cookie}"\n'
        )


def rows(tmp_path: Path, said: Any) -> list[dict[str, Any]]:
    """Return the published rows."""
    tmp_path.mkdir(exist_ok=True)
    log = tmp_path / "access.log"
    log.write_text("".join(lines()))
    logblur.run(log, tmp_path / "out", policy=said, state=tmp_path / "state")
    (found,) = (tmp_path / "out").glob("t/*/*.parquet")
    return pq.ParquetFile(found).read().to_pylist()


@pytest.mark.parametrize("how", [OBJECT, CONSENT])
def test_of_restricted_requests_less_is_kept(how: str, tmp_path: Path) -> None:
    """They are counted, but in what is dropped for them they say nothing; all others are as always."""
    said = policy(how + 'fields = { path = { method = "drop" }, user_agent = { method = "drop" } }\n')
    text = encode(said)
    assert restore(text) == said
    found = [(r["path"], r["browser"], r["requests"], r["visitors"]) for r in rows(tmp_path, said)]
    assert found == [("(none)", "(other)", 3, 3), ("/page", "(other)", 3, 3)]


def test_what_rests_on_consent_is_dropped_without_it(tmp_path: Path) -> None:
    """Under consent as the policy's ground a request without it says nothing but that it was made, and when."""
    found = rows(tmp_path, policy(CONSENT, '"consent"'))
    assert [(r["path"], r["requests"]) for r in found] == [("(none)", 3), ("/page", 3)]
    none = found[0]
    assert (none["network"], none["browser"], none["status"]) == ("(none)", "(none)", "(none)")


def test_restricted_requests_can_be_no_visitors(tmp_path: Path) -> None:
    """They count as requests, and their clients as clients, but not as visitors; under consent they never do."""
    said = policy(OBJECT + "visitors = false\n")
    assert "not among the visitors" in explain(said, resolve(said)).signals[0]
    assert [(r["requests"], r["visitors"]) for r in rows(tmp_path, said)] == [(6, 3)]
    found = rows(tmp_path / "consent", policy(CONSENT, '"consent"'))
    assert [(r["path"], r["requests"], r["visitors"]) for r in found] == [("(none)", 3, 0), ("/page", 3, 3)]


def test_the_check_above_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: where no request is seen as restricted, all of them say everything."""
    monkeypatch.setattr("logblur.protect.door.restricted", lambda *given: np.zeros(given[-1], np.bool_))
    assert [(r["path"], r["requests"]) for r in rows(tmp_path, policy(CONSENT, '"consent"'))] == [("/page", 6)]


@pytest.mark.parametrize(
    ("said", "path"),
    [
        (DROP, "signals"),
        (OBJECT, "signals"),
        ('objection = { http_dnt = [""] }\n' + DROP, "signals.objection"),
        ("objection = { http_dnt = [] }\n" + DROP, "signals.objection.http_dnt"),
        ('objection = { browser = ["1"] }\n' + DROP, "signals"),
        (OBJECT + 'fields = { time = { method = "day" } }\n', "signals.fields.time"),
        (OBJECT + 'fields = { referer = { method = "domain" } }\n', "signals.fields.referer"),
        (
            OBJECT + 'fields = { remote_addr = { method = "truncate", ipv4_prefix = 20, ipv6_prefix = 32 } }\n',
            "signals.fields.remote_addr",
        ),
        (OBJECT + 'fields = { pth = { method = "drop" } }\n', "signals.fields.pth"),
        (OBJECT + 'fields = { path = { method = "hash" } }\n', "signals.fields.path.method"),
    ],
)
def test_signals_that_cannot_be_meant_are_refused(said: str, path: str) -> None:
    """Each mistake is a policy error by its path, before a log is read."""
    with pytest.raises(PolicyError) as refused:
        resolve(policy(said))
    assert refused.value.path == path


def test_consent_needs_a_signal() -> None:
    """No field, table or policy rests on consent that no request can show."""
    with pytest.raises(PolicyError) as refused:
        resolve(policy(OBJECT + DROP, '"consent"'))
    assert refused.value.path == "signals.consent"
    document = decode(POLICY.replace("SIGNALS", CONSENT + DROP).encode()).model_dump(by_alias=True, exclude_none=True)
    document["table"][0]["legal_basis"] = "consent"
    with pytest.raises(PolicyError) as refused:
        resolve(validate(document | {"retention": "1 year", "visitor": {}}))
    assert refused.value.path == "table[0].legal_basis"


def test_signals_are_part_of_the_plan_and_of_its_explanation() -> None:
    """Other signals, another digest; the explanation says when a request is restricted and what of it differs."""
    one, two = policy(OBJECT + DROP), policy(CONSENT + DROP)
    plan = resolve(one)
    assert plan.digest != resolve(two).digest
    assert "http_sec_gpc" in plan.fields
    assert {"cookie_choice", "cookies"} <= set(resolve(two).fields)
    (said,) = explain(one, plan).signals
    assert "http_sec_gpc objects" in said
    assert "path: nothing" in said
