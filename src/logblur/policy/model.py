"""What a policy file says, as frozen values: unknown keys are errors, and so is a value of the wrong type.

The models check one value at a time. What two values come to together is for `lint` (may it be done?) and
`resolve` (can it be done?).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

MOST_CLIENTS: Final = 1000
"""The largest threshold: up to here distinct clients are counted exactly."""

_DURATION: Final = re.compile(r"([1-9][0-9]{0,3}) (hour|day|week|month|year)s?")


@dataclass(frozen=True, slots=True)
class Duration:
    """A positive length of time as people write it: ``25 months``. Months and years follow the calendar."""

    count: int
    unit: Literal["hour", "day", "week", "month", "year"]

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

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


def _line(value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > 500:
        raise ValueError("should be one line of printable text, at most 500 characters")
    return value


LANGUAGES: Final = ("lv", "en", "de")
"""Languages of the texts that follow from a policy."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words for people, printed as they stand: one line in whatever language, or one for each of some languages."""

    texts: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        known = dict(self.texts)
        return known.get("en") or self.texts[0][1]

    def written(self) -> str | dict[str, str]:
        """Return them as the file says them."""
        return self.texts[0][1] if self.texts[0][0] == "" else dict(self.texts)

    def to(self, language: str) -> str | None:
        """Return them for a text in one of `LANGUAGES`; None where they are said in others alone."""
        known = dict(self.texts)
        return known.get(language, known.get(""))


def _words(value: Any) -> Words:
    if isinstance(value, str):
        return Words((("", _line(value)),))
    if not isinstance(value, dict) or not value or not value.keys() <= set(LANGUAGES):
        raise ValueError('should be one line of text, or one a language, such as { lv = "…", en = "…", de = "…" }')
    if not all(isinstance(text, str) for text in value.values()):
        raise ValueError("should have one line of text for each language")
    return Words(tuple((language, _line(value[language])) for language in LANGUAGES if language in value))


def _site(value: str) -> str:
    return _line(value) if value else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # unknown; not a zone's name; a folder, or a name too long
        raise ValueError(
            'is no time zone of this machine; write an IANA name such as "Europe/Riga" (the package tzdata brings them)'
        ) from None
    return value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("should not be empty")
    if len(set(values)) < len(values):
        raise ValueError("names something twice")
    return values


Line = Annotated[str, AfterValidator(_line)]
Text = Annotated[Words, PlainValidator(_words), PlainSerializer(Words.written)]
LegalBasis = Literal[
    "consent", "contract", "legal-obligation", "vital-interests", "public-task", "legitimate-interests"
]
"""The grounds of GDPR Art. 6(1), points a to f in this order."""

Zone = Annotated[str, AfterValidator(_zone)]
Names = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_distinct)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Rule(_Model):
    """How one field is treated, and why that may be done. Purpose and ground are the policy's unless it has its own."""

    reason: Line | None = None
    purpose: Text | None = None
    legal_basis: LegalBasis | None = None


class Drop(Rule):
    """Nothing of the field is published."""

    method: Literal["drop"]


class Keep(Rule):
    """The field as it is; takes a reason."""

    method: Literal["keep"]


class Truncate(Rule):
    """An address with its last bits cleared; the prefixes say how many bits stay."""

    method: Literal["truncate"]
    ipv4_prefix: Annotated[int, Field(ge=1, le=32)]
    ipv6_prefix: Annotated[int, Field(ge=1, le=128)]


class Pseudonym(Rule):
    """A keyed replacement for records; still personal data while the day's key exists."""

    method: Literal["pseudonym"]


class Hour(Rule):
    """A time by its day and hour."""

    method: Literal["hour"]


class Day(Rule):
    """A time by its day."""

    method: Literal["day"]


class Template(Rule):
    """A path without its query, its variable parts replaced."""

    method: Literal["template"]
    query: Literal["drop"] = "drop"


class Class(Rule):
    """A status by its first digit."""

    method: Literal["class"]


class Domain(Rule):
    """A referrer by its registrable domain."""

    method: Literal["domain"]


class Family(Rule):
    """A user agent by its families: browser, system, device, bot."""

    method: Literal["family"]


_Tagged = Field(discriminator="method")


class Fields(_Model):
    """The fields a policy can name, in the order of `schema.PARSED`. None stands for not named: dropped."""

    time: Annotated[Hour | Day | Keep | Drop, _Tagged] | None = None
    remote_addr: Annotated[Truncate | Pseudonym | Keep | Drop, _Tagged] | None = None
    remote_user: Annotated[Pseudonym | Keep | Drop, _Tagged] | None = None
    host: Annotated[Keep | Drop, _Tagged] | None = None
    method: Annotated[Keep | Drop, _Tagged] | None = None
    path: Annotated[Template | Drop, _Tagged] | None = None
    status: Annotated[Keep | Class | Drop, _Tagged] | None = None
    bytes_sent: Annotated[Keep | Drop, _Tagged] | None = None
    referer: Annotated[Domain | Drop, _Tagged] | None = None
    user_agent: Annotated[Family | Drop, _Tagged] | None = None

    def named(self) -> dict[str, Drop | Keep | Truncate | Pseudonym | Hour | Day | Template | Class | Domain | Family]:
        """Return the rules of the fields that the policy names."""
        return {name: rule for name in type(self).model_fields if (rule := getattr(self, name)) is not None}


def rules_of(field: str) -> dict[str, type[Rule]]:
    """Return the rule of each method that a field can have, by method, in the order they are declared."""
    union = next(kind for kind in get_args(Fields.model_fields[field].annotation) if kind is not type(None))
    rules: tuple[type[Rule], ...] = get_args(get_args(union)[0])
    return {get_args(rule.model_fields["method"].annotation)[0]: rule for rule in rules}


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


class ClientAddress(_Model):
    """Where the client's address stands: ``[input] client_address``.

    A list of hops is believed only as far as trusted proxies wrote it: it is read from the right past them, and only
    where ``remote_addr`` is one of them (or is not logged). ``unix:`` trusts what comes through a socket.
    """

    field: Annotated[str, Field(pattern=r"\A[a-z][a-z0-9_]*\z", max_length=64)] = "remote_addr"
    trusted_proxies: Annotated[
        tuple[Literal["unix:"] | Annotated[str, AfterValidator(_network)], ...], Field(strict=False)
    ] = ()


class Input(_Model):
    """How logs are read: ``[input]``."""

    format: Line = "auto"
    site: Annotated[str, AfterValidator(_site)] = ""
    timezone: Zone = "UTC"
    log_timezone: Zone = "UTC"
    client_address: ClientAddress = ClientAddress()
    max_rejects: Annotated[float, Field(ge=0, le=1)] = 0.05


class Visitor(_Model):
    """What ``visitors`` counts, and how long a day's key lives: ``[visitor]``."""

    from_: Annotated[
        tuple[Literal["remote_addr", "user_agent"], ...], Field(strict=False, alias="from"), AfterValidator(_distinct)
    ] = ("remote_addr", "user_agent")
    seal_after: Annotated[Duration, PlainValidator(_duration), PlainSerializer(str), AfterValidator(_exact)] = Duration(
        2, "day"
    )
    publish: Literal["open", "sealed"] = "open"


class Table(_Model):
    """One published table: ``[[table]]``. ``by`` is the roll-up order, the last column first.

    Purpose and ground are the policy's unless the table has its own.
    """

    name: Annotated[str, Field(pattern=r"\A[a-z][a-z0-9_]*\z", max_length=64)]
    where: str
    by: Names
    measures: Names
    min_clients: Annotated[int, Field(ge=2, le=MOST_CLIENTS)]
    purpose: Text | None = None
    legal_basis: LegalBasis | None = None


class Controller(_Model):
    """Who decides on the processing, and how people reach them: ``[controller]``."""

    name: Line | None = None
    address: Line | None = None
    contact: Line | None = None
    dpo: Line | None = None
    authority: Text | None = None


class Balancing(_Model):
    """Why legitimate interests prevail: ``[balancing]``. What only the controller can say."""

    interest: Text | None = None
    necessity: Text | None = None
    impact: Text | None = None
    safeguards: Text | None = None


class Policy(_Model):
    """A policy file, exactly as written."""

    version: Annotated[int, Field(ge=1, le=1)]
    name: Annotated[str, Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*\z", max_length=64)]
    purpose: Text
    legal_basis: LegalBasis
    retention: Annotated[Duration, PlainValidator(_duration), PlainSerializer(str)]
    recipients: Annotated[tuple[Text, ...], Field(strict=False)] | None = None
    transfers: Annotated[tuple[Text, ...], Field(strict=False)] | None = None
    controller: Controller = Controller()
    balancing: Balancing = Balancing()
    input: Input = Input()
    fields: Fields
    visitor: Visitor = Visitor()
    tables: Annotated[tuple[Table, ...], Field(strict=False, alias="table")] = ()

    def grounds(self) -> frozenset[str]:
        """Return every legal basis that it names, for itself, a field or a table."""
        own = (rule.legal_basis for rule in (*self.fields.named().values(), *self.tables))
        return frozenset({self.legal_basis, *filter(None, own)})
