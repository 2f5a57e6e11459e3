"""What `filter` prints: the same lines in the same format, and nothing that the policy does not let out."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logblur.classify import Memory
from logblur.errors import PolicyError
from logblur.filtering.keys import Keyring
from logblur.filtering.lines import Filter
from logblur.filtering.printing import is_lost
from logblur.formats import resolve_format
from logblur.formats.named import NAMED
from logblur.parse import parse
from logblur.policy import load_policy
from logblur.policy.load import decode
from logblur.policy.plan import KEY_SIZE
from logblur.policy.resolve import resolve
from logblur.protect import addresses, printing_kernels
from logblur.protect.lines import speakers
from logblur.protect.queries import kept_parameters
from logblur.protect.within import swept_of_addresses
from logblur.schema import PARSED, Block
from tests import search

from .strategies import FORMATS, KEYS, SECRETS, logs, policies
from .test_leaks import TOKENS
from .test_leaks import lines as planted

LATEST = 1_800_000_000_000_000
ROUNDED = {"time", "remote_addr", "remote_user", "path", "query", "protocol", "referer", "referer_host", "user_agent"}
PROXIED = """
version = 1
name = "proxied"
purpose = "x"
legal_basis = "contract"
retention = "1 month"
[input]
client_address = { field = "forwarded_for", trusted_proxies = ["10.0.0.0/8"] }
[fields]
time = { method = "keep", reason = "x" }
remote_addr = { method = "truncate", ipv4_prefix = 24, ipv6_prefix = 48 }
"""


def format_of(name):
    """A format by itself: lines of its alternatives are rows behind the others, so rows have no line's order."""
    return replace(resolve_format(name), alternatives=())


def block_of(lines):
    """Lines as the reader hands them out."""
    return Block.of(b"".join(line + b"\n" for line in lines))


def by_both(lines, form, plan):
    """What the fast and the slow engine print, each with the one that reads a format's alternatives behind it."""
    one = Filter(form, plan, Keyring(SECRETS), rejects="drop", latest_us=LATEST)
    slow = b"".join(one.lines(b"".join(line + b"\n" for line in lines)))
    return b"".join(bytes(part) for part in one.block({}, block_of(lines), b"")), slow


def rows_of(text, form):
    """The rows that a parser reads, as plain values, and how many lines it refuses."""
    parsed = parse([Block.of(text)], form, PARSED.names, latest_us=LATEST)
    return parsed.batch.to_pylist(), len(parsed.reject_offsets)


QUERIES = st.sampled_from([(), ("d", "b")])


def printable(policy, form, query, without=()):
    """The plan, with another method where a line cannot print one, or the test cannot use it."""
    plan = resolve(policy)
    plan = replace(plan, query=query if plan.methods.get("path") == "template" else ())
    methods = {name: "drop" if method in without else method for name, method in plan.methods.items()}
    if methods.get("remote_addr") in {"ipcrypt-nd", "ipcrypt-ndx"}:  # another each time
        methods["remote_addr"] = "ipcrypt-pfx"
        plan = replace(plan, keys={"remote_addr": replace(plan.keys["remote_addr"], name="ipcrypt_pfx")})
    while True:
        plan = replace(plan, methods=methods)
        try:
            speakers(form.columns, plan, Memory, SECRETS)
        except PolicyError as error:
            name = error.path.rpartition(".")[2]
            methods[name] = "hour" if name == "time" else "drop"
        else:
            return plan


@given(name=FORMATS, policy=policies(), query=QUERIES, data=st.data())
def test_both_engines_print_the_same(name, policy, query, data):
    """For any lines and any policy that lines can print, kernels and reference print the same bytes."""
    form = format_of(name)
    plan = printable(policy, form, query)
    fast, slow = by_both(data.draw(logs(name)), form, plan)
    assert fast == slow


@given(name=FORMATS, policy=policies(), query=QUERIES, data=st.data())
def test_both_engines_count_the_same(name, policy, query, data):
    """In as many lines nothing can be said of a field by kernels as by reference, and it is one that is kept."""
    form = format_of(name)
    plan = printable(policy, form, query)
    lines = data.draw(logs(name))
    slow, fast = (Filter(form, plan, Keyring(SECRETS), rejects="drop", latest_us=LATEST) for _ in range(2))
    slow.lines(b"".join(line + b"\n" for line in lines))
    fast.block({}, block_of(lines), b"")
    assert fast.tally.nulled == slow.tally.nulled
    assert all(0 < count <= len(lines) for count in fast.tally.nulled.values())
    assert all(plan.methods.get(field, "drop") != "drop" or field == "query" for field in fast.tally.nulled)


def test_an_address_that_has_no_room_is_counted():
    """Where a port follows without brackets, IPv6 prints nothing; where the client is no address too."""
    form = resolve_format('$remote_addr:$remote_port [$time_local] "$request" $status $body_bytes_sent')
    plan = resolve(decode(PROXIED.replace('"forwarded_for"', '"remote_addr"').encode()))
    line = b'%b:4711 [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5\n'
    text = b"".join(line % address for address in (b"192.0.2.7", b"2001:db8::7", b"unix", b"192.0.2.8"))
    slow, fast = (Filter(form, plan, Keyring({}), rejects="drop", latest_us=LATEST) for _ in range(2))
    printed = b"".join(slow.lines(text))
    assert printed == b"".join(bytes(part) for part in fast.block({}, Block.of(text), b""))
    assert [one[:9] for one in printed.split(b"\n")] == [b"192.0.2.0", b"-:- [17/M", b"-:- [17/M", b"192.0.2.0", b""]
    assert slow.tally.nulled == fast.tally.nulled == {"remote_addr": 2}


@pytest.mark.parametrize(
    ("name", "said", "printed", "there", "lost"),
    [
        ("host", None, b"-", True, True), ("host", None, b"", True, True), ("host", None, b"-", False, False),
        ("referer", None, b"-", True, True), ("user_agent", None, b"-", True, False), ("query", "", b"", True, False),
        ("path", "/a b", b"/-", True, True), ("path", "/-", b"/-", True, False), ("cookies", "-", b"-", True, False),
        ("http_x_note", 'say "hi"', b"-", True, True), ("host", "example.org", b"http://example.org", True, False),
    ],
)  # fmt: skip
def test_what_is_lost_is_told_from_what_was_never_there(name, said, printed, there, lost):
    """Nothing stands for a text that was there: its method has no word for it, or its field no room."""
    assert is_lost(name, said, printed, there=there) == lost


@pytest.mark.parametrize(("method", "digits"), [("ipcrypt-nd", 48), ("ipcrypt-ndx", 64)])
@given(name=FORMATS, data=st.data())
@settings(max_examples=20)
def test_both_engines_encrypt_the_same_addresses(method, digits, name, data):
    """Where each line has a tweak of its own, what both print decrypts to the same lines; no two results are equal."""
    form, key = format_of(name), method.replace("-", "_")
    address = (
        f'{{ method = "{method}", key = "{key}", reason = "x" }}\n[keys]\n{key} = {{ env = "{KEYS[key]["env"]}" }}'
    )
    kept = '{ method = "truncate", ipv4_prefix = 24, ipv6_prefix = 48 }'
    plan = resolve(decode(PROXIED.replace(kept, address).replace('"forwarded_for"', '"remote_addr"').encode()))
    printed = by_both(data.draw(logs(name)), form, plan)
    made = [value for text in printed for value in re.findall(rb"\b[0-9a-f]{%d}\b" % digits, text)]
    assert len(set(made)) == len(made)

    def decrypted(found):
        column = pa.array([bytes.fromhex(found[0].decode())], pa.binary(digits // 2))
        return getattr(addresses, f"{key}_decrypt")(column, SECRETS[key])[0].as_py()

    fast, slow = (re.sub(rb"\b[0-9a-f]{%d}\b" % digits, decrypted, text) for text in printed)
    assert fast == slow


@given(name=FORMATS, policy=policies(), query=QUERIES, data=st.data())
def test_what_is_printed_is_read_again(name, policy, query, data):
    """Each line that fits gives one line that fits the same format, with equal values where the policy keeps them."""
    form = format_of(name)
    plan = printable(policy, form, query)
    lines = data.draw(logs(name))
    before, _ = rows_of(block_of(lines).data.tobytes(), form)
    after, rejects = rows_of(by_both(lines, form, plan)[0], form)
    assert rejects == 0
    assert len(after) == len(before)
    for old, new in zip(before, after, strict=True):
        for column, value in old.items():
            method = plan.methods.get(column, "drop")
            if column == "protocol":
                assert new[column] in {None, value, "HTTP/1.0"}
            elif column == "query" and plan.query:
                said = kept_parameters(pa.array([value], pa.large_string()), query)[0].as_py()
                assert (new[column] or "").replace("%20", " ") in {said, ""}
                assert new[column] or not said or not said.isascii()
            elif column == "method" and method == "drop":
                assert new[column] in {None, value and "NONE"}
            elif method == "drop" and column not in {"referer_host", "remote_addr"}:
                assert new[column] is None
            elif method == "keep" and isinstance(value, str) and column not in {"host", "method", "remote_addr"}:
                swept = swept_of_addresses(pa.array([value], pa.large_string()), plan, SECRETS)
                assert new[column] == (swept[0].as_py() or None)
            elif method == "keep" and column not in {"host", "method"}:
                assert new[column] == value
            elif method in {"hour", "day"}:
                local = value.astimezone(plan.zone)
                assert new[column].astimezone(plan.zone) == local.replace(
                    hour=local.hour if method == "hour" else 0, minute=0, second=0, microsecond=0
                )
            elif method == "class":
                assert (new[column] or 0) // 100 == (value or 0) // 100


@given(data=st.data(), policy=policies(), query=QUERIES)
def test_lines_of_alternatives_are_printed_as_such(data, policy, query):
    """Each line of a format that has several shapes is printed in its own, and read again."""
    form = resolve_format("confluence")
    assert form.alternatives
    plan = printable(policy, form, query)
    user = b"anna GET-1 192.0.2.7 GET / HTTP/1.1 200 5ms 7 - -"
    shapes = st.sampled_from(
        [b"[17/May/2026:10:05:03 +0000] 192.0.2.9 " + user, b"[17/May/2026:10:05:03 +0000] " + user]
    )
    lines = data.draw(st.lists(shapes, max_size=6))
    fast, slow = by_both(lines, form, plan)
    assert fast == slow
    parsed, rejects = rows_of(fast, form)
    assert (len(parsed), rejects) == (len(lines), 0)


@pytest.mark.parametrize("client", [b'"\0 "', b'""', b'"a b"', b"192.0.2.8"])
def test_a_kept_client_within_quotes_is_one_field(client):
    """What is no address and holds a blank stays within its quotes, and one that is empty is a dash."""
    form = resolve_format("iis_w3c")
    plan = resolve(decode(PROXIED.replace(PROXIED[PROXIED.index("[input]") : PROXIED.index("[fields]")], "").replace(
        '"truncate", ipv4_prefix = 24, ipv6_prefix = 48', '"keep", reason = "x"'
    ).encode()))  # fmt: skip
    line = b"2026-05-17 10:05:03 - GET / - - - %b - - 200 - - 5" % client
    fast, slow = by_both([line], form, plan)
    assert fast == slow
    (before,), (after,) = (rows_of(text, form)[0] for text in (line + b"\n", fast))
    assert after["remote_addr"] == before["remote_addr"]


@given(name=FORMATS, policy=policies(), query=QUERIES, data=st.data())
def test_printing_twice_changes_nothing_more(name, policy, query, data):
    """What was truncated, templated or cut to families' text stays as it is when it is filtered again."""
    form = format_of(name)
    plan = printable(policy, form, query, without={*KEY_SIZE, "family"})
    once = by_both(data.draw(logs(name)), form, plan)[0]
    assert by_both(once.split(b"\n")[:-1], form, plan)[0] == once


SIGNALS = """
version = 1
name = "signals"
purpose = "x"
legal_basis = "contract"
retention = "1 month"
[fields]
time = { method = "minute" }
remote_addr = { method = "truncate", ipv4_prefix = 24, ipv6_prefix = 48 }
method = { method = "keep", reason = "x" }
path = { method = "template", query = { keep = ["b"] } }
status = { method = "keep", reason = "x" }
user_agent = { method = "family", legal_basis = "consent" }
[signals]
consent = { cookie_choice = ["yes*"] }
objection = { http_sec_gpc = ["1"] }
[signals.fields]
remote_addr = { method = "drop" }
"""


@given(
    cookies=st.lists(
        st.sampled_from([b"-", b"choice=yes", b"a=b; choice=yes1", b"choice=no", b'choice=\\"yes']), max_size=9
    ),
    gpc=st.sampled_from([b"1", b"-", b"0"]),
)
def test_restricted_requests_go_through_the_stricter_rules(cookies, gpc):
    """Each line is what its own rules alone make of it, the others' beside it; both engines agree."""
    form = resolve_format('%h %l %u %t "%r" %>s %b "%{User-Agent}i" "%{Cookie}i" "%{Sec-GPC}i"')
    plan = resolve(decode(SIGNALS.encode()))
    line = b'192.0.2.%d - - [17/May/2026:10:05:03 +0000] "GET /a?b=%d&c=d HTTP/1.1" 200 5 "curl/8.0" "%b" "%b"'
    lines = [line % (n, n, cookie, gpc) for n, cookie in enumerate(cookies)]
    fast, slow = by_both(lines, form, plan)
    assert fast == slow
    always, stricter = (
        by_both(lines, form, replace(one, signals=None))[0].split(b"\n") for one in (plan, plan.of_restricted())
    )
    restricted = [gpc == b"1" or cookie not in {b"choice=yes", b"a=b; choice=yes1"} for cookie in cookies]
    wanted = [(stricter if less else always)[n] for n, less in enumerate(restricted)]
    assert fast.split(b"\n")[:-1] == wanted
    assert all((b"192.0.2.0" in one) != less for one, less in zip(wanted, restricted, strict=True))
    assert all((b"curl" in one) != less for one, less in zip(wanted, restricted, strict=True))


def test_lines_are_as_long_as_the_policy_lets_them_be():
    """`max_line_bytes` of the policy decides, for both engines, and whoever waits for the end of a line."""
    form = resolve_format("combined")
    for longest in (1024, 1 << 18):
        plan = replace(resolve(load_policy("audience")), max_line_bytes=longest)
        start, end = b'192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET /', b' HTTP/1.1" 200 5 "-" "x"'
        fits = start + b"x" * (longest - len(start) - len(end)) + end
        for text in by_both([fits, start + b"y" + fits[len(start) :]], form, plan):
            assert text.count(b"\n") == 1


PEERS = [b"10.0.0.1", b"192.0.2.9:4711", b"-", b"2001:db8:1::5", b"[2001:db8::1]:80"]


@given(
    peers=st.lists(
        st.sampled_from([b"10.0.0.1", b"192.0.2.9:4711", b"-", b"2001:db8:1::5", b"[2001:db8::1]:80"]), max_size=6
    ),
    hops=st.sampled_from([b"203.0.113.77:99, 10.9.9.9", b"-", b"unknown", b"x, 2001:db8:5:6::7", b"10.0.0.3"]),
)
def test_clients_behind_proxies_are_printed_by_both(peers, hops):
    """The client that proxies vouch for stands in the place of the address, and of the list."""
    form = resolve_format('%h %l %u %t "%r" %>s %b "%{X-Forwarded-For}i"')
    lines = [b'%b - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "%b"' % (peer, hops) for peer in peers]
    fast, slow = by_both(lines, form, resolve(decode(PROXIED.encode())))
    assert fast == slow
    assert b"203.0.113.77" not in fast
    assert b"4711" not in fast


def test_no_planted_token_is_printed():
    """Tokens in fields that the built-in policies drop, cut or replace are in no spelling in what is printed."""
    form = resolve_format("vhost_combined")
    for policy in ("audience", "strict", "records"):
        text, slow = by_both([line.rstrip(b"\n") for line in planted(TOKENS)], form, resolve(load_policy(policy)))
        assert text.count(b"\n") > 500
        assert search.found(TOKENS.values(), [("fast", text), ("slow", slow)]) == set()


def test_the_search_above_can_fail():
    """The control: a policy that keeps the user prints the token that stands there, and the search finds it."""
    form = resolve_format("vhost_combined")
    keeps = PROXIED.replace("[fields]", '[fields]\nremote_user = { method = "keep", reason = "x" }').replace(
        'client_address = { field = "forwarded_for", trusted_proxies = ["10.0.0.0/8"] }', ""
    )
    text, _ = by_both([line.rstrip(b"\n") for line in planted(TOKENS)], form, resolve(decode(keeps.encode())))
    assert {token for token, _, _ in search.found(TOKENS.values(), [("line", text)])} == {TOKENS["user"]}


REJECTS = [
    b"203.0.113.9 junk", b"[client 203.0.113.9:4711] AH01", b"x=203.0.113.9", b"v203.0.113.9z", b"::ffff:203.0.113.9 x",
    b"anna.quittenbaum@example.org wrote", b"mail=anna.quittenbaum%40example.org", b"<anna.quittenbaum@example.org>",
    b"2001:db8::77:9 refused", b"[2001:db8::77:9]:443", b"fe80::77:9%eth0: x", b"\xff203.0.113.9\xfe",
]  # fmt: skip


@pytest.mark.parametrize("rejects", ["drop", "sweep"])
@given(data=st.data())
def test_lines_that_do_not_fit_never_pass(rejects, data):
    """They are dropped, or swept of addresses and e-mail addresses in their place, by both engines."""
    good = b'192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x"'
    lines = data.draw(st.lists(st.sampled_from([good, *REJECTS]), max_size=8))
    one = Filter(
        resolve_format("combined"), resolve(load_policy("audience")), Keyring({}), rejects=rejects, latest_us=LATEST
    )
    slow = b"".join(one.lines(b"".join(line + b"\n" for line in lines)))
    fast = b"".join(bytes(part) for part in one.block({}, block_of(lines), b""))
    assert fast == slow
    for secret in (b"203.0.113.9", b"quittenbaum", b"77:9", b"eth0"):
        assert secret not in fast
    kept = len(lines) if rejects == "sweep" else lines.count(good)
    assert fast.count(b"\n") == kept
    assert one.tally.lines == 2 * len(lines)


@given(values=st.lists(st.ip_addresses() | st.none(), max_size=30))
def test_addresses_are_printed_as_the_standard_library_prints_them(values):
    """The kernel's text of an address is Python's; none is a dash."""
    numbers = [0 if v is None else int(v) + (0xFFFF << 32 if v.version == 4 else 0) for v in values]
    family = np.array([0 if v is None else v.version for v in values], np.uint8)
    family[[n >> 32 == 0xFFFF and f == 6 for n, f in zip(numbers, family, strict=True)]] = 4
    high, low = (np.array([n >> shift & (1 << 64) - 1 for n in numbers], np.uint64) for shift in (64, 0))
    nothing = np.frombuffer(bytes(64), np.uint8)
    out, ends = np.empty(48 * len(values) + 64, np.uint8), np.empty(len(values), np.int64)
    printing_kernels.print_addresses(high, low, family, printing_kernels.PLAIN, nothing, 0, out, ends)
    texts = [out[a:b].tobytes().decode() for a, b in zip([0, *ends], ends, strict=False)]
    assert texts == ["-" if v is None else str(getattr(v, "ipv4_mapped", None) or v) for v in values]


def test_every_named_format_prints_under_every_built_in_policy():
    """The built-in policies can be printed in every known format."""
    for name in NAMED:
        for policy in ("audience", "strict", "records"):
            form = resolve_format(name)
            speakers(form.columns, resolve(load_policy(policy)), Memory, SECRETS)


JSON = [name for name in sorted(NAMED) if resolve_format(name).keys]
OBJECT = {
    "time": ["2026-05-17T10:05:03Z", 1778925903, "1778925903.123"],
    "remote_addr": ["192.0.2.7", "[2001:db8::7]:443", "-"],
    "remote_user": ["anna", 'a "b"', None], "status": [200, "404", None], "bytes_sent": [5, "7", None],
    "host": ["www.example.com", "192.0.2.8:80"], "user_agent": ["curl/8.0", "caf\u00e9 \U0001f600", None],
}  # fmt: skip


@pytest.mark.parametrize("name", JSON)
@given(data=st.data())
@settings(max_examples=20)
def test_json_lines_are_printed_as_json_that_is_read_again(name, data):
    """Only the keys of the format are printed, as valid JSON; both engines agree; no other key passes."""
    form = resolve_format(name)
    lines = []
    for _ in range(data.draw(st.integers(0, 4))):
        line = {"secret": "quittenbaum", "more": {"client": "203.0.113.9"}}
        for field, paths in zip(form.fields, form.keys, strict=True):
            value = data.draw(st.sampled_from(OBJECT.get(field.name, ["GET /a?b HTTP/1.1", "/a", "x y", None])))
            *above, last = paths[0].replace("\\.", "\0").split(".")
            inside = line
            for key in above:
                inside = inside.setdefault(key.replace("\0", "."), {})
            inside[last.replace("\0", ".")] = value
        if form.marker:
            *above, last = form.marker.split(".")
            inside = line
            for key in above:
                inside = inside.setdefault(key, {})
            inside.setdefault(last, "x")
        lines.append(json.dumps(line, ensure_ascii=data.draw(st.booleans())).encode())
    plan = resolve(load_policy("audience"))
    fast, slow = by_both(lines, form, plan)
    assert fast == slow
    assert b"quittenbaum" not in fast
    assert b"203.0.113.9" not in fast
    assert all(isinstance(json.loads(line), dict) for line in fast.split(b"\n")[:-1])
    before, _ = rows_of(block_of(lines).data.tobytes(), form)
    after, rejects = rows_of(fast, form)
    assert (len(after), rejects) == (len(before), 0)
    for column in {"status", "bytes_sent"} & set(before[0] if before else ()):
        assert [row[column] for row in after] == [row[column] for row in before]


def test_no_address_stays_in_text_that_is_kept():
    """A field that the policy keeps is swept of addresses, in any spelling, in lines as in records."""
    form = resolve_format('%h %l %u %t "%r" %>s %b "%{X-Note}i"')
    keeps = PROXIED.replace("[fields]", '[fields]\nhttp_x_note = { method = "keep", reason = "x" }').replace(
        'client_address = { field = "forwarded_for", trusted_proxies = ["10.0.0.0/8"] }', ""
    )
    line = b'192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "from 203.0.113.9:80, [2001:db8::77:9]"'
    for text in by_both([line], form, resolve(decode(keeps.encode()))):
        assert b"from" in text
        assert not search.found(["203.0.113.9", "2001:db8::77:9"], [("line", text)])
