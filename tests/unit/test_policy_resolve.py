"""From policy to Plan: what is parsed, which columns come of it, which tables cannot be made."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logblur.errors import PolicyError
from logblur.policy import load_policy
from logblur.policy.load import builtin_text, validate
from logblur.policy.model import Policy
from logblur.policy.plan import KEY_SIZE, Plan
from logblur.policy.resolve import TOLD_BY, YIELDS, resolve
from logblur.policy.rules import Fields, rules_of
from logblur.schema import KEY_TYPES, PARSED, UNIVERSES

HEAD: dict[str, object] = {
    "version": 1, "name": "test", "purpose": "test", "legal_basis": "public-task", "retention": "1 day",
}  # fmt: skip
RULES = {
    "truncate": {"method": "truncate", "ipv4_prefix": 16, "ipv6_prefix": 32},
    "keep": {"method": "keep", "reason": "test"},
} | {method: {"method": method, "key": method.replace("-", "_")} for method in KEY_SIZE if method != "pseudonym"}
HEAD["keys"] = {method.replace("-", "_"): {"env": f"KEY_{n}"} for n, method in enumerate(KEY_SIZE)}
LOOKED_UP = {"country", "asn"}  # they take a database


METHODS = {field: [m for m in rules_of(field) if m not in LOOKED_UP] for field in Fields.model_fields}


def policy(fields: dict[str, str], **tables_and_more: object) -> Policy:
    """Return a policy that treats fields so."""
    rules = {name: RULES.get(method, {"method": method}) for name, method in fields.items()}
    return validate(HEAD | {"fields": rules} | tables_and_more)


def table(where: str = "all", by: tuple[str, ...] = ("agent",), measures: tuple[str, ...] = ("requests",)) -> dict:
    """Return a table of a policy."""
    return {"name": "t", "where": where, "by": list(by), "measures": list(measures), "min_clients": 2}


def test_the_tables_of_names_are_complete() -> None:
    """Every key column says what it is made of, and every universe what it is told by."""
    assert set(YIELDS) == set(KEY_TYPES)
    assert set(TOLD_BY) == set(UNIVERSES)
    for made_of in YIELDS.values():
        assert all(set(yielding) <= set(rules_of(field)) - {"drop"} for field, yielding in made_of.items())


def test_audience() -> None:
    """The default policy reads ten columns, no user name and no whole referrer, and yields every key column."""
    plan = resolve(load_policy("audience"))
    assert plan.fields == (
        "time", "remote_addr", "host", "method", "path", "status", "bytes_sent", "referer_host", "user_agent",
        "sent_http_content_type",
    )  # fmt: skip
    assert set(plan.columns) == set(KEY_TYPES) - LOOKED_UP - {"referrer", "referrer_origin", "search_terms"}
    assert (plan.ipv4_prefix, plan.ipv6_prefix, plan.zone.key) == (16, 32, "Europe/Riga")


def test_strict() -> None:
    """The strict policy yields neither hour nor network, asks fifty clients of every row, and publishes once."""
    plan = resolve(load_policy("strict"))
    assert not {"hour", "network"} & set(plan.columns)
    assert {t.min_clients for t in plan.tables} == {50}
    assert plan.publish == "sealed"
    assert plan.methods["remote_addr"] == "drop"


@pytest.mark.parametrize(
    ("a", "b", "shared"),
    [
        (table("all", ("status",)), table("error", ("status", "path")), "status"),
        (table("error", ("path",)), table("all", ("status_class",)), "status"),
        (table("page", ("search_engine",)), table("page", ("referrer_domain",)), "referer"),
        (table("page", ("search_engine",)), table("search", ("path",)), "referer"),
        (table("page", ("site", "path")), table("page", ("path",)), "path"),
        (table("all", ("hour",)), table("bot", ("hour",)), "time"),
        (table("all", ("agent",)), table("all", ("method", "agent")), "user_agent"),
        (table("all", ("os",)), table("page", ("path",)), "user_agent"),
    ],
)
def test_overlapping_tables_of_dependent_keys_are_refused(a: dict, b: dict, shared: str) -> None:
    """Two tables of one universe, or one within the other, cannot tell the same field: the error names both."""
    fields = {"time": "hour", "host": "keep", "method": "keep", "path": "template", "status": "keep"}
    fields |= {"referer": "domain", "user_agent": "family"}
    for first, second in ((a, b), (b, a)):
        with pytest.raises(PolicyError, match=f"tables 'one' and 'two' .* both tell {shared}") as refused:
            resolve(policy(fields, table=[first | {"name": "one"}, second | {"name": "two"}]))
        assert refused.value.path == "table[1]"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (table("error", ("status",)), table("page", ("status",))),
        (table("all", ("agent", "method")), table("bot", ("bot",))),
        (table("page", ("os",)), table("page", ("referrer_domain",))),
        (table("human", ("os",)), table("page", ("path",))),
    ],
)
def test_tables_that_say_nothing_of_each_other_stand(a: dict, b: dict) -> None:
    """Tables that are apart, or whose keys come from different fields, are allowed."""
    fields = {"time": "hour", "method": "keep", "path": "template", "status": "keep", "referer": "domain"}
    plan = resolve(policy(fields | {"user_agent": "family"}, table=[a | {"name": "one"}, b | {"name": "two"}]))
    assert len(plan.tables) == 2


@given(
    fields=st.fixed_dictionaries({}, optional={name: st.sampled_from(methods) for name, methods in METHODS.items()}),
    visitor=st.lists(st.sampled_from(["remote_addr", "user_agent"]), min_size=1, unique=True),
)
def test_deny_by_default(fields: dict[str, str], visitor: list[str]) -> None:
    """For any policy columns come from named fields alone, and nothing else is parsed but what time and tokens need."""
    plan = resolve(policy(fields, visitor={"from": visitor}))
    named = {name for name, method in fields.items() if method != "drop"}
    for column in plan.columns:
        assert set(YIELDS[column]) <= named
    parsed = {"referer" if name == "referer_host" else name for name in plan.fields}
    assert named <= parsed <= named | {"time", "remote_addr"} | set(visitor)
    assert ("referer" in plan.fields) == (fields.get("referer") in {"origin", "path", "terms"})
    assert list(plan.fields) == [name for name in PARSED.names if name in plan.fields]


@given(
    fields=st.fixed_dictionaries({"time": st.sampled_from(["hour", "day"])}, optional={
        name: st.sampled_from(methods) for name, methods in METHODS.items() if name != "time"
    }),
    where=st.sampled_from(list(UNIVERSES)),
    by=st.lists(st.sampled_from(list(KEY_TYPES)), min_size=1, max_size=4, unique=True),
)  # fmt: skip
def test_a_table_is_refused_exactly_where_its_fields_do_not_yield_it(
    fields: dict[str, str], where: str, by: list[str]
) -> None:
    """A table stands if its columns are the plan's and its universe can be told; else by or where is named."""
    possible = set(resolve(policy(fields)).columns)
    told = all(fields.get(name, "drop") != "drop" for name in TOLD_BY[where])
    asked = policy(fields, table=[table(where, tuple(by))])
    if told and set(by) <= possible:
        assert resolve(asked).tables[0].by == tuple(by)
    else:
        with pytest.raises(PolicyError) as caught:
            resolve(asked)
        assert caught.value.path == ("table[0].by" if told else "table[0].where")


@pytest.mark.parametrize(
    ("fields", "asked", "path", "says"),
    [
        ({"time": "day", "user_agent": "family"}, table(by=("hour",)), "table[0].by", "fields.time with method 'hour'"),
        ({"time": "day", "status": "class"}, table(by=("status",)), "table[0].by", "the policy says 'class'"),
        ({"time": "day", "remote_addr": "pseudonym"}, table(by=("network",)), "table[0].by", "'truncate'"),
        ({"time": "day", "remote_addr": "keep"}, table(by=("network",)), "table[0].by", "'truncate'"),
        ({"time": "day", "user_agent": "family"}, table(where="page"), "table[0].where", "drops path and status"),
        ({"time": "day"}, table(where="bot", by=("site",)), "table[0].where", "drops user_agent"),
        ({"time": "day", "user_agent": "family"}, table(measures=("bytes",)), "table[0].measures", "bytes_sent"),
        ({"user_agent": "family"}, table(), "fields.time", "method 'day'"),
    ],
)
def test_what_fields_do_not_yield(fields: dict[str, str], asked: dict, path: str, says: str) -> None:
    """A table that its policy cannot fill is refused by the key at fault, with what the policy says instead."""
    with pytest.raises(PolicyError, match=says) as caught:
        resolve(policy(fields, table=[asked]))
    assert caught.value.path == path


def test_thresholds_need_addresses_whatever_a_visitor_is() -> None:
    """The address is read for the client token also where visitors are counted by user agent alone."""
    plan = resolve(policy({"time": "day"}, visitor={"from": ["user_agent"]}))
    assert plan.fields == ("time", "remote_addr", "user_agent")
    assert plan.visitor_from == ("user_agent",)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ('name = "audience"', 'name = "other"', True),
        ('purpose = "audience measurement"', 'purpose = "other"', True),
        ("max_rejects = 0.05", "max_rejects = 0.5", True),
        ('format = "auto"', 'format = "combined"', True),
        ("[fields]", '[fields]\nremote_user = { method = "drop" }', True),
        ("min_clients = 10", "min_clients = 11", False),
        ("ipv4_prefix = 16", "ipv4_prefix = 15", False),
        ('timezone = "Europe/Riga"', 'timezone = "Europe/Tallinn"', False),
        ('by = ["site", "path"]', 'by = ["path", "site"]', False),
        ('seal_after = "2 days"', 'seal_after = "3 days"', False),
        ('seal_after = "2 days"', 'seal_after = "48 hours"', True),
        ('from = ["remote_addr", "user_agent"]', 'from = ["remote_addr"]', False),
        ('publish = "open"', 'publish = "sealed"', False),
        ('site = ""', 'site = "example.com"', False),
    ],
)
def test_the_digest_is_of_what_decides_what_is_published(old: str, new: str, same: bool) -> None:
    """The digest changes with what is published, and with nothing else."""
    text = builtin_text("audience")
    assert old in text
    before, after = (resolve(validate(tomllib.loads(t))) for t in (text, text.replace(old, new, 1)))
    assert len(before.digest) == 64
    assert (before.digest == after.digest) is same


def test_the_digest_is_stable() -> None:
    """Resolving twice gives equal plans: digests can be compared between runs and machines."""
    one, two = (resolve(load_policy("audience")) for _ in range(2))
    assert one == two
    assert isinstance(one, Plan)


def test_the_format_of_the_call_wins() -> None:
    """A format given to the call replaces the policy's and nothing else."""
    said = load_policy("audience")
    assert resolve(said, format="combined") == replace(resolve(said), format="combined")
