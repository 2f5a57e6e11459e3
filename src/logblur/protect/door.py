"""The only raw -> publishable door: the one place that constructs `Protected` (an architecture test says so).

Every output column is built here from small arrays of already protected values, one for each distinct raw value, and
taken by code into fresh, compact buffers: Arrow would otherwise drag unused dictionary entries and parent buffers
along into every file, and with them what was meant to stay behind.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.growing import Grown
from logblur.jit.codes import SEEDS, gather, intern
from logblur.placeholders import NONE, UNUSUAL
from logblur.policy.plan import CAMPAIGN, Method, Plan
from logblur.policy.resolve import made_of
from logblur.policy.rules import rules_of
from logblur.protect import kernels
from logblur.protect.addresses import (
    ENCRYPTED,
    Addresses,
    address_texts,
    addresses_of,
    buffers_of,
    column_of,
    networks,
)
from logblur.protect.buckets import bucketed
from logblur.protect.clients import clients
from logblur.protect.geo import located
from logblur.protect.hosts import sites
from logblur.protect.named import Secrets
from logblur.protect.pages import written
from logblur.protect.paths import Templates
from logblur.protect.pseudonyms import pseudonyms
from logblur.protect.queries import kept_parameters, search_terms
from logblur.protect.referrers import origins, pages
from logblur.protect.signals import restricted
from logblur.protect.times import STEPS_US, LocalTimes, local_times
from logblur.protect.within import swept_of_addresses
from logblur.schema import NOBODY, PARSED, Protected, Universe

TokenKeys = Callable[[date], bytes]
"""The 16 bytes that key a day's tokens, or empty bytes for a day whose rows are to be left out."""

METHODS: Final = frozenset("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split())  # RFC 9110, RFC 5789

NUMBERS: Final = frozenset({"bytes_received", "duration"})
"""Fields of records that are numbers."""


def record_columns(plan: Plan) -> tuple[str, ...]:
    """Return the fields that a plan lets out line by line: replaced under a key, coarse, or, with a reason, kept."""
    methods = plan.methods
    said = [name for name, method in methods.items() if method in {"pseudonym", "keep", *ENCRYPTED}]
    numbers = [name for name in PARSED.names if name in NUMBERS and methods.get(name, "drop") != "drop"]
    time = ["time"] if methods.get("time") in {"second", "minute", "keep"} else []
    return (*time, *(name for name in said if "pseudonym" in rules_of(name)), *numbers)


_STATUSES: Final = range(1000)
_STATUS: Final[Mapping[str, pa.Array]] = {
    "status": pa.array([str(status) if status else NONE for status in _STATUSES]),
    "status_class": pa.array([f"{status // 100}xx" if status else NONE for status in _STATUSES]),
    "complete": pa.array([{200: "yes", 206: "part"}.get(status, NONE) for status in _STATUSES]),
}
_SOURCES: Final[Mapping[str, Universe]] = {
    "search_engine": Universe.PAGE_SEARCH,
    "social_network": Universe.PAGE_SOCIAL,
    "ai_service": Universe.PAGE_ANSWERS,
}
_KINDS: Final = pa.array(["page", "asset", "download"])


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """A column as codes into values, which may repeat; not every one need occur."""

    codes: npt.NDArray[np.signedinteger]
    values: pa.Array


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """What the columns of a batch are made of: its text columns as codes, its addresses parsed, its days with keys."""

    batch: pa.RecordBatch
    plan: Plan
    templates: Templates
    grown: Grown
    coded: Mapping[str, _Coded]
    addresses: Addresses | None
    times: LocalTimes
    keys: list[bytes]
    count: int
    restricted: npt.NDArray[np.bool_] | None
    by_campaign: npt.NDArray[np.bool_] | None
    secrets: Secrets
    status: npt.NDArray[np.int16] | None

    def has(self, name: str) -> bool:
        return name in self.batch.schema.names

    def at(self, places: npt.NDArray[np.int32], names: Collection[str]) -> _Rows:
        """Return some of the rows, for what these text columns alone tell."""
        times = self.times
        return replace(
            self,
            coded={
                name: _Coded(column.codes[places], column.values)
                for name, column in self.coded.items()
                if name in names
            },
            times=LocalTimes(times.days[places], times.hours[places], times.dates, times.numbers[places]),
            count=len(places),
            restricted=None if self.restricted is None else self.restricted[places],
            by_campaign=None,
            status=None,
        )

    def made(self, name: str, what: object, make: Callable[[pa.Array], pa.Array]) -> _Coded:
        """Return a column with each of its texts replaced by what is made of it."""
        column = self.coded[name]
        return _Coded(column.codes, self.grown.of((name, what), column.values, make))


def protect(
    batch: pa.RecordBatch,
    plan: Plan,
    token_keys: TokenKeys,
    *,
    columns: Collection[str],
    templates: Templates,
    secrets: Secrets = MappingProxyType({}),
    grown: Grown | None = None,
) -> Protected:
    """Return the rows of a classified batch as the Plan lets them be seen.

    Args:
        batch: `schema.PARSED` columns as the Plan's ``fields`` asks, with what `classify` adds.
        plan: What becomes of each field.
        token_keys: The day's key for tokens; asked once per distinct day.
        columns: The columns wanted, of the Plan's ``columns`` and, for records, of `record_columns`.
        templates: Those made before.
        secrets: The operator's keys that the columns wanted take, by name.
        grown: What this worker has made of its dictionaries so far.

    Privacy:
        Nothing of a field leaves but what a named column yields, and two 64-bit tokens under the day's key: made
        from the parsed values before ``[fields]`` acts, also where a field is dropped.

    Cost:
        Work is done once per distinct value or person, then a take per column; about 100 ns a row in all.
    """
    coded = {name: _coded(batch.column(name)) for name in batch.schema.names if _is_text(batch.schema.field(name).type)}
    times = local_times(np.asarray(batch.column("time").cast(pa.int64())), plan.zone, plan.period)
    keys = [token_keys(day) for day in times.dates]
    texts = {name: batch.column(name) for name in coded}
    client = clients(batch, plan.client)
    if client is not None:
        coded["remote_addr"] = _Coded(client.codes, client.texts)
    addresses = None if client is None else client.addresses
    marked = restricted(texts, plan.signals, batch.num_rows) if plan.signals else None
    by_campaign = _by_campaign(coded, plan, marked) if plan.follows_campaigns else None
    grown = Grown() if grown is None else grown
    count = batch.num_rows
    # 0 where there was no response
    status = np.asarray(batch.column("status").fill_null(0)) if "status" in batch.schema.names else None
    rows = _Rows(
        batch, plan, templates, grown, coded, addresses, times, keys, count, marked, by_campaign, secrets, status
    )
    tells = {name for name in columns if _tells_people(name, plan)}
    person, examples = _people(rows)
    of_people = rows.at(examples, {"remote_addr", "user_agent", *tells})
    visitors, counted = _tokens(of_people)
    if of_people.restricted is not None and plan.signals is not None and not plan.signals.visitors:
        visitors[of_people.restricted] = NOBODY
    people = pa.RecordBatch.from_pydict(
        {"date": pa.array(of_people.times.days), "visitor": pa.array(visitors), "client": pa.array(counted)}
        | {name: _column(name, of_people) for name in columns if name in tells}
    )
    nulled = {**_nulled(rows, columns), **_unlocated(people, of_people, person)}
    result = pa.RecordBatch.from_pydict(
        {"person": pa.array(person), "universe": pa.array(_universes(rows)), "bytes": _bytes(rows)}
        | {name: _column(name, rows) for name in columns if name not in tells}
    )
    left_out: dict[date, int] = {}
    if not all(keys):
        counts = np.bincount(times.numbers, minlength=len(keys)).tolist()
        left_out = {d: n for d, n, key in zip(times.dates, counts, keys, strict=True) if not key}
        kept = np.array([bool(key) for key in keys])[of_people.times.numbers]
        renamed = pa.array((np.cumsum(kept) - 1).astype(np.int32)[person])
        result = _filtered(result.set_column(0, "person", renamed), kept[person])
        people = _filtered(people, kept)
    return Protected(result, people, nulled, left_out)


def _people(rows: _Rows) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the person of each row, and a row of each: who has one address, user agent, day and set of rules."""
    codes = [rows.coded[name].codes for name in ("remote_addr", "user_agent") if name in rows.coded]
    words = codes.pop().astype(np.uint64) if codes else np.zeros(rows.count, np.uint64)
    for others in codes:  # in place: fresh memory is what this costs; unsigned, or NumPy would make floats of them
        words <<= np.uint64(32)
        words |= np.asarray(others, np.int32).view(np.uint32)
    days = rows.times.numbers.astype(np.uint64)
    if rows.restricted is not None:
        days = days << np.uint64(1) | rows.restricted
    person, distinct, _ = intern(words, days, SEEDS)
    examples = np.empty(len(distinct), np.int32)
    kernels.find_examples(person, examples)
    return person, examples


def _tells_people(name: str, plan: Plan) -> bool:
    """Return whether a column follows from the client's address and the user agent alone."""
    return name in plan.columns and made_of(name, plan.dimensions).keys() <= {"remote_addr", "user_agent"}


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind))


def _coded(column: pa.DictionaryArray) -> _Coded:
    return _Coded(np.asarray(column.indices), column.dictionary)


def _nulled(rows: _Rows, columns: Collection[str]) -> dict[str, int]:
    """Return in how many rows the value of a field could not be treated, by field.

    That is a client that is no address, whatever becomes of it: thresholds count its text. And, where a column asks
    for them, a host that can be no name, and a referrer that is none of the web.
    """
    coded, found = rows.coded, {}
    if rows.addresses is not None:
        found["remote_addr"] = _count(rows.addresses.family == 0, coded["remote_addr"])
    if "site" in columns and "host" in coded:
        found["host"] = _lost(coded["host"], rows.made("host", "site", sites))
    if "referer" in coded and {"referrer", "referrer_origin"} & set(columns):
        found["referer"] = _lost(coded["referer"], rows.made("referer", "referrer_origin", origins))
    elif "referrer_domain" in columns and "referer_host" in coded and "referrer_domain" in coded:
        found["referer"] = _lost(coded["referer_host"], coded["referrer_domain"])
    return {field: count for field, count in found.items() if count}


def _unlocated(people: pa.RecordBatch, of_people: _Rows, person: npt.NDArray[np.int32]) -> dict[str, int]:
    """Return in how many rows the client is an address of which a database says nothing, by the column it gives.

    That is no failure where the address is a private one; where it is not, the database is another one, or old.
    """
    found: dict[str, int] = {}
    if of_people.addresses is None:
        return found
    for name in sorted({"country", "asn"} & set(people.schema.names)):
        lost = of_people.addresses.family[of_people.coded["remote_addr"].codes] != 0
        lost &= np.asarray(pc.equal(people.column(name).dictionary_decode(), NONE))
        if of_people.restricted is not None and name not in of_people.plan.of_restricted().columns:
            lost &= ~of_people.restricted  # the policy asks nothing of them
        found[name] = int(np.count_nonzero(lost[person]))
    return {name: count for name, count in found.items() if count}


def _lost(before: _Coded, after: _Coded) -> int:
    """Return in how many rows a value became ``(none)``: the rows of both have the same codes."""
    return _count(np.asarray(before.values.is_valid()) & np.asarray(pc.equal(after.values, NONE)), before)


def _count(values: npt.NDArray[np.bool_], column: _Coded) -> int:
    """Return in how many rows of a column one of these of its values stands."""
    return int(np.count_nonzero(gather(values.view(np.int8), column.codes)))


def _tokens(rows: _Rows) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    count, plan = rows.count, rows.plan
    words = np.frombuffer(b"".join(k or bytes(16) for k in rows.keys), "<u8").reshape(-1, 2).astype(np.uint64)
    same = np.zeros(count, np.int32)
    if rows.addresses is None:
        high, low, family = np.zeros(1, np.uint64), np.zeros(1, np.uint64), np.zeros(1, np.uint8)
        address = same
    else:
        texts = rows.coded["remote_addr"]
        address, family = texts.codes, rows.addresses.family
        # what is no address is told apart by a digest of its bytes, which only ever stands under the day's key
        none, high, low = family == 0, rows.addresses.high.copy(), rows.addresses.low.copy()
        strange = texts.values.filter(pa.array(none))
        high[none], low[none] = _digests(strange, 1), _digests(strange, 2)
    if "user_agent" in rows.coded and "user_agent" in plan.visitor_from:
        agent, agents = rows.coded["user_agent"].codes, _digests(rows.coded["user_agent"].values, 3)
    else:
        agent, agents = same, np.zeros(1, np.uint64)
    visitors, counted = np.empty(count, np.uint64), np.empty(count, np.uint64)
    by_address = "remote_addr" in plan.visitor_from
    kernels.tokens(rows.times.numbers, words, address, high, low, family, agent, agents, by_address, visitors, counted)
    return visitors, counted


def _digests(texts: pa.Array, number: int) -> npt.NDArray[np.uint64]:
    """Return a 64-bit digest of each text: SipHash under a public key, an input of the keyed token alone.

    Nothing is one value, whether the log says ``-`` or leaves the field empty; under a null may lie either.
    """
    data, limits, valid = buffers_of(texts)
    out = np.empty(len(texts), np.uint64)
    kernels.siphash(data, limits, len(texts), np.uint64(number), np.uint64(0), out)
    out[~valid] = 0
    return out


def _by_campaign(
    coded: Mapping[str, _Coded], plan: Plan, marked: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_] | None:
    """Return the rows whose source `CAMPAIGN` tells: it names one, and the referrer neither does nor is the site."""
    if f"{CAMPAIGN}_search_engine" not in coded:
        return None

    told = np.logical_or.reduce([_names_one(coded[f"{CAMPAIGN}_{source}"]) for source in _SOURCES])
    if "referrer_domain" in coded:
        told &= ~np.logical_or.reduce([_names_one(coded[source]) for source in _SOURCES])
        domains, own = coded["referrer_domain"], coded["own_domain"]
        places = np.asarray(pc.fill_null(pc.index_in(domains.values, own.values), -1))
        numbers = np.asarray(pc.index_in(own.values, own.values))
        told &= ~(_names_one(domains) & (places[domains.codes] == numbers[own.codes]))
    if marked is not None and plan.signals is not None and CAMPAIGN not in plan.signals.query:
        told &= ~marked
    return np.asarray(told)


def _names_one(column: _Coded) -> npt.NDArray[np.bool_]:
    """Return in which rows a column says something."""
    says: npt.NDArray[np.bool_] = np.asarray(pc.not_equal(column.values, NONE))
    return np.asarray(says[column.codes])


def _universes(rows: _Rows) -> npt.NDArray[np.int8]:
    count, coded = rows.count, rows.coded
    same, out = np.zeros(count, np.int32), np.empty(count, np.int8)

    def codes(name: str) -> npt.NDArray[np.int32]:
        return coded[name].codes if name in coded else same

    def values(name: str, missing: str) -> pa.Array:
        return coded[name].values if name in coded else pa.array([missing])

    bots = np.asarray(pc.equal(values("agent", "human"), "bot"))
    kinds = np.asarray(pc.index_in(values("file_kind", "page"), _KINDS)).astype(np.int8)
    referrers = values("referrer_domain", NONE)
    origins = np.zeros(len(referrers), np.int8)
    for number, name in enumerate(("search_engine", "social_network", "ai_service"), 1):
        origins[np.asarray(pc.not_equal(values(name, NONE), NONE))] = number
    both = pa.concat_arrays([referrers, values("own_domain", NONE)]).dictionary_encode()
    numbers = np.where(np.asarray(pc.equal(both.dictionary, NONE)), -1, np.arange(len(both.dictionary)))
    domains, own = np.split(numbers[np.asarray(both.indices)], [len(referrers)])
    status = np.zeros(count, np.int16) if rows.status is None else rows.status
    kernels.universes(
        codes("agent"), bots, status, codes("file_kind"), kinds,
        codes("referrer_domain"), origins, domains, codes("own_domain"), own, out,
    )  # fmt: skip
    if rows.by_campaign is not None:
        pages = rows.by_campaign & (out >= Universe.PAGE)
        for source, universe in _SOURCES.items():
            out[pages & _names_one(coded[f"{CAMPAIGN}_{source}"])] = universe
    return out


def _bytes(rows: _Rows) -> pa.Array:
    if not rows.has("bytes_sent"):
        return pa.array(np.zeros(rows.count, np.int64))
    return pa.array(np.maximum(_numbers("bytes_sent", rows), 0))


def _numbers(name: str, rows: _Rows) -> npt.NDArray[np.int64]:
    """Return a number of each row as the Plan lets it be seen; -1 where there is none, or it is dropped."""
    raw = np.asarray(rows.batch.column(name).fill_null(-1))
    always = _coarse(raw, rows.plan.methods.get(name, "drop"))
    if rows.restricted is None:
        return always
    return np.where(rows.restricted, _coarse(raw, rows.plan.of_restricted().methods.get(name, "drop")), always)


def _coarse(values: npt.NDArray[np.int64], method: str) -> npt.NDArray[np.int64]:
    return bucketed(values) if method == "bucket" else values if method == "keep" else np.full_like(values, -1)


def _times(rows: _Rows) -> pa.Array:
    """Return the time of each row in the policy's zone, at the start of the second or minute that it is in."""
    step = STEPS_US.get(rows.plan.methods["time"], 1)
    times = np.asarray(rows.batch.column("time").cast(pa.int64()))
    return pa.array(times // step * step, pa.timestamp("us", rows.plan.zone.key))


def _column(name: str, rows: _Rows) -> pa.Array:
    """Return a column in fresh buffers; what the log's format does not hold is ``(none)``."""
    if name not in rows.plan.columns and name not in record_columns(rows.plan):
        raise ValueError("the Plan yields no such column")
    if name == "hour":
        return pa.array(rows.times.hours)
    if name == "time":
        return _times(rows)
    if name in NUMBERS:
        if not rows.has(name):
            return pa.nulls(rows.count, pa.int64())
        numbers = _numbers(name, rows)
        return pa.array(numbers, mask=numbers < 0)
    always = _values(name, rows, rows.plan)
    if rows.restricted is None or not rows.restricted.any():
        return _rebuilt(always)
    less = _values(name, rows, rows.plan.of_restricted())
    codes = np.where(rows.restricted, less.codes.astype(np.int64) + len(always.values), always.codes)
    values = pa.concat_arrays([always.values.cast(pa.string()), less.values.cast(pa.string())])
    return _rebuilt(_Coded(codes, values))


def _values(name: str, rows: _Rows, plan: Plan) -> _Coded:
    """Return a column as a Plan lets it be seen; ``(none)`` where it does not."""
    coded, own = rows.coded, plan.identifiers
    if name in record_columns(plan):
        return _identifier(name, rows, plan)
    if name not in plan.columns:
        return _constant(NONE, rows)
    if name in _STATUS and rows.status is not None:
        return _Coded(rows.status, _STATUS[name])
    if name == "network" and rows.addresses is not None:
        found = networks(rows.addresses, ipv4_prefix=plan.ipv4_prefix, ipv6_prefix=plan.ipv6_prefix)
        return _Coded(coded["remote_addr"].codes, found)
    if name in {"country", "asn"} and rows.addresses is not None:
        database = next(database for database in plan.databases if database.column == name)
        return _Coded(coded["remote_addr"].codes, located(rows.addresses, database))
    if name == "referrer" and "referer" in coded:
        return rows.made("referer", (name, own), lambda texts: pages(texts, rows.templates, own))
    if name == "referrer_origin" and "referer" in coded:
        return rows.made("referer", name, origins)
    if name == "path" and "path" in coded:
        return _paths(rows, plan)
    if name == "search_terms" and "searched" in coded:
        return rows.made("searched", own, lambda texts: search_terms(texts, own))
    if name == "site":
        return rows.made("host", name, sites) if "host" in coded else _constant(plan.site or NONE, rows)
    if name == "method" and "method" in coded:
        return rows.made("method", name, _methods)
    if name in _SOURCES and rows.by_campaign is not None and rows.by_campaign.any():
        by_referrer = coded[name] if name in coded else _constant(NONE, rows)
        by_campaign = coded[f"{CAMPAIGN}_{name}"]
        codes = np.where(rows.by_campaign, by_campaign.codes + len(by_referrer.values), by_referrer.codes)
        return _Coded(codes, pa.concat_arrays([by_referrer.values, by_campaign.values]))
    if name in coded and name not in PARSED.names:  # made by classify, of values that are publishable
        return coded[name]
    return _constant("human" if name == "agent" else NONE, rows)


def _methods(methods: pa.Array) -> pa.Array:
    known = [NONE if v is None else v if v in METHODS else UNUSUAL for v in methods.to_pylist()]
    return pa.array(known, pa.string())


def _paths(rows: _Rows, plan: Plan) -> _Coded:
    """Return the templates of paths, each with the parameters that stay.

    A `CAMPAIGN` that names a source is told in the columns of sources and not here: two tables of which one counts by
    the path and one by the source could else be subtracted.
    """
    own = plan.identifiers
    path = rows.made("path", (own, plan.pages), lambda texts: written(rows.templates.of(texts, own), plan.pages))
    if not plan.query or "query" not in rows.coded:
        return path

    def keep(parameters: tuple[str, ...]) -> _Coded:
        return rows.made("query", (own, parameters), lambda texts: kept_parameters(texts, parameters, own))

    queries = keep(plan.query)
    kept = queries.values
    if f"{CAMPAIGN}_search_engine" in rows.coded:
        others = keep(tuple(parameter for parameter in plan.query if parameter != CAMPAIGN))
        named = [pc.not_equal(rows.coded[f"{CAMPAIGN}_{source}"].values, NONE) for source in _SOURCES]
        kept = pc.if_else(functools.reduce(pc.or_, named), others.values, kept)
    kept = kept.dictionary_encode()
    query = np.asarray(kept.indices)[queries.codes]
    pairs, codes = np.unique(path.codes.astype(np.int64) * len(kept.dictionary) + query, return_inverse=True)
    of, asked = np.divmod(pairs, len(kept.dictionary))
    paths, asks = path.values.take(pa.array(of)), kept.dictionary.cast(pa.string()).take(pa.array(asked))
    return _Coded(codes, pc.if_else(pc.equal(asks, ""), paths, pc.binary_join_element_wise(paths, asks, "?")))


def _identifier(name: str, rows: _Rows, plan: Plan) -> _Coded:
    """Return a field of records as the policy lets it out; in text that is kept no address stays."""
    if name not in rows.coded:
        return _constant(NONE, rows)
    column = rows.coded[name]
    if plan.methods[name] == "keep":
        texts = column.values if name == "remote_addr" else swept_of_addresses(column.values, plan, rows.secrets)
        kept = [NONE if v is None else re.sub(r"^\(", "%28", v) for v in texts.to_pylist()]
        return _Coded(column.codes, pa.array(kept, pa.string()))
    days, keys = rows.times.numbers, rows.keys
    if name in plan.keys:
        days, keys = np.zeros_like(days), [rows.secrets[plan.keys[name].name]]
    if (method := plan.methods[name]) in ENCRYPTED:
        return _encrypted(rows.addresses, column.codes, method, keys[0]) if rows.addresses else _constant(NONE, rows)
    if name == "remote_addr" and rows.addresses is not None:
        found = rows.addresses
        halves = zip(found.high.tolist(), found.low.tolist(), found.family.tolist(), strict=True)
        values = [(h << 64 | x).to_bytes(16, "big") if family else None for h, x, family in halves]
    else:
        values = [None if v is None else v.encode() for v in column.values.to_pylist()]
    return _Coded(*pseudonyms(values, column.codes, days, keys, field=name))


def _encrypted(found: Addresses, codes: npt.NDArray[np.signedinteger], method: Method, key: bytes) -> _Coded:
    """Return each row's address encrypted: an address again, or the hex digits of what is longer."""
    encrypt, addresses = ENCRYPTED[method], column_of(found)
    if method not in {"ipcrypt-nd", "ipcrypt-ndx"}:
        return _Coded(codes, pa.array(address_texts(addresses_of(encrypt(addresses, key))), pa.string()))
    made = encrypt(addresses.take(pa.array(codes)), key).to_pylist()  # each row with a tweak of its own
    texts = [NONE if value is None else value.hex() for value in made]
    return _Coded(np.arange(len(texts)), pa.array(texts, pa.string()))


def _constant(text: str, rows: _Rows) -> _Coded:
    return _Coded(np.zeros(rows.count, np.int32), pa.array([text], pa.string()))


def _rebuilt(column: _Coded) -> pa.DictionaryArray:
    """Return the column with the distinct values that occur, and no other, in fresh buffers."""
    values, codes = column.values.cast(pa.string()), column.codes.astype(np.int32, copy=False)
    used = np.zeros(len(values), np.bool_)
    kernels.mark(codes, used)
    distinct = values.filter(pa.array(used)).dictionary_encode()
    # the narrowest codes that do: fresh memory is what these columns cost
    new = np.zeros(len(values), np.min_scalar_type(-max(len(distinct.dictionary), 1)))
    new[used] = np.asarray(distinct.indices)
    return pa.DictionaryArray.from_arrays(pa.array(gather(new, codes)), _copied(distinct.dictionary), safe=False)


def _copied(texts: pa.Array) -> pa.Array:
    return texts.take(pa.array(np.arange(len(texts))))


def _filtered(batch: pa.RecordBatch, kept: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """Return the kept rows, each column built anew."""
    rows = np.flatnonzero(kept)
    columns: list[Any] = []
    for column in batch.columns:
        if _is_text(column.type):
            columns.append(_rebuilt(_Coded(np.asarray(column.indices)[rows], column.dictionary)))
        else:
            columns.append(pa.array(np.asarray(column)[rows]))
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
