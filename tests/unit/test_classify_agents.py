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
from logblur.schema import NONE

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
    assert describe(CHROME) == Agent("human", "desktop", "Windows", "10", "Chrome", "120", NONE, NONE)
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


def test_an_agent_that_says_nothing_is_a_person_without_properties() -> None:
    """What no rule knows is `(none)`, never the text itself."""
    assert describe("Johnny 5 is alive") == Agent("human", NONE, NONE, NONE, NONE, NONE, NONE, NONE)


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
    browsers, *_ = agents._extractors()
    assert browsers("AliceSmith1975/2 CFNetwork/808.3 Darwin/16.3.0").family == "AliceSmith1975"


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


@needs_corpus
@pytest.mark.parametrize(("name", "column"), [("test_ua.yaml", "browser"), ("test_os.yaml", "os")])
def test_families_agree_with_uap_core(name: str, column: str) -> None:
    """No family differs from uap-core's expectation; the only loss is of names that a client can make up."""
    *_, spelled = agents._extractors()
    cases = truth(f"ua/uap-core/{name}")["test_cases"]
    expected = [NONE if c["family"] == "Other" else c["family"] for c in cases]
    got = [getattr(describe(c["user_agent_string"]), column) for c in cases]
    assert [(g, e) for g, e in zip(got, expected, strict=True) if g not in {e, NONE}] == []
    closed = [(g, e) for g, e in zip(got, expected, strict=True) if e in spelled or e == NONE]
    share = sum(g == e for g, e in closed) / len(closed)
    print(f"{name}: {share:.4f} of {len(closed)} of {len(cases)} cases")
    assert share >= 0.98


@needs_corpus
def test_programs_agree_with_the_lists_of_others() -> None:
    """Bots of public lists are bots, browsers of public lists are not."""
    crawlers = [i for entry in truth("bots/crawler-user-agents.json") for i in entry.get("instances", ())]
    counter = [
        e["pattern"] for e in truth("bots/COUNTER_Robots_list.json") if re.fullmatch(r"[\w -]{4,}", e["pattern"])
    ]
    assistants = list(truth("bots/ai.robots.json"))
    floors = {
        "crawlers": (crawlers, 0.99),
        "COUNTER names": (counter, 0.33),
        "ai.robots": ([f"Mozilla/5.0 (compatible; {a}/1.0)" for a in assistants], 0.95),
    }
    for name, (found, floor) in floors.items():
        share = sum(describe(text).agent == "bot" for text in found) / len(found)
        print(f"{name}: {share:.4f} of {len(found)}")
        assert share >= floor, name
    ceilings = {
        "isbot browsers": (list(texts(truth("bots/isbot_browsers.yml"))), 0.02),
        "firefox": (
            list(
                texts(
                    [c["user_agent_string"] for c in truth("ua/uap-core/firefox_user_agent_strings.yaml")["test_cases"]]
                )
            ),
            0.0,
        ),
        "smartphones": ([c["user_agent"] for c in truth("ua/device-detector/smartphone.yml")], 0.0),
        "desktops": ([c["user_agent"] for c in truth("ua/device-detector/desktop.yml")], 0.01),
    }
    for name, (found, ceiling) in ceilings.items():
        share = sum(describe(text).agent == "bot" for text in found) / len(found)
        print(f"{name}: {share:.4f} of {len(found)} taken for bots")
        assert share <= ceiling, name


@needs_corpus
@pytest.mark.parametrize(("name", "device", "floor"), [("smartphone", "mobile", 0.99), ("desktop", "desktop", 0.85)])
def test_devices_agree_with_device_detector(name: str, device: str, floor: float) -> None:
    """Phones are mobile; desktops are desktops but for Android systems on a desktop, which do not say so."""
    cases = truth(f"ua/device-detector/{name}.yml")
    share = sum(describe(c["user_agent"]).device == device for c in cases) / len(cases)
    print(f"{name}: {share:.4f} of {len(cases)}")
    assert share >= floor
