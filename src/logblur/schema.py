"""The values that travel between the rooms, and the Arrow schemas they carry.

Nothing here does work. A column's unit, origin and sensitivity are metadata of its Arrow field, so that `explain`,
the documentation and the audit read them from one place.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

PAD: Final = 64
"""Bytes of newline after the last line of a `Block`: vector loads of the kernels may read that far past the end."""

LANES: Final = 32
"""Bytes that one vector load of the kernels takes; at most `PAD`."""

SCHEMA_VERSION: Final = 1
"""Version of the published columns; written into every file. Changes only add."""


class Reason(IntEnum):
    """Why a line is a reject: a closed set. The kernel, the reference and the ledger use the same numbers."""

    TOO_LONG = 1
    TOO_FEW_FIELDS = 2
    UNCLOSED_QUOTE = 3
    TRAILING = 4
    BAD_TIME = 5
    FUTURE_TIME = 6
    BAD_STATUS = 7
    BAD_BYTES = 8
    BAD_DURATION = 9
    BAD_JSON = 10

    @property
    def text(self) -> str:
        """The reason as people read it, such as ``bad time``."""
        return self.name.lower().replace("_", " ")


class Sensitivity(StrEnum):
    """How closely a raw field points at a person."""

    DIRECT = "direct"  # identifies or singles out alone: an address, a user name
    INDIRECT = "indirect"  # singles out together with others, or may hold personal data: a path, a referrer
    NONE = "none"  # says nothing of a person: status, size


class Category(StrEnum):
    """What a European privacy notice calls a kind of personal data."""

    MASTER = "master data"  # names and addresses of people
    VOLUNTARY = "other data given voluntarily"
    CONTRACT = "contract data"  # customer and contract numbers, accounts, cards
    CONTENT = "content data"  # what people write or upload
    CONTACT = "contact data"  # e-mail, phone
    META = "meta data"  # IP address, device, session
    USAGE = "usage data"  # pages, times, search engine, downloads


FINDINGS: Final[Mapping[str, Category]] = {
    "email": Category.CONTACT,
    "phone": Category.CONTACT,
    "code": Category.MASTER,
    "name": Category.MASTER,
    "vat": Category.CONTRACT,
    "iban": Category.CONTRACT,
    "card": Category.CONTRACT,
    "number": Category.CONTRACT,
    "ip": Category.META,
    "uuid": Category.META,
    "jwt": Category.META,
    "token": Category.META,
}
"""What is found inside the text of a field, by the word in braces that takes its place, and its category."""


def _field(
    name: str, kind: pa.DataType, origin: str, sensitivity: Sensitivity, category: Category, unit: str = ""
) -> pa.Field:
    metadata = {"origin": origin, "sensitivity": sensitivity.value, "category": category.value}
    metadata |= {"unit": unit} if unit else {}
    return pa.field(name, kind, nullable=name != "time", metadata=metadata)


TEXT: Final = pa.dictionary(pa.int32(), pa.large_string())
"""Text: int32 codes into the distinct values. Bytes that are not UTF-8 are ``\\xHH``; `-` and empty are null."""

PARSED: Final[pa.Schema] = pa.schema(
    [
        _field("time", pa.timestamp("us", "UTC"), "%t $time_local", Sensitivity.INDIRECT, Category.USAGE),
        _field("remote_addr", TEXT, "%h $remote_addr", Sensitivity.DIRECT, Category.META),
        _field("remote_user", TEXT, "%u $remote_user", Sensitivity.DIRECT, Category.MASTER),
        _field("host", TEXT, "%v $host", Sensitivity.NONE, Category.USAGE),
        _field("method", TEXT, "%m $request_method", Sensitivity.NONE, Category.USAGE),
        _field("path", TEXT, "%U $uri", Sensitivity.INDIRECT, Category.USAGE),
        _field("query", TEXT, "%q $args", Sensitivity.DIRECT, Category.CONTENT),
        _field("protocol", TEXT, "%H $server_protocol", Sensitivity.NONE, Category.META),
        _field("status", pa.int16(), "%>s $status", Sensitivity.NONE, Category.USAGE),
        _field("bytes_sent", pa.int64(), "%b $body_bytes_sent", Sensitivity.NONE, Category.USAGE, "bytes"),
        _field("referer", TEXT, "%{Referer}i $http_referer", Sensitivity.DIRECT, Category.USAGE),
        _field("referer_host", TEXT, "%{Referer}i $http_referer", Sensitivity.INDIRECT, Category.USAGE),
        _field("user_agent", TEXT, "%{User-Agent}i $http_user_agent", Sensitivity.INDIRECT, Category.META),
        _field("bytes_received", pa.int64(), "%I $request_length", Sensitivity.NONE, Category.USAGE, "bytes"),
        _field("duration", pa.int64(), "%D $request_time", Sensitivity.NONE, Category.USAGE, "microseconds"),
        _field("forwarded_for", TEXT, "%{X-Forwarded-For}i $http_x_forwarded_for", Sensitivity.DIRECT, Category.META),
        _field("cookies", TEXT, "%{Cookie}i $http_cookie", Sensitivity.DIRECT, Category.CONTENT),
    ]
)
"""The columns that most formats can yield. A parse is asked for some of them; the others are not even interned.

``referer_host`` is the host of the referrer alone, so that a policy that keeps domains never reads whole referrers.
What else a server logs is text, named as nginx names it, whatever server wrote it: see `column`.
"""


@functools.lru_cache(maxsize=1 << 10)
def column(name: str) -> pa.Field:
    """Return the Arrow field of a column that parsing can yield, one of `PARSED` or any other.

    Any other is text: a request header ``http_<name>``, a response header ``sent_http_<name>``, a cookie
    ``cookie_<name>``, an environment variable ``env_<name>``, a note ``note_<name>``, another variable of nginx by its
    name, a field of W3C extended in snake case. What it holds is not known, so it counts as identifying a person.
    """
    if name in PARSED.names:
        return PARSED.field(name)
    return _field(name, TEXT, f"${name}", Sensitivity.DIRECT, Category.CONTENT)


KEY_TYPES: Final[Mapping[str, pa.DataType]] = {
    "hour": pa.int8(),
    **dict.fromkeys(
        (
            "site", "method", "status", "status_class", "path", "agent", "device", "os", "os_major", "browser",
            "browser_major", "bot", "bot_class", "referrer_domain", "search_engine", "search_terms", "social_network",
            "ai_service", "complete", "network", "referrer_origin", "referrer", "country", "asn",
        ),
        pa.string(),
    ),
}  # fmt: skip
"""Columns that a table can be grouped by, in the order of docs/columns.md; ``date`` is the partition, never one."""


def key_type(name: str) -> pa.DataType:
    """Return the type of a key column: one of `KEY_TYPES`, or text for a policy's own dimension."""
    return KEY_TYPES.get(name, pa.string())


MEASURES: Final[Mapping[str, pa.DataType]] = dict.fromkeys(("requests", "downloads", "visitors", "bytes"), pa.int64())

MEANINGS: Final[Mapping[str, str]] = {
    "date": "day in the policy's `timezone`; the folder's name, no column inside the file",
    "hour": "hour of the local day, 0 to 23; a repeated hour of a 25-hour day is one hour; null: rolled up",
    "site": "host that was asked for, lower case, without port; `(none)` where none is logged and for what is no name",
    "method": "request method of RFC 9110, and PATCH; `(unusual)` any other; `(none)` for what is no request",
    "status": "status of the response, such as `404`",
    "status_class": "class of the status, such as `4xx`",
    "path": "path, with what the policy keeps of the query; what varies or is personal is a word in braces; "
    "a `utm_source` that names a source is told there; `(none)`: no request",
    "agent": "`human` or `bot`; a missing user agent is a bot's, but where the format logs none all lines are human",
    "device": "`desktop`, `mobile`, `tablet`, `tv`, `console`; `(none)` where the user agent does not tell; an iPad "
    "whose browser calls itself a Mac is a desktop",
    "os": "operating system, such as `Windows`",
    "os_major": "its major version; where browsers stopped telling the true one, what they say can mean: `10 or 11` "
    "(Windows), `10 or later` (Mac OS X), `18 or later` (iOS), `(none)` (Android by Chrome, Chrome OS)",
    "browser": "browser, such as `Firefox`; apps that show pages are browsers too, as `Instagram`; a name of "
    "ua-parser's rules or of a list of programs, never the client's text",
    "browser_major": "its major version",
    "bot": "name of the bot, such as `Googlebot`; `(none)` for one without a known name",
    "bot_class": "what it visits for: `search`, `ai-crawler`, `ai-assistant` (a person asked it to), `seo`, `monitor`, "
    "`feed`, `library`, `scanner`, `other`",
    "referrer_domain": "registrable domain of the referring page, such as `example.org`",
    "search_engine": "search engine that the visit came from, such as `Google`: by the referrer, and, where the policy "
    "keeps `utm_source` and the referrer names no source, by that",
    "search_terms": "what was searched for, where the engine says it; decoded, in small letters, words in braces for "
    "what has the form of an identifier; `(none)` where it says nothing, as most do",
    "social_network": "social network, forum or messenger that the visit came from, such as `Mastodon`; told as "
    "`search_engine` is",
    "ai_service": "service that answers in its own words, or assistant, that the visit came from, such as `ChatGPT`; "
    "told as `search_engine` is",
    "complete": "`yes`: the whole file; `part`: a piece of it; by status (200, 206), and in tables of downloads by "
    "path also by size: what is smaller than the file's largest answer of the day is a part",
    "network": "network of the client by the policy's prefix, such as `192.0.0.0/16`; `(none)` where it is no address",
    "referrer_origin": "site of the referring page, such as `https://www.example.org`; `(none)`: no site of the web",
    "referrer": "referring page: its site and path, treated as `path` is, without query; `(none)`: no page of the web",
    "country": "country of the client, such as `LV` (ISO 3166), by the database that is named; `(none)`: unknown",
    "asn": "owner of the client's network by number, such as `AS1221`, by the database that is named; or `(none)`",
    "requests": "lines of the log",
    "downloads": "requests that brought a whole file, and for each visitor and file all pieces together as one",
    "visitors": "distinct visitors (by default address and user agent) of that day and row; at most one day long",
    "bytes": "bytes sent, summed, as the format logs them; a line without a size adds nothing",
}
"""What each published column says: for docs/columns.md. Names are those of `KEY_TYPES` and `MEASURES`, and ``date``."""

NOBODY: Final = 0
"""The visitor token of a request that is not among the visitors: it counts as a request, and its client as a client."""


class Universe(IntEnum):
    """What a line is, decided once per row; the disjoint parts that the universes of tables are made of."""

    BOT = 0
    REST = 1
    ERROR = 2
    DOWNLOAD = 3
    PAGE = 4  # no referrer, or one of the site itself
    PAGE_SEARCH = 5  # from a search engine
    PAGE_REFERRAL = 6  # from another site that is none of these
    PAGE_SOCIAL = 7  # from a social network
    PAGE_ANSWERS = 8  # from a service that answers in its own words


UNIVERSES: Final[Mapping[str, frozenset[Universe]]] = {
    "all": frozenset(Universe),
    "human": frozenset(Universe) - {Universe.BOT},
    "bot": frozenset({Universe.BOT}),
    "page": frozenset(part for part in Universe if part >= Universe.PAGE),
    "search": frozenset({Universe.PAGE_SEARCH}),
    "referral": frozenset({Universe.PAGE_REFERRAL, Universe.PAGE_SOCIAL, Universe.PAGE_ANSWERS}),
    "social": frozenset({Universe.PAGE_SOCIAL}),
    "ai_answers": frozenset({Universe.PAGE_ANSWERS}),
    "sites": frozenset({Universe.PAGE_REFERRAL}),
    "download": frozenset({Universe.DOWNLOAD}),
    "error": frozenset({Universe.ERROR}),
}
"""The names a policy's ``where`` can take, as unions of the disjoint parts."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Whole lines of one log.

    Attributes:
        data: uint8; the lines, each ended by a newline, then `PAD` newlines that belong to no line.
        size: Bytes of lines in ``data``, without the padding.
        offset: Where the first line starts in the *decompressed* stream, bytes.
        directives: The ``#Fields`` and ``#Date`` lines in force at its first line, for formats that follow them.
    """

    data: npt.NDArray[np.uint8]
    size: int
    offset: int
    directives: bytes = b""

    def __post_init__(self) -> None:
        if len(self.data) < self.size + PAD or (self.size and self.data[self.size - 1] != 10):
            raise ValueError("a block holds whole lines and its padding")

    @classmethod
    def of(cls, lines: bytes, offset: int = 0) -> Block:
        """Return a block of these bytes; a missing final newline is added."""
        if lines and not lines.endswith(b"\n"):
            lines += b"\n"
        return cls(np.frombuffer(bytearray(lines + b"\n" * PAD), np.uint8), len(lines), offset)

    def __repr__(self) -> str:
        return f"Block(size={self.size}, offset={self.offset})"


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """Lines as typed columns. ``rows + rejects + directives`` is the number of lines (of records: of objects).

    Attributes:
        batch: The columns asked for, types as `PARSED`; text columns are dictionary-encoded.
        reject_offsets: int64, bytes into the decompressed stream, ascending.
        reject_reasons: uint8, `Reason` by number.
        directives: Lines that are neither row nor reject: blank ones and ``#`` comments.
        rows: Lines that fit; the batch's rows, also where no column was asked for.
    """

    batch: pa.RecordBatch
    reject_offsets: npt.NDArray[np.int64]
    reject_reasons: npt.NDArray[np.uint8]
    directives: int
    rows: int

    def __repr__(self) -> str:
        return f"Parsed(rows={self.rows}, rejects={len(self.reject_offsets)})"


@dataclass(frozen=True, slots=True, eq=False)
class Protected:
    """Rows that hold nothing but what the Plan names. Constructed in `protect` alone.

    Attributes:
        batch: By row: ``person`` int32, a row of ``people``; ``universe`` int8, ``bytes`` int64 (none is 0), and those
            of the Plan's key columns that ``people`` has not: ``hour`` int8, the others dictionary of string without
            nulls, with the narrowest codes that do. Buffers are fresh and compact.
        people: Who they are: ``date`` int32 days since 1970 in the policy's zone, ``visitor`` and ``client`` uint64
            tokens under the day's key, and the key columns that follow from the client's address and the user agent
            alone, as in ``batch``. Two of them may have the same tokens.
        nulled: Rows in which a method could not treat what stands in a field, so that it is ``(none)``, by field; and
            those whose client's address a database does not hold, by the column that it gives.
        left_out: Rows of days that had no key to give, by day: sealed ones, whose lines are late.
    """

    batch: pa.RecordBatch
    people: pa.RecordBatch
    nulled: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[date, int] = field(default_factory=dict)

    def rows(self) -> pa.Table:
        """Return all columns by row."""
        of_people = pa.table(self.people).take(self.batch.column("person"))
        rows = pa.table(self.batch).drop_columns(["person"])
        for name in of_people.column_names:
            rows = rows.append_column(name, of_people.column(name))
        return rows

    def __repr__(self) -> str:
        return f"Protected(rows={self.batch.num_rows})"


PERSON: Final = pa.struct([("person", pa.uint32()), ("requests", pa.uint32()), ("bytes", pa.int64())])
"""What a group of a partial knows of a person: its row of the people, and what it adds to the group."""


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """The private, mergeable aggregate of some rows of one day.

    Attributes:
        day: The day in the policy's zone.
        people: ``visitor`` uint64, ``client`` uint64: the distinct pairs of tokens, sorted by client, then visitor;
            a person is a row of it. ``parts`` uint16: bit n is set where a line of the person is in `Universe` n.
        tables: By table name: the key columns, ``requests`` int64, ``bytes`` int64, ``people`` list of `PERSON`
            (distinct and ascending), one row a group, keys distinct, sorted by them.
    """

    day: date
    people: pa.Table
    tables: Mapping[str, pa.Table]

    def __repr__(self) -> str:
        return f"Partial(day={self.day}, tables={len(self.tables)})"


def metadata_of(name: str) -> Mapping[str, Any]:
    """Return what `column` says of one: ``origin``, ``sensitivity``, ``category``, and ``unit`` if it has one."""
    return {k.decode(): v.decode() for k, v in (column(name).metadata or {}).items()}
