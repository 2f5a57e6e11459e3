"""The job of the rivals that are libraries: the same columns, the same nine tables, in their own language.

Everybody is given the same simplifications, each of which makes the job lighter than what logblur does: a user agent is
told apart by a few substrings, a file by its ending, a registrable domain is the last two labels of a host, a visitor is
the address and the agent as text. No path templates, no thresholds, no keyed tokens, no rejects by reason.
"""

from __future__ import annotations

import re
from typing import Final

NAMED_LINE: Final = (
    r'^(?P<addr>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>[^ "?]*)(?:\?[^ "]*)? [^"]*"'
    r' (?P<status>\d{3}) (?P<bytes>\d+|-) "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"$'
)
LINE: Final = re.sub(r"\?P<\w+>", "", NAMED_LINE)
FIELDS: Final = ("addr", "user", "time", "method", "path", "status", "bytes", "referer", "agent")

BOT: Final = (
    r"(?i)bot|spider|crawl|curl|wget|python|java/|http-client|axios|okhttp|scrapy|feedparser|externalhit|ChatGPT"
)
ASSET: Final = r"(?i)\.(css|js|png|jpe?g|gif|svg|webp|ico|woff2?|map)$"
DOWNLOAD: Final = r"(?i)\.(pdf|zip|docx?|xlsx?|csv|gz|exe|apk|mp3|mp4)$"
ENGINE: Final = r"(?:^|\.)(google|bing|yahoo|yandex|duckduckgo|baidu|ecosia|qwant|seznam|brave)\."
HOST: Final = r"^[a-z]+://([^/:?#]+)"
DOMAIN: Final = r"([^.]+\.[^.]+)$"
BROWSER: Final = r"(Edg|Firefox|Chrome|Version)/(\d+)"
SYSTEM: Final = r"(Windows NT|Android|iPhone OS|CPU OS|Mac OS X|CrOS|Linux)"
MOBILE: Final = r"Mobile|Android|iPhone"
OWN: Final = "example.com"

TABLES: Final = {
    "traffic": ("TRUE", ("hour", "bot", "method")),
    "pages": ("page", ("path",)),
    "downloads": ("download", ("path", "status")),
    "errors": ("error", ("status", "path")),
    "clients": ("page", ("device", "os", "browser", "major")),
    "search_engines": ("page AND engine <> ''", ("engine",)),
    "referrers": ("page AND engine = '' AND domain <> '' AND domain <> 'example.com'", ("domain",)),
    "networks": ("page", ("network",)),
    "bots": ("bot", ("agent",)),
}
"""By table: which rows (SQL) and the key columns; each also by day, with requests, visitors and bytes."""
