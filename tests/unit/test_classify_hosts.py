"""Hosts: registrable domains against the Public Suffix List's own cases, engines, and what attackers write."""

from __future__ import annotations

import ipaddress
import os
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from logblur.classify import hosts
from logblur.classify.hosts import ABSENT, clean, describe, engines
from logblur.schema import NONE

CORPUS = os.environ.get("LOGBLUR_CORPUS")
needs_corpus = pytest.mark.skipif(CORPUS is None, reason="LOGBLUR_CORPUS names no folder")

HOSTILE = [
    "",
    ".",
    "..",
    "@",
    ":",
    "[]",
    "-",
    "a",
    "com",
    "co.uk",
    "localhost",
    "intranet.local",
    "127.0.0.1",
    "127.0.0.1:80",
    "203.0.113.7.",
    "user:secret@203.0.113.7:8080",
    "[2001:db8::1]",
    "[::1]:443",
    "2001:db8::1",
    "::ffff:203.0.113.7",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "1.2.3.4.5",
    "203.0.113.7%2e",
    "%32%30%33.0.113.7",
    "\uff12\uff10\uff13.\uff10.\uff11\uff11\uff13.\uff17",
    "\u0662\u0660\u0663.0.113.7",
    "203\u30020\u3002113\u30027",
    "7.113.0.203.in-addr.arpa",
    "1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
    "203-0-113-7.com",
    "x-203-0-113-7-y.co.uk",
    "a" * 10_000 + ".com",
    "a." * 5_000 + "com",
    "evil\0.com",
    "evil\n.com",
    "evil .com",
    "evil.com\\@x",
    "evil.com/path",
    "evil.com?x",
    "evil.com:99999999",
    "evil.com:port",
    "<script>.com",
    "'.com",
    "xn--.com",
    "\u00ad.com",
    "\u200b.com",
    "-a.com",
    "a-.com",
    "a..com",
    "_dmarc.com",
    "\\xE9.com",
    "\U0001f4a9" * 100 + ".com",
]


@pytest.mark.parametrize(
    ("host", "domain", "engine"),
    [
        ("www.example.com", "example.com", NONE),
        ("WWW.Example.CO.UK.:8443", "example.co.uk", NONE),
        ("user:secret@mail.example.org", "example.org", NONE),
        ("alice.github.io", "github.io", NONE),
        ("ec2-203-0-113-7.eu-west-1.compute.amazonaws.com", "amazonaws.com", NONE),
        ("203-0-113-7.dsl.example.net", "example.net", NONE),
        ("_srv.example.com", "example.com", NONE),
        ("b\u00fccher.example.com", "example.com", NONE),
        ("www.b\u00fccher.de", "xn--bcher-kva.de", NONE),
        ("WWW.B\u00dcCHER.DE", "xn--bcher-kva.de", NONE),
        ("www.google.com", "google.com", "Google"),
        ("google.co.uk:443", "google.co.uk", "Google"),
        ("images.google.lv", "google.lv", "Google"),
        ("com.google.android.googlequicksearchbox", NONE, "Google"),
        ("mail.google.com", "google.com", NONE),
        ("docs.google.com", "google.com", NONE),
        ("plus.google.com", "google.com", NONE),
        ("google.com.example.org", "example.org", NONE),
        ("notgoogle.com", "notgoogle.com", NONE),
        ("uk.search.yahoo.com", "yahoo.com", "Yahoo!"),
        ("mail.yahoo.com", "yahoo.com", NONE),
        ("m.baidu.com", "baidu.com", "Baidu"),
        ("tieba.baidu.com", "baidu.com", NONE),
        ("go.mail.ru", "mail.ru", "Mail.ru"),
        ("e.mail.ru", "mail.ru", NONE),
        ("suche.t-online.de", "t-online.de", "T-Online"),
        ("search.goo.ne.jp", "goo.ne.jp", "goo"),
        ("yandex.ru", "yandex.ru", "Yandex"),
        ("www.bing.com", "bing.com", "Bing"),
    ],
)
def test_domain_and_engine(host: str, domain: str, engine: str) -> None:
    """A host becomes its registrable domain, and a search engine only where its results are shown."""
    assert describe(host) == (domain, engine)


@pytest.mark.parametrize("host", HOSTILE)
def test_hostile_hosts_say_nothing(host: str) -> None:
    """Addresses in any notation, numbers and junk become `(none)` and raise nothing."""
    assert describe(host) in {ABSENT, ("xn--.com", NONE)}


@given(st.ip_addresses(), st.sampled_from(["{}", "[{}]", "{}:80", "[{}]:80", "u@{}", "{}.", "u:p@[{}]:1"]))
def test_no_address_passes(address: ipaddress.IPv4Address | ipaddress.IPv6Address, form: str) -> None:
    """An address with or without brackets, port and user information has no domain."""
    assert describe(form.format(address)) == ABSENT
    assert describe(form.format(address.exploded)) == ABSENT


def test_the_check_above_can_fail() -> None:
    """Were unknown suffixes accepted, an address would pass as a domain: that they are not is what stops it."""
    from publicsuffixlist import PublicSuffixList

    assert PublicSuffixList(accept_unknown=True).privatesuffix("203.0.113.7") == "113.7"


@given(st.text(max_size=300) | st.from_regex(r"([a-z0-9-]{1,20}\.){1,4}(com|co\.uk|jp|xn--p1ai)", fullmatch=True))
def test_a_domain_is_plain(host: str) -> None:
    """Whatever comes in, a domain is lower-case host name characters, at most 253 of them, and its own domain."""
    domain, _ = describe(host)
    assert domain == NONE or (re.fullmatch(r"[a-z0-9.-]{3,253}", domain) and describe(domain)[0] == domain)


def test_cleaning_is_linear() -> None:
    """A host that is too long is refused before it is read."""
    assert clean("a." * 10_000_000 + "com") == ""


def test_no_engine_claims_what_another_has() -> None:
    """No host stands twice and none is covered by a wildcard; every listed host gives its own engine."""
    listed = [host for engine in engines() for host in engine.hosts]
    assert [host for host, count in Counter(listed).items() if count > 1] == []
    assert [name for name, count in Counter(e.name for e in engines()).items() if count > 1] == []
    for engine in engines():
        assert engine.hosts
        assert engine.terms
        for host in engine.hosts:
            example = host.replace(".*", ".com").replace("*.", "any.")
            assert describe(example)[1] == engine.name, host
            assert not [w for w in listed if w != host and w.startswith("*.") and example.endswith(w[1:])], host
            suffix = hosts._suffixes().publicsuffix(host.removeprefix("*."))
            assert suffix is None or f"{host.removesuffix(suffix)}*" not in listed, host


def test_the_engines_are_many() -> None:
    """The table has at least the sixty most used engines, regional ones among them."""
    names = {engine.name for engine in engines()}
    assert len(names) >= 60
    assert {
        "Google",
        "Bing",
        "Baidu",
        "Yandex",
        "Naver",
        "Seznam",
        "DuckDuckGo",
        "Ecosia",
        "Qwant",
        "Sogou",
        "Cốc Cốc",
    } <= names


@needs_corpus
def test_engines_agree_with_a_public_list() -> None:
    """Of the engines of a public list, dead ones included, about half are known, and all the big ones."""
    listed = yaml.load(
        (Path(CORPUS or "") / "groundtruth/referers/SearchEngines.yml").read_text("utf-8"), yaml.CSafeLoader
    )
    urls = {
        name: [u.replace("{}", "com") for entry in entries for u in entry["urls"]] for name, entries in listed.items()
    }
    known = {name: [describe(u)[1] != NONE for u in found] for name, found in urls.items()}
    share = sum(any(hits) for hits in known.values()) / len(known)
    print(
        f"{share:.4f} of {len(known)} engines, {sum(map(sum, known.values()))} of {sum(map(len, known.values()))} hosts"
    )
    assert share >= 0.45
    for name in (
        "Bing",
        "DuckDuckGo",
        "Ecosia",
        "Qwant",
        "Naver",
        "Daum",
        "Seznam",
        "Brave",
        "StartPage",
        "Yahoo!",
        "Yandex",
        "Rambler",
        "Mojeek",
        "Kagi",
    ):
        assert any(known[name]), name


@needs_corpus
def test_domains_agree_with_the_public_suffix_list() -> None:
    """Every case of the list's own tests agrees, but where we mean it: unlisted suffixes, and those of companies."""
    lines = (Path(CORPUS or "") / "groundtruth/psl/tests.txt").read_text("utf-8").splitlines()
    for line in lines:
        if not line or line.startswith(("//", "null")):
            continue
        host, expected = line.split()
        if host.endswith("uk.com"):
            expected = "uk.com"  # a company's suffix for its customers
        ascii_expected = (
            NONE if expected == "null" or expected.endswith("example") else expected.encode("idna").decode()
        )
        assert describe(host)[0] == ascii_expected, line
