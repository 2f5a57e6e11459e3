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
from logblur.classify.hosts import ABSENT, clean, describe, sources
from logblur.placeholders import NONE

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
    assert describe(host)[:2] == (domain, engine)


@pytest.mark.parametrize("host", HOSTILE)
def test_hostile_hosts_say_nothing(host: str) -> None:
    """Addresses in any notation, numbers and junk become `(none)` and raise nothing."""
    assert describe(host) in {ABSENT, ABSENT._replace(domain="xn--.com")}


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
    domain = describe(host).domain
    assert domain == NONE or (re.fullmatch(r"[a-z0-9.-]{3,253}", domain) and describe(domain)[0] == domain)


def test_cleaning_is_linear() -> None:
    """A host that is too long is refused before it is read."""
    assert clean("a." * 10_000_000 + "com") == ""


@pytest.mark.parametrize(
    ("host", "social", "answers"),
    [
        ("l.facebook.com", "Facebook", NONE),
        ("www.linkedin.com", "LinkedIn", NONE),
        ("com.linkedin.android", "LinkedIn", NONE),
        ("t.co", "Twitter", NONE),
        ("old.reddit.com", "Reddit", NONE),
        ("mastodon.social", "Mastodon", NONE),
        ("www.draugiem.lv", "Draugiem.lv", NONE),
        ("news.ycombinator.com", "Hacker News", NONE),
        ("notfacebook.com", NONE, NONE),
        ("facebook.com.example.org", NONE, NONE),
        ("chatgpt.com", NONE, "ChatGPT"),
        ("www.perplexity.ai", NONE, "Perplexity"),
        ("gemini.google.com", NONE, "Gemini"),
        ("copilot.microsoft.com", NONE, "Copilot"),
        ("microsoft.com", NONE, NONE),
    ],
)
def test_social_networks_and_answers(host: str, social: str, answers: str) -> None:
    """A social network, and a service that answers in its own words, are told by their hosts and apps."""
    found = describe(host)
    assert found[1:] == (NONE, social, answers)


def test_no_source_claims_what_another_has() -> None:
    """No name or host stands twice and none is covered by a wildcard; every listed host gives its own name."""
    listed = [host for source in sources() for host in source.hosts]
    assert [host for host, count in Counter(listed).items() if count > 1] == []
    names = Counter((source.kind, source.name.casefold()) for source in sources())
    assert [name for name, count in names.items() if count > 1] == []
    wild = [host for host in listed if host.startswith("*.")]
    everywhere = {host for host in listed if host.endswith(".*")}
    for source in sources():
        assert source.hosts
        assert (source.kind == "search") == bool(source.terms)
        assert re.fullmatch(r"[\w .!&'+()/-]{2,40}", source.name), source.name
        for host in source.hosts:
            assert host == host.lower()
            example = host.replace(".*", ".com").replace("*.", "any.")
            assert getattr(describe(example), hosts.KINDS[source.kind]) == source.name, host
            assert not [w for w in wild if w != host and example.endswith(w[1:])], host
            suffix = hosts._suffixes().publicsuffix(host.removeprefix("*."))
            assert suffix is None or f"{host.removesuffix(suffix)}*" not in everywhere, host


# Hosts of the public lists that are another thing than a source of visits: a newspaper, a translator, a forum.
_NOT_ONE = {"www.cnn.com", "translate.google.com", "msnbc.msn.com", "tieba.baidu.com", "one.cn.yahoo.com"}
_SAME = {  # where our name is another
    "360search": "360 Search", "StartPage": "Startpage", "IxQuick": "Startpage", "Metager": "MetaGer",
    "sm.cn": "Shenma",
    "reddit": "Reddit", "tumblr": "Tumblr", "Haboo": "Habbo", "gree": "GREE", "Google%2B": "Google+", "Ozone": "Qzone",
    "Baidu AI": "ERNIE", "Deepseek": "DeepSeek", "my.mail.ru": "Mail.ru", "StackOverflow": "Stack Overflow",
    "Sourceforge": "SourceForge", "Classmates.com": "Classmates", "Geni.com": "Geni", "Sonico.com": "Sonico",
    "MoiKrug.ru": "MoiKrug", "Nasza-klasa.pl": "Nasza-klasa", "vkrugudruzei.ru": "vKruguDruzei",
    "Twitcast": "Twitcasting", "dir.com": "Dir.com", "Conduit.com": "Conduit", "MyWebSearch": "MyWay",
    "Road Runner": "Spectrum", "Charter": "Spectrum", "auone": "au",
    "MetaCrawler DE": "MetaCrawler", "Alice Adsl": "Alice",
}  # fmt: skip


@needs_corpus
@pytest.mark.parametrize("name", ["SearchEngines", "Socials", "AIAssistants"])
def test_sources_agree_with_a_public_list(name: str) -> None:
    """Of the hosts that a public list names, dead ones included, nearly all are known, and by the same name."""
    text = (Path(CORPUS or "") / f"groundtruth/referers/{name}.yml").read_text("utf-8")
    missed, named, count = [], 0, 0
    for title, entries in yaml.load(text, yaml.CSafeLoader).items():
        for url in [u for e in entries for u in (e["urls"] if isinstance(e, dict) else [e])]:
            found = [n for n in describe(url.partition("/")[0].replace("{}", "com"))[1:] if n != NONE]
            count += 1
            named += found == [_SAME.get(title, re.sub(" (Images|News|Video|Videos|Maps|Shopping|Blogs?)$", "", title))]
            if not found and url.partition("/")[0] not in _NOT_ONE:
                missed.append(url)
    print(f"{name}: {1 - len(missed) / count:.4f} of {count} hosts, {named / count:.4f} by the same name; {missed}")
    assert len(missed) <= 0.02 * count
    assert named >= 0.8 * count


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
