"""What a policy file says, as frozen values: unknown keys are errors, and so is a value of the wrong type.

The models check one value at a time. What two values come to together is for `lint` (may it be done?) and
`resolve` (can it be done?).
"""

from __future__ import annotations

import json
import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, date, timedelta
from ipaddress import ip_network
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator

from logblur.formats.json import read_mapping
from logblur.periods import Period
from logblur.policy.identifiers import Identifiers
from logblur.policy.meaning import Dimension, Pages
from logblur.policy.operator import Keys
from logblur.policy.plan import LARGEST_SHARE
from logblur.policy.rules import Fields, LegalBasis, Line, Model, Name, Names, Rule, Text, distinct, line

MOST_OF_A_FORMAT: Final = 10_000
"""Characters of a log format: definitions stand in configurations on many lines."""

MOST_CLIENTS: Final = 1000
"""The largest threshold."""

MOST_DIMENSIONS: Final = 16
"""Columns of a policy's own, at most."""

_DURATION: Final = re.compile(r"([1-9][0-9]{0,3}) (hour|day|week|month|year)s?")


@dataclass(frozen=True, slots=True)
class Duration:
    """A positive length of time as people write it: ``25 months``. Months and years follow the calendar."""

    count: int
    unit: Literal["hour", "day", "week", "month", "year"]

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    def after(self, day: date) -> date:
        """Return the first day on which it is over, if it begins with ``day``; hours count as the days they begin.

        What lies behind the calendar's last day is that day.
        """
        match self.unit:
            case "hour" | "day" | "week":
                days = -(-self.span() // timedelta(days=1))
                return date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))
            case _:
                months = day.month - 1 + self.count * (12 if self.unit == "year" else 1)
                year, month = day.year + months // 12, months % 12 + 1
                return date(year, month, min(day.day, monthrange(year, month)[1])) if year <= MAXYEAR else date.max

    def span(self) -> timedelta:
        """Return the exact length; `ValueError` for months and years, which have none."""
        match self.unit:
            case "hour":
                return timedelta(hours=self.count)
            case "day":
                return timedelta(days=self.count)
            case "week":
                return timedelta(weeks=self.count)
            case _:
                raise ValueError("has no exact length in months or years; write hours, days or weeks")


def _duration(value: Any) -> Duration:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('should be a number and a unit, such as "2 days" or "25 months"')
    return Duration(int(found[1]), found[2])  # type: ignore[arg-type]  # the pattern names the units


def _exact(value: Duration) -> Duration:
    value.span()
    return value


def _site(value: str) -> str:
    return line(value) if value else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # unknown; not a zone's name; a folder, or a name too long
        raise ValueError(
            'is no time zone of this machine; write an IANA name such as "Europe/Riga" (the package tzdata brings them)'
        ) from None
    return value


def _format(value: Any) -> Any:
    """Return a mapping of JSON keys as the text that `formats.resolve_format` takes."""
    if not isinstance(value, dict):
        return value
    return read_mapping(json.dumps(value, default=lambda _: None)).name  # a date is no path, as nothing is none


def _definition(value: str) -> str:
    if not value.strip() or not re.sub(r"[\r\n\t]", " ", value).isprintable() or len(value) > MOST_OF_A_FORMAT:
        raise ValueError(f"should be printable text of at most {MOST_OF_A_FORMAT} characters")
    return value


Zone = Annotated[str, AfterValidator(_zone)]


def _conditions(value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if any(not text for texts in value.values() for text in texts):
        raise ValueError("should not have an empty value: what a request does not say is no signal")
    return value


Conditions = Annotated[dict[Name, Names], AfterValidator(_conditions)]


def _network(value: str) -> str:
    try:
        network = ip_network(value)
    except ValueError:
        raise ValueError(
            'should be an address or a network such as "10.0.0.0/8", no bit set behind its prefix'
        ) from None
    if network.prefixlen < (8 if network.version == 4 else 7):
        raise ValueError("trusts so many that a sender could name whatever client he likes; name the proxies")
    return value


class ClientAddress(Model):
    """Where the client's address stands: ``[input] client_address``.

    A list of hops is believed only as far as trusted proxies wrote it: it is read from the right past them, and only
    where ``remote_addr`` is one of them (or is not logged). ``unix:`` trusts what comes through a socket.
    """

    field: Name = "remote_addr"
    trusted_proxies: Annotated[
        tuple[Literal["unix:"] | Annotated[str, AfterValidator(_network)], ...], Field(strict=False)
    ] = ()


class Input(Model):
    """How logs are read: ``[input]``."""

    format: Annotated[str, BeforeValidator(_format), AfterValidator(_definition)] = "auto"
    site: Annotated[str, AfterValidator(_site)] = ""
    timezone: Zone = "UTC"
    log_timezone: Zone = "UTC"
    client_address: ClientAddress = ClientAddress()
    max_rejects: Annotated[float, Field(ge=0, le=1)] = 0.05
    delete_logs: bool = False
    max_line_bytes: Annotated[int, Field(ge=1024, le=1 << 20)] = 64 << 10


class Visitor(Model):
    """What ``visitors`` counts, and how long a day's key lives: ``[visitor]``."""

    from_: Annotated[
        tuple[Literal["remote_addr", "user_agent"], ...], Field(strict=False, alias="from"), AfterValidator(distinct)
    ] = ("remote_addr", "user_agent")
    seal_after: Annotated[Duration, PlainValidator(_duration), PlainSerializer(str), AfterValidator(_exact)] = Duration(
        2, "day"
    )
    publish: Literal["open", "sealed"] = "open"


class Signals(Model):
    """What becomes of requests that say how they may be used: ``[signals]``.

    A request is *restricted* where a field of `objection` holds one of its values, and where `consent` names fields
    and none of them holds one of its values. In a value ``*`` stands for any text, and case does not matter.
    Without `visitors` such requests are not among the visitors. `fields` says what becomes of their fields; one that
    is not named there is treated as always, but one that rests on consent is dropped.
    """

    consent: Conditions = Field(default_factory=dict)
    objection: Conditions = Field(default_factory=dict)
    visitors: bool = True
    fields: Fields = Fields()


class Table(Model):
    """One published table: ``[[table]]``. ``by`` is the roll-up order, the last column first.

    Purpose and ground are the policy's unless the table has its own. A client may make `max_client_share` of a row's
    requests, and of its bytes; 1 sets no limit.
    """

    name: Annotated[str, Field(pattern=r"\A[a-z][a-z0-9_]*\z", max_length=64)]
    where: str
    by: Names
    measures: Names
    min_clients: Annotated[int, Field(ge=2, le=MOST_CLIENTS)]
    max_client_share: Annotated[float, Field(gt=0, le=1)] = LARGEST_SHARE
    reason: Line | None = None
    purpose: Text | None = None
    legal_basis: LegalBasis | None = None


class Controller(Model):
    """Who decides on the processing, and how people reach them: ``[controller]``."""

    name: Line | None = None
    address: Line | None = None
    contact: Line | None = None
    dpo: Line | None = None
    authority: Text | None = None


class Balancing(Model):
    """Why legitimate interests prevail: ``[balancing]``. What only the controller can say."""

    interest: Text | None = None
    necessity: Text | None = None
    impact: Text | None = None
    safeguards: Text | None = None


def _columns(names: Mapping[str, Dimension]) -> Mapping[str, Dimension]:
    for name in names:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
            raise ValueError("should have names of small letters, digits and _, the first a letter")
    return names


Dimensions = Annotated[dict[str, Dimension], Field(max_length=MOST_DIMENSIONS), AfterValidator(_columns)]


class Policy(Model):
    """A policy file, exactly as written."""

    version: Annotated[int, Field(ge=1, le=1)]
    name: Annotated[str, Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*\z", max_length=64)]
    purpose: Text
    legal_basis: LegalBasis
    retention: Annotated[Duration, PlainValidator(_duration), PlainSerializer(str)]
    period: Period = Field(Period.DAY, strict=False)
    recipients: Annotated[tuple[Text, ...], Field(strict=False)] | None = None
    transfers: Annotated[tuple[Text, ...], Field(strict=False)] | None = None
    controller: Controller = Controller()
    balancing: Balancing = Balancing()
    input: Input = Input()
    keys: Keys = Field(default_factory=dict)
    fields: Fields
    identifiers: Identifiers = Field(default_factory=dict)
    visitor: Visitor = Visitor()
    signals: Signals | None = None
    pages: Pages = Pages()
    dimensions: Dimensions = Field(default_factory=dict)
    tables: Annotated[tuple[Table, ...], Field(strict=False, alias="table")] = ()

    def is_over(self, day: date, today: date) -> bool:
        """Say whether the retention of a day (or week) is over; it counts from that one's end.

        Args:
            day: Its first day.
            today: The present day in the policy's zone.
        """
        return self.retention.after(self.period.after(day)) <= today

    def ground_of(self, rule: Rule) -> LegalBasis:
        """Return the legal basis of a field's rule: its own, else the policy's."""
        return rule.legal_basis or self.legal_basis

    def grounds(self) -> frozenset[str]:
        """Return every legal basis that it names, for itself, a field or a table."""
        own = (rule.legal_basis for rule in (*self.fields.named().values(), *self.tables))
        return frozenset({self.legal_basis, *filter(None, own)})
