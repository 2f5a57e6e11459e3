"""Reading a policy file: what is refused, with which key, and that nothing else can happen."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from logblur.errors import PolicyError
from logblur.policy import load_policy
from logblur.policy.load import BUILT_IN, builtin_text, decode, encode, restore, validate
from logblur.policy.model import Duration
from logblur.policy.resolve import resolve
from logblur.policy.rules import Fields
from logblur.schema import PARSED

AUDIENCE = builtin_text("audience")


def refusal(toml: str) -> PolicyError:
    """Return the error that loading and resolving this text raises."""
    with pytest.raises(PolicyError) as caught:
        resolve(decode(toml.encode()))
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return caught.value


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_policies_load_and_open_with_who_they_are_for(name: str) -> None:
    """Each built-in policy loads under its own name and opens with a comment: who it is for, what remains."""
    text = builtin_text(name)
    assert load_policy(name).name == name
    assert text.startswith(f"# {name}: ")
    header = text.partition("\n\nversion")[0]
    assert "For " in header
    assert "remains" in header


def test_a_policy_is_what_the_file_says() -> None:
    """The audience policy reads back value by value, and cannot be changed."""
    policy = load_policy("audience")
    assert policy.retention == Duration(25, "month")
    assert str(policy.retention) == "25 months"
    assert policy.visitor.seal_after.span() == timedelta(days=2)
    assert policy.visitor.from_ == ("remote_addr", "user_agent")
    assert policy.input.timezone == "Europe/Riga"
    assert [table.name for table in policy.tables] == [
        "traffic", "pages", "downloads", "errors", "clients", "search_engines", "referrers", "networks", "bots",
    ]  # fmt: skip
    assert {table.min_clients for table in policy.tables} == {10}
    assert {table.measures for table in policy.tables} == {("requests", "visitors", "bytes")}
    with pytest.raises(ValidationError):
        policy.name = "other"  # type: ignore[misc]


def test_records_says_that_its_output_stays_personal_data() -> None:
    """The header of records says what its output is, and there are no tables to take it for."""
    assert "ITS OUTPUT STAYS PERSONAL DATA" in builtin_text("records").splitlines()[0]
    assert load_policy("records").tables == ()


def test_fields_stand_in_the_order_of_the_schema() -> None:
    """Fields that a policy can name are columns of the parser, in its order."""
    names = list(Fields.model_fields)
    assert names == [name for name in PARSED.names if name in names]


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("version = 1", "version = 2", "version", "less than or equal to 1"),
        ("version = 1", "version = true", "version", ""),
        ("version = 1\n", "", "version", "missing"),
        ('purpose = "audience measurement"', 'purpose = " "', "purpose", "printable"),
        ('purpose = "audience measurement"', 'purpose = "a\\u001b[2Jb"', "purpose", "printable"),
        ('"legitimate-interests"', '"because"', "legal_basis", "legitimate-interests"),
        ('"25 months"', '"25 moons"', "retention", "2 days"),
        ('"25 months"', '"0 months"', "retention", "2 days"),
        ('"25 months"', "25", "retention", "2 days"),
        ('"2 days"', '"2 months"', "visitor.seal_after", "days"),
        ('"Europe/Riga"', '"Europe/Rigaa"', "input.timezone", "time zone"),
        ('"Europe/Riga"', '"../../etc/passwd"', "input.timezone", "time zone"),
        ('"Europe/Riga"', '"Europe"', "input.timezone", "time zone"),
        ('log_timezone = "UTC"', f'log_timezone = "{"A" * 5000}"', "input.log_timezone", "time zone"),
        ("max_rejects = 0.05", "max_rejects = 1.5", "input.max_rejects", "less than or equal to 1"),
        ("max_rejects = 0.05", "max_rejects = nan", "input.max_rejects", ""),
        ("max_rejects = 0.05", "max_rejets = 0.05", "input.max_rejets", "did you mean 'max_rejects'"),
        ("version = 1", 'version = 1\n"a\\nb" = 1', '"a\\nb"', "no such key"),
        ("[visitor]", "[visitors]", "visitors", "did you mean 'visitor'"),
        ("user_agent  =", "useragent  =", "fields.useragent", "did you mean 'user_agent'"),
        ("ipv4_prefix = 16", "ipv4_prefix = 33", "fields.remote_addr.ipv4_prefix", "less than or equal to 32"),
        ("ipv4_prefix = 16, ", "", "fields.remote_addr.ipv4_prefix", "missing"),
        ("ipv4_prefix = 16", "ipv4_prefx = 16", "fields.remote_addr.ipv4_prefix", "missing"),
        ("ipv4_prefix = 16", "ipv4_prefix = 24, prefix = 9", "fields.remote_addr.prefix", "did you mean"),
        ("ipv4_prefix = 16", "ipv4_prefix = 25", "fields.remote_addr.ipv4_prefix", "reason"),
        ("ipv6_prefix = 32", "ipv6_prefix = 56", "fields.remote_addr.ipv6_prefix", "reason"),
        ('{ method = "hour" }', '{ method = "minute" }', "fields.time.method", "days and hours alone"),
        ('{ method = "hour" }', "{ }", "fields.time.method", "hour, day, keep, drop"),
        ('{ method = "hour" }', '"hour"', "fields.time", "table of keys"),
        ('query = "drop"', 'query = "keep"', "fields.path.query", "'drop'"),
        ('method = "family"', 'method = "sha256"', "fields.user_agent.method", "unkeyed hash"),
        ('"keep", reason = "our own site names"', '"keep"', "fields.host.reason", "say why"),
        ('"keep", reason = "our own site names"', '"keep", reason = ""', "fields.host.reason", "printable"),
        ('{ method = "hour" }', '{ method = "drop" }', "fields.time", "cut by day"),
        ('time        = { method = "hour" }\n', "", "fields.time", "cut by day"),
        ('from = ["remote_addr", "user_agent"]', "from = []", "visitor.from", "empty"),
        ('from = ["remote_addr", "user_agent"]', 'from = ["host"]', "visitor.from[0]", "remote_addr"),
        ('publish = "open"', 'publish = "always"', "visitor.publish", "'open' or 'sealed'"),
        ('name = "pages"', 'name = "Pages"', "table[1].name", "small letters"),
        ('name = "pages"', 'name = "../pages"', "table[1].name", "small letters"),
        ('name = "pages"', 'name = "pages\\n"', "table[1].name", "small letters"),
        ('name = "pages"', 'name = "traffic"', "table[1].name", "another table"),
        ('name = "audience"', 'name = "a/b"', "name", "letters"),
        ("min_clients = 10", "min_clients = 1", "table[0].min_clients", "(table 'traffic')"),
        ("min_clients = 10", "min_clients = 1001", "table[0].min_clients", "1000"),
        ("min_clients = 10", "min_client = 10", "table[0].min_clients", "missing"),
        ("min_clients = 10", "min_clients = 10\nmax_client_share = 0", "table[0].max_client_share", "greater than 0"),
        ("min_clients = 10", "min_clients = 10\nmax_client_share = 1.1", "table[0].max_client_share", "less than"),
        ("min_clients = 10", "min_clients = 10\nmax_client_share = 0.81", "table[0].max_client_share", "say why"),
        ("min_clients = 10", "min_clients = 10\nmax_client_share = 1", "table[0].max_client_share", "say why"),
        ('by = ["site", "path"]', "by = []", "table[1].by", "empty"),
        ('by = ["site", "path"]', 'by = ["site", "site"]', "table[1].by", "twice"),
        ('by = ["site", "path"]', 'by = ["site", "pth"]', "table[1].by", "did you mean 'path'"),
        ('by = ["site", "path"]', 'by = ["site", "client"]', "table[1].by", "one person"),
        ('by = ["site", "path"]', 'by = ["remote_addr"]', "table[1].by", "one person"),
        ('by = ["site", "path"]', 'by = ["date", "path"]', "table[1].by", "already"),
        ('where = "page"', 'where = "pages"', "table[1].where", "did you mean 'page'"),
        (
            '["requests", "visitors", "bytes"]',
            '["requests", "vistors"]',
            "table[0].measures",
            "did you mean 'visitors'",
        ),
        ('["requests", "visitors", "bytes"]', "[]", "table[0].measures", "empty"),
    ],
)
def test_errors_name_the_key(old: str, new: str, path: str, says: str) -> None:
    """A value that cannot stand is refused with the exact path of its key and a word on what to write."""
    assert old in AUDIENCE
    error = refusal(AUDIENCE.replace(old, new, 1))
    assert error.path == path
    assert str(error).startswith(f"{path}: ")
    assert says in str(error)


def test_a_reason_allows_what_can_be_defended() -> None:
    """With a reason an operator may keep more: finer networks, a raw address for records, rows of one client."""
    share = AUDIENCE.replace("min_clients = 10", 'min_clients = 10\nmax_client_share = 1\nreason = "own proxy"', 1)
    assert [t.max_client_share for t in resolve(decode(share.encode())).tables] == [1, *[0.8] * 8]
    finer = AUDIENCE.replace("ipv4_prefix = 16, ipv6_prefix = 32", 'ipv4_prefix = 28, ipv6_prefix = 56, reason = "own"')
    plan = resolve(decode(finer.encode()))
    assert (plan.ipv4_prefix, plan.ipv6_prefix) == (28, 56)
    records = builtin_text("records")
    kept = records.replace('method = "pseudonym", reason', 'method = "keep", reason')
    assert resolve(decode(kept.encode())).methods["remote_addr"] == "keep"
    without = records.replace(
        '{ method = "pseudonym", reason = "requests of one client must be seen together" }', '{ method = "keep" }'
    )
    assert refusal(without).path == "fields.remote_addr.reason"


def test_bad_toml_is_told_by_place_not_by_content() -> None:
    """A syntax error is told by line and column; the file, which may be a log by mistake, is not quoted."""
    error = refusal('version = 1\nname = "x"\n192.0.2.77 - secret [10/Oct/2020] \x01\n')
    assert "line 3, column " in str(error)
    assert "192" not in str(error)
    assert "secret" not in str(error)
    with pytest.raises(PolicyError, match="not UTF-8 text \\(line 2\\)"):
        decode(b"version = 1\nname = \xff\n")


@pytest.mark.parametrize("toml", ["a = " + "[" * 50_000, "a = " + "9" * 6000, "a = {", '"', "", "a.a = 1\na.a = 2"])
def test_hostile_toml_is_a_policy_error(toml: str) -> None:
    """Nesting, numbers and ends that defeat a TOML parser are refused like any other syntax error."""
    refusal(toml)


def test_files(tmp_path: Path) -> None:
    """A path is read as a file, a built-in name never is, and what cannot be read is a one-line error."""
    file = tmp_path / "my.toml"
    file.write_text(AUDIENCE.replace('name = "audience"', 'name = "mine"'))
    assert load_policy(file).name == load_policy(str(file)).name == "mine"
    with pytest.raises(PolicyError, match="did you mean 'audience'"):
        load_policy("audiense")
    with pytest.raises(PolicyError, match="no file"):
        load_policy(tmp_path / "audience")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path)
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy("a\0b")
    with pytest.raises(PolicyError, match="larger"):
        load_policy("/dev/zero")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every node of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(leaf for key, child in items for leaf in leaves(child, (*path, key)))]


DOCUMENT = tomllib.loads(AUDIENCE)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.binary(max_size=3)
    | st.sampled_from(["keep", "drop", "hash", "day", "time", "2 days", "page", "path", "hour", "requests", 1, 2, 10])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def said(call: Callable[[], object]) -> str:
    """Return what a PolicyError says, or that there is none; any other exception is a failure."""
    try:
        call()
    except PolicyError as error:
        return str(error)
    return "no error"


@example(path=("input", "format"), value={"time": date(2000, 1, 1)}, key="reason")
@given(path=st.sampled_from(leaves(DOCUMENT)[1:]), value=VALUES, key=st.text(max_size=8) | st.sampled_from(["reason"]))
def test_any_value_in_any_place_loads_or_is_refused(path: tuple[Any, ...], value: Any, key: str) -> None:
    """Whatever stands in whatever place, the policy resolves or is a PolicyError that says something on one line."""
    document = deepcopy(DOCUMENT)
    node = document
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    if isinstance(node, dict):
        node[key] = value
    words = said(lambda: resolve(validate(document)))
    assert words
    assert "\n" not in words


@given(st.data())
def test_any_damage_to_the_text_loads_or_is_refused(data: st.DataObject) -> None:
    """Cutting, doubling or overwriting any part of the text gives a policy or a PolicyError that says something."""
    raw = AUDIENCE.encode()
    start = data.draw(st.integers(0, len(raw)))
    stop = data.draw(st.integers(start, min(len(raw), start + 80)))
    inserts = st.sampled_from([b"", raw[start:stop] * 2, b'"', b"[", b"\xff", b"\n[[table]]\n"]) | st.binary(max_size=8)
    damaged = raw[:start] + data.draw(inserts) + raw[stop:]
    assert said(lambda: resolve(decode(damaged)))


def test_a_date_is_no_duration() -> None:
    """TOML values of other types do not slip through as text."""
    assert refusal(AUDIENCE.replace('"25 months"', str(date(2025, 1, 1)))).path == "retention"


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_stored_policy_comes_to_the_same_plan(name):
    """What is kept of a policy with an open day is made the same Plan of later."""
    policy = load_policy(name)
    assert resolve(restore(encode(policy))) == resolve(policy)
