"""Under any policy at all: what a rule drops, cuts or replaces occurs in no form in anything that a reader can get.

Tokens stand in every field, and tokens of each kind of identifier in paths and queries that are kept, each in lines of
three times k clients. Searched are OUT, what the run says of itself, the state after sealing, and, for records, every
value that a scan yields and every line that a filter prints. The control switches the protectors off and must find
them.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import logblur
from logblur.errors import LogblurError
from logblur.filtering import filter_logs
from logblur.pipeline import seal
from logblur.policy import Policy
from logblur.policy.load import encode, validate
from logblur.policy.plan import Method
from logblur.policy.resolve import resolve
from logblur.protect import addresses, door, paths, pseudonyms, queries, referrers
from tests import search
from tests.oracle import clf, utc
from tests.property.strategies import KEYED, KEYS, policies

HEADERS = ("Referer", "User-Agent", "Cookie", "X-Forwarded-For", "X-Note", "DNT")
FORMAT = '%v %h %l %u %t "%r" %>s %b ' + " ".join(f'"%{{{name}}}i"' for name in HEADERS)
NOON = utc("2026-05-17T12:00:00")
LATER = utc("2099-01-01T00:00:00")
K = 5
PEOPLE = 3 * K
QUERY = ("q", "mail", "vards", "tel", "next")

KINDS = {
    "email": "qmailvogelbeere@example.com",
    "phone": "+37126123987",
    "ip": "198.51.100.77",
    "ip6": "2001:db8:7f3a::77:1",
    "iban": "LV80BANK0000435195001",
    "card": "4539578763621486",
    "code": "161175-19997",
    "vat": "LV40003521600",
    "uuid": "3f2b8c1e-7d54-4a09-9e61-b2c4d8f0a713",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJxandqIn0.c2lnbmF0dXJlb2Zub3RoaW5n",
    "token": "8f3c01ab9d12e4f7a6b5c3d2",
    "number": "7730194",
    "own": "K-493017",
}
FIELDS = {
    "one address": "203.0.113.201",
    "user": "quserbirkenpilz",
    "ident": "qidentwaldmeister",
    "name of a query": "qnameholunder",
    "value of a query": "qvaluepreiselbeere",
    "name of a person": "qvardsozolina",
    "user of a referrer": "qrefuserschlehe",
    "subdomain of a referrer": "qrefsubberberitze",
    "path of a referrer": "qrefpathhagebutte",
    "query of a referrer": "qrefquerymispel",
    "agent": "qagentebereschen",
    "cookie": "qcookiewacholder",
    "forwarded": "203.0.113.249",
    "note": "qnotekornelkirsche",
    "method": "QMETHODHASEL",
    "protocol": "qprotocolbuche",
}
TOKENS = {**KINDS, **FIELDS}
OWN = {"customer": "K-[0-9]{6}"}


def lines() -> Iterator[str]:
    """Yield lines with every token in those of `PEOPLE` clients."""
    f = FIELDS
    agent = f"Mozilla/5.0 (X11; {f['agent']}; rv:140.0) Gecko/20100101 Firefox/140.0"
    referrer = (
        f"https://{f['user of a referrer']}@{f['subdomain of a referrer']}.example.org/{f['path of a referrer']}"
        f"/{KINDS['card']}?{f['query of a referrer']}={KINDS['email']}"
    )
    targets = [
        f"/news?{f['name of a query']}={f['value of a query']}",
        f"/found?vards={f['name of a person']}&tel=26123987",
    ]
    for value in KINDS.values():
        encoded = quote(value, safe="")
        targets += [f"/a/{encoded}/b", f"/c/{quote(encoded, safe='')}.html", f"/d?q={encoded}&mail=x%20{encoded}"]
        targets += [f"/e?next={quote(f'https://a.example/?x={value}', safe='')}"]
    for n in range(PEOPLE):
        client = f"203.{n}.113.7" if n else f["one address"]
        time = clf(NOON + timedelta(seconds=n)).decode()
        for number, target in enumerate(targets):
            method, protocol = (f["method"], f["protocol"]) if number == 0 and n % 2 else ("GET", "HTTP/1.1")
            yield (
                f'www.example.com {client} {f["ident"]} {f["user"]} [{time}] "{method} {target} {protocol}" 200 512 '
                f'"{referrer}" "{agent}" "sid={f["cookie"]}" "{f["forwarded"]}" "{f["note"]}" "{n % 2}"\n'
            )


@st.composite
def drawn(draw: st.DrawFn) -> Policy:
    """A policy with any method for any field, parameters of a query, an organisation's rules and signals."""
    document: dict[str, Any] = json.loads(encode(draw(policies())))
    document["input"] = {"format": FORMAT}
    document["identifiers"] = OWN
    fields = document["fields"]
    if fields.get("path", {}).get("method") == "template" and draw(st.booleans()):
        fields["path"]["query"] = {"keep": list(QUERY)}
    if (note := draw(st.sampled_from([None, "drop", "pseudonym"]))) is not None:
        fields["http_x_note"] = {"method": note}
    if fields.keys() - {"time"} and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(fields.keys() - {"time"})))
        document["signals"] = {"objection": {"http_dnt": ["1"]}, "fields": {name: {"method": "drop"}}}
    return validate(document)


def forbidden(policy: Policy, *, records: bool) -> dict[str, str]:
    """Return the tokens that no rule of this policy lets out."""
    tokens, methods = dict(TOKENS), resolve(policy).methods
    if methods.get("referer") in {"origin", "path"}:
        del tokens["subdomain of a referrer"]
    if methods.get("referer") == "path":
        del tokens["path of a referrer"]
    kept = {"remote_addr": "one address", "remote_user": "user", "cookies": "cookie", "forwarded_for": "forwarded"}
    for field, token in kept.items():
        if records and methods.get(field) == "keep" and field != "forwarded_for":  # an address within text goes
            del tokens[token]
    return tokens


def gained(policy: Policy, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield all that a reader can get: of OUT, of what is said, of the sealed state, of a scan."""
    log = folder / "access.log"
    log.write_text("".join(lines()))
    try:
        if resolve(policy).tables:
            summary = logblur.run(log, folder / "out", policy=policy, state=folder / "state", clock=lambda: NOON)
            assert (summary.rows, summary.late) == (summary.lines, 0)
            seal(folder / "out", state=folder / "state", clock=lambda: LATER)
            yield "summary", repr(summary).encode()
            yield from search.readable(folder / "out")
            yield from ((str(p), p.read_bytes()) for p in (folder / "state").rglob("*") if p.is_file())
        else:
            for name, column in logblur.scan(log, policy=policy).collect().to_dict().items():
                yield f"scan {name}", "\n".join(map(str, column.to_list())).encode()
            with (folder / "filtered").open("w+b") as file:
                filter_logs([str(log)], policy=policy, output=file.fileno())
            yield "filter", (folder / "filtered").read_bytes()
    except LogblurError as error:
        yield "error", "".join(traceback.format_exception(error)).encode()


def found(policy: Policy) -> set[str]:
    """Return the names of the forbidden tokens that are found all the same."""
    tokens = forbidden(policy, records=not resolve(policy).tables)
    with TemporaryDirectory() as folder:
        hits = {token for token, _, _ in search.found(tokens.values(), gained(policy, Path(folder)))}
    return {name for name, token in tokens.items() if token in hits}


@given(drawn())
@settings(max_examples=max(8, settings.get_current_profile_name() == "nightly" and 500))
def test_no_policy_lets_out_what_it_does_not_keep(policy: Policy) -> None:
    """No token of a field that is dropped, cut or replaced, and no identifier of a path or query, can be read."""
    assert found(policy) == set()


def everything(by: list[str]) -> Policy:
    """A policy that yields every text of a log that tables can have."""
    fields: dict[str, Any] = {
        "time": {"method": "day"},
        "remote_addr": {"method": "truncate", "ipv4_prefix": 16, "ipv6_prefix": 32},
        "path": {"method": "template", "query": {"keep": list(QUERY)}},
        "referer": {"method": "path"},
        "method": {"method": "keep", "reason": "a few words"},
    }
    table = {"name": "t", "where": "all", "by": by, "measures": ["requests"], "min_clients": 2}
    head = {"version": 1, "name": "all", "purpose": "x", "retention": "1 month", "legal_basis": "public-task"}
    return validate(head | {"fields": fields, "table": [table], "input": {"format": FORMAT}, "identifiers": OWN})


def plain(texts: pa.Array, *_: object, **__: object) -> pa.Array:
    """Return the texts as they are: no protection."""
    return pc.fill_null(texts, "(none)").cast(pa.string())


@pytest.mark.parametrize(
    ("by", "off", "seen"),
    [
        ("path", [(paths, "template")], {*KINDS}),
        ("path", [(queries, "swept"), (queries, "named")], {*KINDS, "name of a person"}),
        ("path", [(queries, "named")], {"name of a person"}),
        ("referrer", [(door, "pages")], {"user of a referrer", "query of a referrer", "card", "email"}),
        ("network", [(door, "networks")], {"one address"}),
    ],
)
def test_without_the_protector_the_tokens_are_found(
    by: str, off: list[tuple[Any, str]], seen: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: with protectors switched off the same search finds what they protect; with them on, nothing."""
    policy = everything([by])
    assert found(policy) == set()
    for room, name in off:
        monkeypatch.setattr(room, name, _off(name))
    # what is encoded twice in a path reads so in OUT, and the search decodes nothing
    assert seen <= found(policy) | ({"phone"} if by == "path" else set())


def _off(name: str) -> Callable[..., Any]:
    if name == "networks":
        return lambda addresses, **_: pa.array([FIELDS["one address"]] * len(addresses.family), pa.string())
    if name in {"swept", "named"}:
        return lambda texts, *_, **__: texts
    return plain


def for_records(address: dict[str, Any]) -> Policy:
    """A policy for records that treats the address so, makes a pseudonym of the user, and keeps a header."""
    user = {"method": "pseudonym", "key": "pseudonym"}
    head = {"version": 1, "name": "all", "purpose": "x", "retention": "1 month", "legal_basis": "public-task"}
    kept = {"method": "keep", "reason": "x"}
    fields = {"time": {"method": "second"}, "remote_addr": address, "remote_user": user, "http_x_note": kept}
    return validate(head | {"fields": fields, "keys": KEYS, "input": {"format": FORMAT}})


@pytest.mark.parametrize("method", addresses.ENCRYPTED)
def test_without_encryption_the_address_is_found(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: of an encrypted address nothing is found in scan and filter; without the cipher it is in both."""
    policy = for_records({"method": method, "key": KEYED[method]})
    packed = ip_address(f"::ffff:{FIELDS['one address']}").packed
    tokens = {FIELDS["one address"], packed.hex()}

    def places() -> set[str]:
        with TemporaryDirectory() as folder:
            return {place for _, _, place in search.found(tokens, gained(policy, Path(folder)))}

    assert places() == set()
    tweak = {"ipcrypt-nd": 8, "ipcrypt-ndx": 16}.get(method, 0)

    def plainly(column: pa.Array, _: bytes) -> pa.Array:
        values = [None if value is None else bytes(tweak) + value for value in column.to_pylist()]
        return pa.array(values, pa.binary(tweak + 16))

    monkeypatch.setitem(addresses.ENCRYPTED, method, plainly)  # type: ignore[arg-type]  # a dictionary
    assert places() == {"scan remote_addr", "filter"}


def test_without_a_key_the_value_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: nothing is found of values that are pseudonyms under an operator's key; without the code, they are."""
    policy = for_records({"method": "pseudonym", "key": "pseudonym"})
    tokens = {FIELDS["user"][:16], FIELDS["one address"]}  # a pseudonym has 16 bytes

    def hits() -> set[tuple[str, str]]:
        with TemporaryDirectory() as folder:
            return {(token, place) for token, _, place in search.found(tokens, gained(policy, Path(folder)))}

    assert hits() == set()
    monkeypatch.setattr(pseudonyms, "hmac_sha256", lambda *_: lambda message: message)
    assert {place for token, place in hits() if token == FIELDS["user"][:16]} == {"scan remote_user", "filter"}


def test_referrers_are_protected_where_they_are_made() -> None:
    """The room of referrers has no way past the templates: what it yields of a path is one."""
    made = referrers.pages(pa.array([f"https://a.example/{KINDS['card']}"], pa.large_string()), paths.Templates(), ())
    assert made.to_pylist() == ["https://a.example/{card}"]
