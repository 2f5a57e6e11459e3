"""What the published tables should be, computed without the program: own parsing, plain dicts and sets.

Slow and simple, after docs/design.md sections 5 and 6. It takes from the program only what a text is called (families
of user agents, domains, kinds of file, templates of paths), each tested elsewhere.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from logblur.classify import agents, hosts
from logblur.classify.files import kinds
from logblur.protect.paths import template

_LINE = (
    rb"(?P<addr>[^ ]*(?:(?<=,) [^ ]*)*) [^ ]* (?P<user>.*?) \[(?P<time>[^\]]{26})\] "
    rb'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>[1-9][0-9]{2}) (?P<bytes>-|[0-9]{1,13})'
    rb'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?[ \r]*'
)
_LINES = {vhost: re.compile((rb"(?P<host>[^ ]*) " if vhost else rb"(?P<host>)") + _LINE, re.DOTALL) for vhost in (0, 1)}
_ESCAPED = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([\"\\bnrtv]))")
_C = {b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_REQUEST = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,31}) (.+) HTTP/[0-9.]{1,8}|(GET) (.+)", re.DOTALL)
_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_METHODS = set("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split())

Row = dict[str, Any]


@dataclass(frozen=True)
class Hit:
    """One line: when, from whom, and every key that a table could ask for."""

    day: date
    client: object
    visitor: object
    bytes: int
    universes: frozenset[str]
    keys: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """One table of a policy."""

    name: str
    where: str
    by: tuple[str, ...]
    k: int
    share: float = 0.8


def text(raw: bytes | None) -> str | None:
    """A field as text; None for nothing."""
    if raw is None or raw in {b"", b"-"}:
        return None
    raw = _ESCAPED.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else _C.get(m[2], m[2]), raw)
    return raw.decode("utf-8", "backslashreplace")


def hit(
    line: bytes, zone: ZoneInfo, *, vhost: bool = False, prefixes: tuple[int, int] = (16, 32), site: str = ""
) -> Hit | None:
    """One line of common, combined or (with a host in front) vhost format; None where it does not fit."""
    found = _LINES[vhost].fullmatch(line)
    if found is None:
        return None
    try:
        time = datetime.strptime(found["time"].decode(), "%d/%b/%Y:%H:%M:%S %z")
    except ValueError:
        return None
    local = time.astimezone(zone)
    return _keys(found, local, vhost, prefixes, site)


def _keys(found: re.Match[bytes], local: datetime, vhost: bool, prefixes: tuple[int, int], site: str) -> Hit:
    client, address, network = _address(text(found["addr"]), prefixes)
    has_agent = found["agent"] is not None
    agent = _agent(text(found["agent"])) if has_agent else agents.NOT_LOGGED
    request = _REQUEST.fullmatch(text(found["request"]) or "")
    method = path = None
    if request:
        method, target = (request[1], request[2]) if request[1] else (request[3], request[4])
        path = _path(target)
    status = int(found["status"])
    referrer = _HOST.match(text(found["referer"]) or "")
    told = _domain(referrer[1] or None if referrer else None) if has_agent else hosts.ABSENT
    domain, engine, social, answers = told
    host = text(found["host"])
    own = _domain(host if host is not None else site or None)[0]
    keys = {
        "hour": local.hour,
        "site": _site(host) if vhost else site or "(none)",
        "method": "(none)" if method is None else method if method in _METHODS else "(unusual)",
        "status": str(status),
        "status_class": f"{status // 100}xx",
        "path": _template(path),
        **agent._asdict(),
        "referrer_domain": domain,
        "search_engine": engine,
        "search_terms": "(none)",  # policies under test keep none
        "social_network": social,
        "ai_service": answers,
        "complete": {200: "yes", 206: "part"}.get(status, "(none)"),
        "network": network,
    }
    universes = {"all", "bot" if agent.agent == "bot" else "human"}
    if agent.agent == "human":
        kind = _kind(path)
        if 400 <= status < 600:
            universes.add("error")
        elif kind == "download" and status in (200, 206):
            universes.add("download")
        elif kind == "page" and (200 <= status < 300 or status == 304):
            universes.add("page")
            if engine != "(none)":
                universes.add("search")
            elif domain == own != "(none)":
                pass
            elif {domain, social, answers} != {"(none)"}:
                universes.add("referral")
                told_by = (("social", social), ("ai_answers", answers))
                universes.add(next((name for name, of in told_by if of != "(none)"), "sites"))
    size = 0 if found["bytes"] == b"-" else int(found["bytes"])
    visitor = (address, text(found["agent"]))
    return Hit(local.date(), client, visitor, size, frozenset(universes), keys)


def _address(value: str | None, prefixes: tuple[int, int]) -> tuple[object, object, str]:
    """The client, the address, the network. Of spellings it knows lists, ports, brackets, zones, IPv4 within IPv6."""
    value = value and value.rpartition(",")[2].strip()  # of hops the last is the one that was seen
    spelled = re.fullmatch(
        r"\[(.*?)(?:%.*)?\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+|([^%]*)(?:%.*)?", value or "", re.DOTALL
    )
    try:
        address = ipaddress.ip_address("".join(filter(None, spelled.groups())) if spelled else "")
    except ValueError:
        return value, value, "(none)"
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        address = inside or address
    bits = prefixes[address.version == 6]
    network = str(ipaddress.ip_network((address, bits), strict=False))
    client = address if address.version == 4 else ipaddress.ip_network((address, 56), strict=False)
    return client, address, network


def _path(target: str) -> str:
    if absolute := re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", target):
        target = target[absolute.end() :]
        target = target if target.startswith("/") else "/" + target
    return target.partition("#")[0].partition("?")[0]


@cache
def _agent(value: str | None) -> agents.Agent:
    return agents.ABSENT if value is None else agents.describe(value)


@cache
def _domain(host: str | None) -> hosts.Host:
    return hosts.ABSENT if host is None else hosts.describe(host)


@cache
def _site(host: str | None) -> str:
    from logblur.protect.hosts import sites

    return str(sites(pa.array([host], pa.large_string()))[0])


@cache
def _kind(path: str | None) -> str:
    paths = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array([path], pa.large_string()))
    return str(kinds(paths)[0])


@cache
def _template(path: str | None) -> str:
    return str(template(pa.array([path], pa.large_string()))[0])


def order(by: Sequence[str], row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What rows are sorted by: bytes of UTF-8, numbers, null last."""
    return tuple((row[c] is None, row[c].encode() if isinstance(row[c], str) else row[c] or 0) for c in by)


def rolled_up(hits: Iterable[Hit], table: Table) -> list[Row]:
    """The rows of one table of one day, whatever the other tables are (docs/design.md, section 6), sorted."""
    level: dict[tuple[Any, ...], list[Hit]] = defaultdict(list)
    for one in judged(hits, table):
        if table.where in one.universes:
            level[tuple(one.keys[c] for c in table.by)].append(one)
    published: dict[tuple[Any, ...], list[Hit]] = {}
    for depth in range(len(table.by), -1, -1):
        above: dict[tuple[Any, ...], list[Hit]] = defaultdict(list)
        for keys, members in level.items():
            if fit(members, table):
                published[keys] = members
            elif depth:
                above[keys[: depth - 1]] += members
            else:
                _absorb(members, published, table)
        level = above
    if "agent" in table.by and table.where == "all":
        for agent in ("human", "bot"):
            _hide(agent, published, table)
    rows = [
        _named(table.by, keys)
        | {
            "requests": len(members),
            "visitors": len({m.visitor for m in members}),
            "bytes": sum(m.bytes for m in members),
        }
        for keys, members in published.items()
    ]
    return sorted(rows, key=lambda row: order(table.by, row))


def judged(hits: Iterable[Hit], table: Table) -> list[Hit]:
    """The hits of one day; in a table of files, whether each brought the whole file is told by size too."""
    hits = [hit for hit in hits if table.where in hit.universes]
    if table.where != "download" or not {"path", "complete"} <= set(table.by):
        return hits
    answers: dict[tuple[Any, ...], list[Hit]] = defaultdict(list)
    for one in hits:
        answers[(*(one.keys[c] for c in table.by), one.visitor, one.client)].append(one)
    names = [c for c in ("site", "path") if c in table.by]
    largest: Counter[tuple[Any, ...]] = Counter()
    for same in answers.values():
        if same[0].keys["complete"] == "yes":
            file = tuple(same[0].keys[c] for c in names)
            largest[file] = max(largest[file], sum(m.bytes for m in same) // len(same))
    found = []
    for same in answers.values():
        size = sum(m.bytes for m in same)
        size = size // len(same) if same[0].keys["complete"] == "yes" else size
        if most := largest[tuple(same[0].keys[c] for c in names)]:
            said = "yes" if size >= most - 1024 and size * 10 >= most * 9 else "part"
            found += [replace(m, keys={**m.keys, "complete": said}) for m in same]
        else:
            found += same
    return found


def fit(members: Sequence[Hit], table: Table) -> bool:
    """Whether a row of these hits may be published: k clients or more, and none who made too much of it."""
    requests, size = Counter(m.client for m in members), Counter[object]()
    for m in members:
        size[m.client] += m.bytes
    shares = ((max(sums.values(), default=0), sum(sums.values())) for sums in (requests, size))
    return len(requests) >= table.k and all(float(most) <= table.share * float(total) for most, total in shares)


def _smallest(published: Mapping[tuple[Any, ...], list[Hit]], table: Table) -> tuple[Any, ...]:
    """The keys of the row of fewest clients, the first among equals."""
    return min(published, key=lambda k: (len({m.client for m in published[k]}), order(table.by, _named(table.by, k))))


def _absorb(leftover: list[Hit], published: dict[tuple[Any, ...], list[Hit]], table: Table) -> None:
    """Let the leftover at the top take the smallest rows, as many as it takes; all are gone where that is too few."""
    leftover = list(leftover)
    while published and not fit(leftover, table):
        leftover += published.pop(_smallest(published, table))
    if fit(leftover, table):
        published[()] = leftover


def _hide(agent: str, published: dict[tuple[Any, ...], list[Hit]], table: Table) -> None:
    """Where the rolled-up clients of an agent are too few, move its smallest row up to them."""
    place = table.by.index("agent")
    own = {keys: members for keys, members in published.items() if len(keys) > place and keys[place] == agent}
    others = (m for keys, members in published.items() if len(keys) <= place for m in members)
    if own and 0 < len({m.client for m in others if m.keys["agent"] == agent}) < table.k:
        least = _smallest(own, table)
        published[least[:place]] = published.get(least[:place], []) + published.pop(least)


def _named(by: Sequence[str], keys: tuple[Any, ...]) -> Row:
    other = {c: None if c == "hour" else "(other)" for c in by}
    return other | dict(zip(by, keys, strict=False))


WITHIN = {
    "all": (),
    "human": ("all",),
    "bot": ("all",),
    "page": ("all", "human"),
    "download": ("all", "human"),
    "error": ("all", "human"),
    "search": ("all", "human", "page"),
    "referral": ("all", "human", "page"),
    **dict.fromkeys(("social", "ai_answers", "sites"), ("all", "human", "page", "referral")),
}
"""Universe -> the universes that it is a part of, the largest first."""


def nested(found: Mapping[str, list[Row]], hits: Sequence[Hit], wanted: Sequence[Table]) -> dict[str, list[Row]]:
    """The tables of one day, without the rows of those by which too few could be found by subtracting."""

    def clients(where: str, without: Iterable[str] = ()) -> int:
        return len({h.client for h in hits if where in h.universes and not h.universes & set(without)})

    shown = {t.where for t in wanted if found[t.name]}
    for t in wanted:
        if t.where == "all" and "agent" in t.by and found[t.name]:
            told = Counter(h.keys["agent"] for h in hits)
            for row in found[t.name]:
                told[row["agent"]] -= row["requests"]
            if not told["human"] or not told["bot"]:  # rows of this table add up to them
                shown |= {"human", "bot"}
    for parent in ("all", "human", "page", "referral"):
        k = max((t.k for t in wanted if parent in (t.where, *WITHIN[t.where]) or t.where in WITHIN[parent]), default=0)
        while parent in shown:
            inside = [u for u in WITHIN if u in shown and parent in WITHIN[u]]
            direct = [u for u in inside if not set(WITHIN[u]) & set(inside)]
            if not direct or not 0 < clients(parent, direct) < k:
                break
            least = min(direct, key=clients)
            shown -= {least, *(u for u in WITHIN if least in WITHIN[u])}
    return {t.name: found[t.name] if t.where in shown else [] for t in wanted}


def tables(hits: Sequence[Hit], wanted: Sequence[Table]) -> dict[tuple[str, str], list[Row]]:
    """Every table-day: (table, day) -> rows."""
    days: dict[date, list[Hit]] = defaultdict(list)
    for one in hits:
        days[one.day].append(one)
    return {
        (name, day.isoformat()): rows
        for day, of_day in sorted(days.items())
        for name, rows in nested({t.name: rolled_up(of_day, t) for t in wanted}, of_day, wanted).items()
    }


def published(out: Path) -> dict[tuple[str, str], list[Row]]:
    """What OUT holds: (table, day) -> rows, in their order."""
    return {
        (path.parts[-3], path.parts[-2].removeprefix("date=")): pq.ParquetFile(path).read().to_pylist()
        for path in sorted(out.glob("*/*=*/*.parquet"))
    }


def utc(value: str) -> datetime:
    """A time of the tests' clocks."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def clf(time: datetime) -> bytes:
    """A time as Common Log Format writes it, in UTC, whatever the locale."""
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    time = time.astimezone(timezone(timedelta()))
    return f"{time:%d}/{months[time.month - 1]}/{time:%Y:%H:%M:%S} +0000".encode()
