"""How one field is treated: a rule for each method, and which rules each field can have; and words for people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError


def line(value: str) -> str:
    """Return one line of text for people; `ValueError` for anything else."""
    if not value.strip() or not value.isprintable() or len(value) > 500:
        raise ValueError("should be one line of printable text, at most 500 characters")
    return value


def pattern(value: str) -> str:
    """Return a regular expression of RE2, which takes linear time; `ValueError` for what is none."""
    if len(value) > 500:
        raise ValueError("should have at most 500 characters")
    import pyarrow as pa  # few policies have patterns
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), value)
    except pa.ArrowInvalid:  # its words would quote the pattern
        raise ValueError("is no regular expression of RE2, which has neither look-around nor back-references") from None
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
        return Words((("", line(value)),))
    if not isinstance(value, dict) or not value or not value.keys() <= set(LANGUAGES):
        raise ValueError('should be one line of text, or one a language, such as { lv = "…", en = "…", de = "…" }')
    if not all(isinstance(text, str) for text in value.values()):
        raise ValueError("should have one line of text for each language")
    return Words(tuple((language, line(value[language])) for language in LANGUAGES if language in value))


Line = Annotated[str, AfterValidator(line)]
Text = Annotated[Words, PlainValidator(_words), PlainSerializer(Words.written)]
LegalBasis = Literal[
    "consent", "contract", "legal-obligation", "vital-interests", "public-task", "legitimate-interests"
]
"""The grounds of GDPR Art. 6(1), points a to f in this order."""


class Model(BaseModel):
    """What a policy says: frozen, unknown keys are errors, and so is a value of the wrong type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Rule(Model):
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

    country_database: Line | None = None
    asn_database: Line | None = None


class Country(Rule):
    """An address by its country, looked up in a database of MaxMind's format."""

    method: Literal["country"]
    country_database: Line


class Asn(Rule):
    """An address by the number of the network's owner, looked up in a database of MaxMind's format."""

    method: Literal["asn"]
    asn_database: Line
    country_database: Line | None = None


Name = Annotated[str, Field(pattern=r"\A[a-z][a-z0-9_]*\z", max_length=100)]


class Pseudonym(Rule):
    """A keyed replacement for records, under the day's key or one of ``[keys]``; personal data while that exists."""

    method: Literal["pseudonym"]
    key: Name | None = None


class Encrypted(Rule):
    """An address encrypted under a key of ``[keys]``, for records: who has the key reads the address."""

    method: Literal["ipcrypt-nd", "ipcrypt-ndx", "ipcrypt-deterministic", "ipcrypt-pfx", "cryptopan"]
    key: Name


class Second(Rule):
    """A time by its second, for records."""

    method: Literal["second"]


class Minute(Rule):
    """A time by its minute, for records."""

    method: Literal["minute"]


class Hour(Rule):
    """A time by its day and hour."""

    method: Literal["hour"]


class Day(Rule):
    """A time by its day."""

    method: Literal["day"]


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return values that are some, each once; `ValueError` for others."""
    if not values:
        raise ValueError("should not be empty")
    if len(set(values)) < len(values):
        raise ValueError("names something twice")
    return values


Names = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(distinct)]


Parameter = Annotated[str, Field(pattern=r"\A[^\s&;#=%+]{1,64}\z")]


class Parameters(Model):
    """The parameters of a query that stay, in this order, their values swept."""

    keep: Annotated[
        tuple[Annotated[str, Field(pattern=r"\A[^\s&;#=%+]{1,64}\z")], ...],
        Field(strict=False),
        AfterValidator(distinct),
    ]


def _query(value: Any) -> Any:
    if value == "drop":
        return None
    if value is None or isinstance(value, dict | Parameters):
        return value
    raise ValueError('should be \'drop\', or the parameters that stay, such as { keep = ["page", "utm_source"] }')


class Template(Rule):
    """A path, its variable parts replaced, with none of its query or with some parameters."""

    method: Literal["template"]
    query: Annotated[Parameters | None, BeforeValidator(_query)] = None


class Class(Rule):
    """A status by its first digit."""

    method: Literal["class"]


class Bucket(Rule):
    """A size or a duration by the largest of 0, 1, 2, 5, 10, 20, 50 … that is no larger, for records."""

    method: Literal["bucket"]


class Page(Rule):
    """A referrer by its site and the template of its path."""

    method: Literal["path"]


class Origin(Rule):
    """A referrer by its site: scheme and host."""

    method: Literal["origin"]


class Domain(Rule):
    """A referrer by its registrable domain."""

    method: Literal["domain"]


class Terms(Rule):
    """A referrer by its registrable domain and, where a search engine says it, what was searched for, swept."""

    method: Literal["terms"]


class Family(Rule):
    """A user agent by its families: browser, system, device, bot."""

    method: Literal["family"]


OWN: Final = re.compile(
    r"(?:http|sent_http|sent_trailer|cookie|env|note|arg|upstream|proxy|ssl|tls|geoip2?|tcpinfo|jwt|x|cs|sc|s|c|rs)"
    r"_[a-z0-9_]{1,80}"
    r"|scheme|hostname|pid|pipe|connection(?:_requests|_time)?|request_(?:id|completion|filename)|server_(?:addr|port)"
    r"|remote_port|gzip_ratio|limit_(?:rate|req_status|conn_status)|content_(?:length|type)|document_root|uid_(?:got|set)"
    r"|time_to_first_byte|fle_(?:status|encrypted_fields)"
)
"""Names of fields that only some servers log: headers, cookies, environment, notes; variables of nginx and fields of
W3C extended, as `schema.column` names them."""

AnyRule = (
    Drop
    | Keep
    | Truncate
    | Asn
    | Country
    | Page
    | Origin
    | Pseudonym
    | Encrypted
    | Second
    | Minute
    | Hour
    | Day
    | Template
    | Class
    | Bucket
    | Terms
    | Domain
    | Family
)

_Tagged = Field(discriminator="method")


class Fields(Model):
    """The fields a policy can name, in the order of `schema.PARSED`, and any `OWN` one. None, not named: dropped."""

    model_config = ConfigDict(extra="allow")

    time: Annotated[Second | Minute | Hour | Day | Keep | Drop, _Tagged] | None = None
    remote_addr: Annotated[Truncate | Asn | Country | Pseudonym | Encrypted | Keep | Drop, _Tagged] | None = None
    remote_user: Annotated[Pseudonym | Keep | Drop, _Tagged] | None = None
    host: Annotated[Keep | Drop, _Tagged] | None = None
    method: Annotated[Keep | Drop, _Tagged] | None = None
    path: Annotated[Template | Drop, _Tagged] | None = None
    status: Annotated[Keep | Class | Drop, _Tagged] | None = None
    bytes_sent: Annotated[Keep | Bucket | Drop, _Tagged] | None = None
    referer: Annotated[Terms | Page | Origin | Domain | Drop, _Tagged] | None = None
    user_agent: Annotated[Family | Drop, _Tagged] | None = None
    bytes_received: Annotated[Keep | Bucket | Drop, _Tagged] | None = None
    duration: Annotated[Keep | Bucket | Drop, _Tagged] | None = None
    forwarded_for: Annotated[Pseudonym | Keep | Drop, _Tagged] | None = None
    cookies: Annotated[Pseudonym | Keep | Drop, _Tagged] | None = None
    __pydantic_extra__: dict[str, Annotated[Pseudonym | Keep | Drop, _Tagged]]

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        """Refuse a name that is neither known nor `OWN`."""
        if isinstance(value, dict):
            for name in value:
                if isinstance(name, str) and name not in cls.model_fields and not OWN.fullmatch(name):
                    raise PydanticCustomError("extra_forbidden", "no such field", {"field": name})
        return value

    def named(self) -> dict[str, AnyRule]:
        """Return the rules of the fields that the policy names."""
        known = {name: rule for name in type(self).model_fields if (rule := getattr(self, name)) is not None}
        return known | (self.__pydantic_extra__ or {})


def rules_of(field: str) -> dict[str, type[Rule]]:
    """Return the rule of each method that a field can have, by method, in the order they are declared."""
    if OWN.fullmatch(field):
        field = "cookies"
    union = next(kind for kind in get_args(Fields.model_fields[field].annotation) if kind is not type(None))
    rules: tuple[type[Rule], ...] = get_args(get_args(union)[0])
    return {method: rule for rule in rules for method in get_args(rule.model_fields["method"].annotation)}
