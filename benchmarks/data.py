"""Writes realistic access logs of any length, fast and repeatably.

    python benchmarks/data.py --profile "busy shop" --lines 1000000 --seed 1 -o busy.log.gz

The profiles:

    small site    the shop's structure with 5,000 lines and 600 people a day: many days, few lines in each
    busy shop     what is described below; the one that bars are set for
    attack        the busy shop under a flood: half of its lines ask for a path of their own with an agent of their own
    ipv6          the busy shop with IPv6 clients alone
    json          the busy shop as nginx writes it with ``escape=json``

A million lines are a day, always, so that ten times the lines are ten days and not a day ten times as busy. What is
drawn follows the structure of real combined logs. Public ones of 3,500 to 32,000 lines have 155 to 240 bytes a line, 6
to 45 lines an address (the ten busiest send 16 to 20 %), 3 to 14 lines a path (the ten most visited draw 26 to 46 %),
28 to 41 % of requests without a referrer, an agent for every three addresses, 9 to 25 % of other statuses than 200 and,
on one that crawlers like, 30 % bots. A million lines of this generator have

    bytes a line                240 to 260
    addresses                   36,000 to 45,000, one in eight IPv6; half of a day's people come every day
    paths (without query)       40,000 to 50,000; a quarter more with it
    user agents                 4,000 to 6,000: browser x version x system x device
    visitors                    40,000 to 55,000 (address and agent)
    referrers                   35,000 to 50,000; none in 25 to 35 % of lines
    bots                        20 to 30 % of lines
    hostile                     1 % of lines: TLS on a plain port, huge paths, unclosed quotes, escapes, random bytes

Visitors come in sessions: a page, the files that belong to it with the page as their referrer, the next page. Addresses
are private or set aside for tests and documentation (RFC 1918, 6598, 2544, 3849): no line names a real one.

Cost:
    Two to three seconds for a million lines; about 300 MB, however many are written.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

FIRST_DAY: Final = datetime(2025, 11, 3)  # written as +0200, which is Riga's time then: a day of lines is a local day
CHUNK: Final = 100_000
HOSTILE_SHARE: Final = 0.01
BOT_SHARE: Final = 0.25
SITE: Final = b"https://shop.example.com"

Ints = npt.NDArray[np.int64]
Dress = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Profile:
    """What a log is like.

    Attributes:
        lines_a_day: A day, always: ten times the lines are ten days.
        people_a_day: Addresses that may come on a day, bots left out.
        ipv6: Share of them that have an IPv6 address.
        flood: Share of the lines that ask for a path of their own, with an agent of their own.
        format: How the lines are read: in combined format, or as JSON objects by a mapping of their keys.
    """

    lines_a_day: int = 1_000_000
    people_a_day: int = 64_000
    ipv6: float = 0.125
    flood: float = 0.0
    format: str = "combined"

    @property
    def json(self) -> bool:
        """Whether lines are JSON objects."""
        return self.format.startswith("{")


BUSY_SHOP: Final = Profile()
PROFILES: Final[Mapping[str, Profile]] = {
    "small site": Profile(lines_a_day=5000, people_a_day=600),
    "busy shop": BUSY_SHOP,
    "attack": Profile(flood=0.5),
    "ipv6": Profile(ipv6=1.0),
    "json": Profile(
        format='{"remote_addr": "remote_addr", "remote_user": "remote_user", "time": "time_iso8601",'
        ' "request": "request", "status": "status", "bytes_sent": "body_bytes_sent",'
        ' "referer": "http_referer", "user_agent": "http_user_agent"}'
    ),
}


def chunks(lines: int, seed: int, profile: Profile = BUSY_SHOP) -> Iterator[pa.Buffer]:
    """Yield the log in chunks of whole lines. A seed gives the same lines, however many are asked for."""
    size = min(CHUNK, profile.lines_a_day)
    for first in range(0, lines, size):
        yield _chunk(first, min(size, lines - first), seed, profile)


def write(path: Path, lines: int, seed: int, profile: Profile = BUSY_SHOP) -> None:
    """Write a log of that many lines; compressed where the name ends in ``.gz`` or ``.zst``."""
    with _opened(path) as file:
        for chunk in chunks(lines, seed, profile):
            file.write(chunk)


def _opened(path: Path) -> Any:
    match path.suffix:
        case ".gz":
            return gzip.GzipFile(path, "wb", compresslevel=6, mtime=0)
        case ".zst":
            return pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd")
        case _:
            return path.open("wb")


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """What the lines of all days are drawn from, dressed so that a line is a concatenation of texts.

    Attributes:
        requests: ``GET /path HTTP/1.1`` with what follows it in a line; pages, then assets, downloads, missing ones and
            hostile ones, at `starts`.
        referers: For each page its address as a referrer, then those from outside.
        agents: Of people, the most used first; then of bots, from `bots` on.
    """

    requests: pa.Array
    starts: Ints
    referers: pa.Array
    agents: pa.Array
    bots: int


PAGE, ASSET, DOWNLOAD, MISSING, HOSTILE = range(5)
BYTES: Final = np.array([18_000, 42_000, 2_400_000, 320, 226])  # a usual answer of each kind
EXTERNAL: Final = 40_000


def _plain_dress(before: bytes, after: bytes) -> Dress:
    return lambda text: before + text + after


def _json_dress(before: bytes, after: bytes) -> Dress:
    """Write a logged text as nginx does with ``escape=json``: other escapes, the same bytes."""

    def dress(text: bytes) -> bytes:
        if b"\\" in text or b'"' in text:
            text = re.sub(rb'(?<!\\)"', rb'\\"', text)
            text = re.sub(rb"\\x([0-9A-F]{2})", rb"\\u00\1", text)
        return before + text + after

    return dress


@dataclass(frozen=True, slots=True)
class Layout:
    """How each part of a line is dressed; the parts follow one another."""

    client: Callable[[str, str], bytes]
    time: str
    request: Dress
    answer: tuple[str, str, str]
    referer: Dress
    agent: Dress


COMBINED: Final = Layout(
    client=lambda address, user: f"{address} - {user} ".encode(),
    time='[%d/%b/%Y:%H:%M:%S +0200] "',
    request=_plain_dress(b"", b'" '),
    answer=("", " ", " "),
    referer=_plain_dress(b'"', b'" '),
    agent=_plain_dress(b'"', b'"\n'),
)
JSON: Final = Layout(
    client=lambda address, user: f'{{"remote_addr":"{address}","remote_user":"{user}",'.encode(),
    time='"time_iso8601":"%Y-%m-%dT%H:%M:%S+02:00","request":"',
    request=_json_dress(b"", b'",'),
    answer=('"status":"', '","body_bytes_sent":"', '",'),
    referer=_json_dress(b'"http_referer":"', b'",'),
    agent=_json_dress(b'"http_user_agent":"', b'"}\n'),
)
"""As in ``log_format j escape=json '{"remote_addr":"$remote_addr",…}'``: every value is text."""


def _layout(profile: Profile) -> Layout:
    return JSON if profile.json else COMBINED


@cache
def shop(seed: int, profile: Profile) -> Shop:
    """Return the shop of a seed."""
    layout = _layout(profile)
    rng = np.random.default_rng([seed, 0])
    pages = _pages(rng)
    assets = [f"/assets/{n:04x}/{name}" for n, name in product(range(700), ("app.js", "site.css", "hero-1280.webp"))]
    assets += [f"/media/products/{n}/{size}.jpg" for n in range(4000) for size in (320, 960)]
    downloads = [f"/files/{name}-{n}.{kind}" for n, name, kind in product(
        range(20), ("manual", "price-list", "datasheet"), ("pdf", "zip", "xlsx"))]  # fmt: skip
    probes = ["/wp-login.php", "/.env", "/xmlrpc.php", "/.git/config", "/admin.php", "/favicon.ico", "/ads.txt"]
    missing = probes + [f"/old/{_word(int(k))}/{k}.html" for k in rng.integers(0, 1 << 40, 6000)]
    groups = [
        [f"GET {path} HTTP/{version}".encode() for path, version in zip(paths, _versions(rng, len(paths)), strict=True)]
        for paths in (pages, assets, downloads, missing)
    ]
    groups.append(_hostile(rng))
    people, bots = _agents(rng), _bots()
    return Shop(
        requests=pa.array([layout.request(text) for group in groups for text in group], pa.binary()),
        starts=np.cumsum([0, *map(len, groups)]),
        referers=pa.array(map(layout.referer, [SITE + page.encode() for page in pages] + _outside(rng)), pa.binary()),
        agents=pa.array([layout.agent(agent.encode()) for agent in people + bots], pa.binary()),
        bots=len(people),
    )


def _chunk(first: int, wanted: int, seed: int, profile: Profile) -> pa.Buffer:
    """Return lines from ``first`` on as one buffer. A whole chunk is drawn, so that shorter logs are beginnings."""
    n = min(CHUNK, profile.lines_a_day)
    store = shop(seed, profile)
    rng = np.random.default_rng([seed, 1, first])
    clients, client_texts = _clients(first // profile.lines_a_day, seed, profile)
    sessions = _sessions(rng, n, clients, store)
    kind, item, page, client, agent = sessions

    referer = np.where(kind == PAGE, len(store.referers) - 1, page)  # the last one is "-"
    referer[np.flatnonzero(kind == HOSTILE)] = len(store.referers) - 1
    human = agent < store.bots
    opening = np.flatnonzero(human & (kind == PAGE))
    came_from = rng.random(len(opening))
    outside = len(store.referers) - 1 - EXTERNAL + _zipf(rng, EXTERNAL, len(opening), 1.1)
    before = page[np.maximum(opening - 1, 0)]
    same = client[np.maximum(opening - 1, 0)] == client[opening]
    referer[opening] = np.where(same, before, np.where(came_from < 0.45, outside, len(store.referers) - 1))
    referer[~human] = len(store.referers) - 1

    order = _interleave(rng, client)
    columns = [
        client_texts.take(pa.array(client[order])),
        _times(first, n, profile),
        store.requests.take(pa.array(store.starts[kind[order]] + item[order])),
        _answers(rng, kind[order], item[order], _layout(profile)),
        store.referers.take(pa.array(referer[order])),
        store.agents.take(pa.array(agent[order])),
    ]
    if profile.flood:
        _flood(columns, rng, n, profile)
    junk = np.flatnonzero(rng.random(n) < HOSTILE_SHARE / 4)
    return _joined(columns, junk, rng, wanted)


def _sessions(rng: np.random.Generator, n: int, clients: Ints, store: Shop) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Return kind, item, current page, client and agent of n requests, visitor after visitor.

    A person's session is a page and what belongs to it, and again; a bot fetches pages one by one, seldom more.
    """
    people = len(clients)
    lengths = 1 + rng.geometric(1 / 11, n // 2)  # each at least 2: enough for n lines
    lengths = lengths[: np.searchsorted(np.cumsum(lengths), n) + 1]
    owner = np.repeat(np.arange(len(lengths)), lengths)[:n]
    robot = rng.random(len(lengths)) < BOT_SHARE
    bots = len(store.agents) - store.bots
    who = np.where(robot, people + _zipf(rng, BOT_CLIENTS, len(lengths), 0.8), _zipf(rng, people, len(lengths), 0.5))
    usual = np.where(rng.random(len(lengths)) < 0.85, clients[who % people], _zipf(rng, store.bots, len(lengths), 0.75))
    which = np.where(robot, store.bots + (who - people) % bots, usual)  # an address may be shared: other agents

    begins = np.concatenate([[True], owner[1:] != owner[:-1]])
    human = ~robot[owner]
    draw = rng.random(n)
    kind = np.full(n, ASSET)
    kind[draw < 0.3] = PAGE
    kind[(draw > 0.96) & human] = DOWNLOAD
    kind[~human & (draw < 0.9)] = PAGE
    kind[draw > 0.975] = MISSING
    kind[begins] = PAGE
    kind[rng.random(n) < HOSTILE_SHARE * 0.75] = HOSTILE

    sizes = np.diff(store.starts)
    item = np.zeros(n, np.int64)
    for k, skew in ((PAGE, 0.85), (ASSET, 0.9), (DOWNLOAD, 1.0), (MISSING, 1.0), (HOSTILE, 0.2)):
        at = np.flatnonzero(kind == k)
        item[at] = _zipf(rng, int(sizes[k]), len(at), skew)
    crawled = np.flatnonzero(~human & (kind == PAGE))
    item[crawled] = rng.integers(0, sizes[PAGE], len(crawled))  # a crawler visits what is there, not what is popular
    last_page = np.maximum.accumulate(np.where((kind == PAGE) | begins, np.arange(n), 0))
    page = np.where(kind[last_page] == PAGE, item[last_page], 0)
    return kind, item, page, who[owner], which[owner]


def _interleave(rng: np.random.Generator, client: Ints) -> Ints:
    """Return an order in which sessions overlap and each keeps its own: every session starts somewhere and goes on."""
    n = len(client)
    begins = np.flatnonzero(np.concatenate([[True], client[1:] != client[:-1]]))
    lengths = np.diff(np.append(begins, n))
    starts = np.repeat(rng.random(len(begins)) * n, lengths)
    within = np.arange(n) - np.repeat(begins, lengths)
    return np.argsort(starts + within * 40.0, kind="stable")


BOT_CLIENTS: Final = 1500


@lru_cache(maxsize=1)
def _clients(day: int, seed: int, profile: Profile) -> tuple[Ints, pa.Array]:
    """Return the agent of each person of a day, and the beginning of a line for each person and then each bot.

    Half of the people of a day come every day.
    """
    half, address = profile.people_a_day // 2, _layout(profile).client
    regular = _people(np.random.default_rng([seed, 2]), half, seed, profile)
    others = _people(np.random.default_rng([seed, 3, day]), half, seed, profile)
    mixed = np.random.default_rng([seed, 4, day]).permutation(2 * half)
    agents = np.concatenate([regular[0], others[0]])[mixed]
    texts = np.array(regular[1] + others[1], object)[mixed].tolist()
    texts += [address(f"198.18.{n % 251}.{n * 7 % 256}", "-") for n in range(BOT_CLIENTS)]
    return agents, pa.array(texts, pa.binary())


def _people(rng: np.random.Generator, n: int, seed: int, profile: Profile) -> tuple[Ints, list[bytes]]:
    agents = _zipf(rng, shop(seed, profile).bots, n, 0.75)
    texts, dress = [], _layout(profile).client
    for bits, sort in zip(rng.integers(0, 1 << 62, n).tolist(), rng.random(n).tolist(), strict=True):
        a, b, c = bits & 0xFF, bits >> 8 & 0xFF, bits >> 16 & 0xFF
        if sort < profile.ipv6:
            client = f"2001:db8:{bits & 0xFFFF:x}:{bits >> 16 & 0xFFFF:x}:{bits >> 32 & 0xFFFF:x}::{bits >> 48:x}"
        elif sort < max(profile.ipv6, 0.3):
            client = f"100.{64 + a % 64}.{b}.{c}"
        else:
            client = f"10.{a}.{b}.{c}"
        user = f"user{bits >> 40 & 0x3FF}" if sort > 0.995 else "-"
        texts.append(dress(client, user))
    return agents, texts


def _times(first: int, n: int, profile: Profile) -> pa.Array:
    """Return ``[03/Nov/2025:00:00:00 +0200] "`` and so on, ascending, at a constant rate."""
    seconds = np.arange(first, first + n) * 86_400 // profile.lines_a_day
    distinct, codes = np.unique(seconds, return_inverse=True)
    texts = [(FIRST_DAY + timedelta(seconds=s)).strftime(_layout(profile).time) for s in distinct.tolist()]
    return pa.array(texts, pa.binary()).take(pa.array(codes))


def _answers(rng: np.random.Generator, kind: Ints, item: Ints, layout: Layout) -> pa.Array:
    """Return ``200 5120 `` and so on: status and bytes."""
    n = len(kind)
    draw = rng.random(n)
    status = np.full(n, 200)
    status[(kind == PAGE) & (draw < 0.04)] = 301
    status[(kind == PAGE) & (draw > 0.996)] = 500
    status[(kind == ASSET) & (draw < 0.1)] = 304
    status[(kind == DOWNLOAD) & (draw < 0.4)] = 206
    status[kind == MISSING] = 404
    status[kind == HOSTILE] = 400
    size = BYTES[kind] // 4 + item * 7919 % BYTES[kind] + np.where(kind == PAGE, rng.integers(0, 900, n), 0)
    sizes = pc.if_else(pa.array(status == 304), pa.scalar("-"), pa.array(size).cast(pa.string()))
    before, between, after = layout.answer
    parts = (before, pa.array(status).cast(pa.string()), between, sizes, after)
    return pc.binary_join_element_wise(*parts, "").cast(pa.binary())


def _flood(columns: list[pa.Array], rng: np.random.Generator, n: int, profile: Profile) -> None:
    """Give a share of the lines a path and an agent that no other line has."""
    layout, mask = _layout(profile), pa.array(rng.random(n) < profile.flood)
    numbers = [f"{k:016x}" for k in rng.integers(0, 1 << 62, n).tolist()]
    paths = [layout.request(f"GET /{number[:5]}/{number} HTTP/1.1".encode()) for number in numbers]
    agents = [layout.agent(f"Mozilla/5.0 ({number}) Gecko/20100101".encode()) for number in numbers]
    columns[2] = pc.if_else(mask, pa.array(paths, pa.binary()), columns[2])
    columns[5] = pc.if_else(mask, pa.array(agents, pa.binary()), columns[5])


def _joined(columns: list[pa.Array], junk: Ints, rng: np.random.Generator, wanted: int) -> pa.Buffer:
    """Return the first rows as lines; junk rows are lines of random bytes or lines cut within."""
    lines = pc.binary_join_element_wise(*columns, pa.scalar(b"", pa.binary()))
    mask = np.zeros(len(lines), bool)
    mask[junk] = True
    spoilt = []
    for line in lines.take(pa.array(junk)).to_pylist():
        if rng.random() < 0.5:
            spoilt.append(line[: rng.integers(1, len(line))].rstrip(b"\n") + b"\n")
        else:
            spoilt.append(rng.bytes(int(rng.integers(1, 400))).replace(b"\n", b"") + b"\n")
    lines = pc.replace_with_mask(lines, pa.array(mask), pa.array(spoilt, pa.binary()))
    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, np.int32)[[lines.offset, lines.offset + wanted]].tolist()
    return data[ends[0] : ends[1]]


@cache
def _weights(n: int, skew: float) -> npt.NDArray[np.float64]:
    weights = np.cumsum(np.arange(1, n + 1, dtype=np.float64) ** -skew)
    weights /= weights[-1]
    return weights


def _zipf(rng: np.random.Generator, n: int, draws: int, skew: float) -> Ints:
    """Return numbers from 0 to n - 1, number i in proportion to (i + 1) ** -skew."""
    return np.searchsorted(_weights(n, skew), rng.random(draws))


_WORDS: Final = (
    "oak", "pine", "birch", "lamp", "table", "chair", "shelf", "sofa", "desk", "rug", "wool", "linen", "brass", "steel",
    "glass", "round", "small", "large", "garden", "hall", "kitchen", "bath", "winter", "summer", "classic", "nordic",
    "smart", "light", "dark", "blue", "green", "grey",
)  # fmt: skip


def _word(k: int) -> str:
    """Return a name of three words."""
    return "-".join(_WORDS[k >> shift & 31] for shift in (0, 5, 10))


def _pages(rng: np.random.Generator) -> list[str]:
    """Return the shop's pages, the most visited first, some of them with the queries that shops have."""
    pages = ["/", "/cart", "/login", "/checkout", "/account", "/sale", "/search"]
    for n, k in enumerate(rng.integers(0, 1 << 30, 30_000).tolist()):
        product_page = f"/{_WORDS[k & 31]}/{_word(k >> 3)}-{n}"
        pages.append(product_page if n % 4 else f"/{_WORDS[k & 31]}/{_WORDS[k >> 5 & 31]}/page/{n}")
        match n % 6:
            case 0:
                pages.append(f"{product_page}?utm_source=newsletter&utm_campaign={_WORDS[k >> 9 & 31]}-{k % 97}")
            case 2:
                pages.append(f"/search?q={_word(k).replace('-', '+')}&page={k % 9}")
            case 3:
                pages.append(f"{product_page}?gclid={k:08x}{k * k:016x}")
    return pages


def _versions(rng: np.random.Generator, n: int) -> Sequence[str]:
    return np.array(["2.0", "1.1"])[(rng.random(n) < 0.35).astype(int)].tolist()  # type: ignore[no-any-return]


def _hostile(rng: np.random.Generator) -> list[bytes]:
    """Return requests as scanners send them and servers write them."""
    texts: list[bytes] = []
    for n in range(2000):
        raw = rng.bytes(int(rng.integers(8, 120)))
        escaped = "".join(f"\\x{b:02X}" if not 32 <= b < 127 or b in b'"\\' else chr(b) for b in raw).encode()
        match n % 8:
            case 0:
                texts.append(rb"\x16\x03\x01")
            case 1:
                texts.append(rb"\x16\x03\x01" + escaped)
            case 2:
                texts.append(b"GET /" + raw.hex().encode() * int(rng.integers(5, 40)) + b" HTTP/1.1")
            case 3:
                texts.append(b"GET /" + b"../" * (n % 50) + b"etc/passwd HTTP/1.1")
            case 4:
                texts.append(b'GET /?id=1\\" UNION SELECT \\"' + escaped + b'\\" HTTP/1.1')
            case 5:
                texts.append(b'GET /" 200 5 "unclosed HTTP/1.1')  # no server writes it so; a proxy's own format may
            case 6:
                texts.append(b"GET /" + raw.replace(b"\n", b"").replace(b'"', b"") + b" HTTP/1.1")
            case _:
                texts.append(b"-")
    return texts


def _outside(rng: np.random.Generator) -> list[bytes]:
    """Return referrers from elsewhere, the most frequent first, and at last none."""
    engines = [
        "https://www.google.com/", "https://www.google.lv/", "https://www.bing.com/", "https://duckduckgo.com/",
        "https://yandex.com/", "https://search.brave.com/", "https://www.ecosia.org/", "https://search.yahoo.com/",
    ]  # fmt: skip
    texts = list(engines)
    for n, k in enumerate(rng.integers(0, 1 << 30, EXTERNAL - len(engines)).tolist()):
        if n % 3 == 0:
            texts.append(f"https://www.google.com/search?q={_word(k).replace('-', '+')}+{k % 1999}")
        else:
            texts.append(f"https://{_WORDS[k & 31]}{k % 613}.example.{('org', 'net', 'com')[n % 3]}/{_word(k)}/{n}")
    return [text.encode() for text in [*texts, "-"]]


def _agents(rng: np.random.Generator) -> list[str]:
    """Return the agents of browsers, the most used first."""
    webkit, safari = "AppleWebKit/537.36 (KHTML, like Gecko)", "Safari/537.36"
    desktops = [
        "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64",
        "Windows NT 6.1; WOW64", "X11; CrOS x86_64 14541.0.0",
    ]  # fmt: skip
    models = [f"SM-{a}{n}{b}" for a, n, b in product("AGSMX", (125, 137, 515, 546, 998), ("B", "F", "U"))]
    models += [f"Pixel {n}" for n in range(4, 11)] + [f"Redmi Note {n}" for n in range(7, 14)] + ["K"]
    chromes = range(88, 143)
    agents = [f"Mozilla/5.0 ({d}) {webkit} Chrome/{v}.0.0.0 {safari}" for v, d in product(chromes, desktops)]
    agents += [
        f"{a} Edg/{v}.0.{v * 13 % 2000}.{v % 90}"
        for a, v in zip(agents, [v for v in chromes for _ in desktops], strict=True)
    ]
    agents += [
        f"Mozilla/5.0 (Linux; Android {system}; {model}) {webkit} Chrome/{v}.0.{v * 44}.{v % 97} Mobile {safari}"
        for system, model, v in product(range(9, 16), models, range(100, 143, 4))
    ]
    agents += [
        f"Mozilla/5.0 ({device}; CPU {system} {major}_{minor} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        f"Version/{major}.{minor} Mobile/15E148 Safari/604.1"
        for (device, system), major, minor in product(
            (("iPhone", "iPhone OS"), ("iPad", "OS")), range(13, 27), range(8)
        )
    ]
    agents += [
        f"Mozilla/5.0 ({d}; rv:{v}.0) Gecko/20100101 Firefox/{v}.0"
        for v, d in product(
            range(78, 146), ("Windows NT 10.0; Win64; x64", "X11; Ubuntu; Linux x86_64", "X11; Linux x86_64")
        )
    ]
    kept = [agents[i] for i in rng.permutation(len(agents))[:5500].tolist()]
    current = [a for a in agents if "Chrome/142.0.0.0" in a or " 26_1 " in a or "Firefox/145.0" in a]
    return list(dict.fromkeys(current + kept))


def _bots() -> list[str]:
    """Return the agents of crawlers, feed readers and scripts."""
    named = {
        "Googlebot/2.1": "http://www.google.com/bot.html", "bingbot/2.0": "http://www.bing.com/bingbot.htm",
        "YandexBot/3.0": "http://yandex.com/bots", "AhrefsBot/7.0": "http://ahrefs.com/robot/",
        "SemrushBot/7~bl": "http://www.semrush.com/bot.html", "MJ12bot/v1.4.8": "http://mj12bot.com/",
        "DotBot/1.2": "https://opensiteexplorer.org/dotbot", "PetalBot": "https://webmaster.petalsearch.com/site/petalbot",
        "Applebot/0.1": "http://www.apple.com/go/applebot", "GPTBot/1.2": "https://openai.com/gptbot",
        "ClaudeBot/1.0": "https://www.anthropic.com", "Bytespider": "https://zhanzhang.toutiao.com/",
        "Amazonbot/0.1": "https://developer.amazon.com/support/amazonbot", "CCBot/2.0": "https://commoncrawl.org/faq/",
        "DuckDuckBot/1.1": "http://duckduckgo.com/duckduckbot.html", "SeznamBot/4.0": "http://napoveda.seznam.cz/",
    }  # fmt: skip
    agents = [f"Mozilla/5.0 (compatible; {name}; +{url})" for name, url in named.items()]
    agents += [
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; +https://perplexity.ai/bot)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "Twitterbot/1.0", "-",
        "UniversalFeedParser/5.2.1 +https://code.google.com/p/feedparser/", "Go-http-client/2.0", "curl/8.5.0",
        "python-requests/2.32.3", "Wget/1.21.3", "Java/17.0.9", "axios/1.7.7", "okhttp/4.12.0", "Scrapy/2.11.2",
    ]  # fmt: skip
    return agents


def main() -> None:
    """Write a log as the command line says."""
    parser = argparse.ArgumentParser(description="Write a realistic access log.")
    parser.add_argument("--profile", choices=PROFILES, default="busy shop", help="(default: %(default)s)")
    parser.add_argument("--lines", type=int, default=1_000_000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same bytes (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="where to write it: plain, .gz or .zst")
    options = parser.parse_args()
    write(options.output, options.lines, options.seed, PROFILES[options.profile])


if __name__ == "__main__":
    main()
