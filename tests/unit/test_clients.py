"""The client is the address that the policy names: past trusted proxies, in any spelling, never as a sender claims."""

from __future__ import annotations

import ipaddress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logblur.errors import FormatError, PolicyError
from logblur.pipeline import run
from logblur.policy.explain import explain
from logblur.policy.load import decode, encode, restore
from logblur.policy.plan import Client
from logblur.policy.resolve import resolve
from logblur.protect.clients import clients
from logblur.protect.spellings import client

PROXIES = ("10.0.0.0/8", "2001:db8:ffff::/48", "unix:")
POLICY = """
version = 1
name = "proxied"
purpose = "test"
legal_basis = "legitimate-interests"
retention = "25 months"
[input]
client_address = {client}
[fields]
remote_addr = {{ method = "truncate", ipv4_prefix = 16, ipv6_prefix = 32 }}
time = {{ method = "day" }}
[visitor]
from = ["remote_addr"]
[[table]]
name = "traffic"
where = "all"
by = ["network"]
measures = ["requests", "visitors"]
min_clients = 2
"""
FORWARDED = '{ field = "forwarded_for", trusted_proxies = ["10.0.0.0/8"] }'
LINE = '{} - - [17/May/2026:10:05:00 +0000] "GET / HTTP/1.1" 200 5 "{}"\n'
FORMAT = '%h %l %u %t "%r" %>s %b "%{X-Forwarded-For}i"'


def batch(peers, hops):
    """Columns as a parser gives them."""
    columns = {"remote_addr": peers, "forwarded_for": hops}
    kind = pa.large_string()
    return pa.RecordBatch.from_pydict(
        {
            name: pa.array(values, kind).dictionary_encode("encode")
            for name, values in columns.items()
            if values is not None
        }
    )


def named(found):
    """The client of each row, as an address or the text that stands there."""
    out = []
    for code in found.codes.tolist():
        a = found.addresses
        address = ipaddress.IPv6Address(int(a.high[code]) << 64 | int(a.low[code]))
        text = found.texts[code].as_py()
        out.append((address.ipv4_mapped or address) if a.family[code] else text)
    return out


PEERS = st.sampled_from(["10.0.0.1", "10.0.0.1:5", "192.0.2.1", "unix:", "host", "2001:db8:ffff::1", None])
LISTS = st.sampled_from(
    [None, "198.51.100.1", "198.51.100.1:99, 10.2.3.4", "203.0.113.1, unknown", "unknown", "10.9.9.9", "a, 192.0.2.9"]
)


@given(rows=st.lists(st.tuples(PEERS, LISTS), max_size=12))
def test_clients_are_what_the_reference_says_row_by_row(rows):
    """A list is believed where its peer is trusted, as far as trusted proxies wrote it; else the peer is the client."""
    trusted = [ipaddress.ip_network(p) for p in PROXIES if p != "unix:"]
    expected = []
    for peer, hops in rows:
        address, passed = client(peer or "", trusted)
        behind = client(hops or "", trusted)[0]
        believed = (passed or (peer or "").startswith("unix:")) and behind is not None
        expected.append(behind if believed else address or peer)
    found = clients(
        batch(*map(list, zip(*rows, strict=True))) if rows else batch([], []), Client("forwarded_for", PROXIES)
    )
    assert named(found) == expected


def test_a_log_without_its_peer_is_read_by_the_list_alone():
    """What no trusted proxy vouches for is nobody in particular: junk gives one client, not many."""
    rows = batch(None, ["198.51.100.1, 10.0.0.1", "junk-1", "junk-2", None])
    found = clients(rows, Client("forwarded_for", PROXIES))
    assert named(found) == [ipaddress.ip_address("198.51.100.1"), None, None, None]


def rows_of(folder, log, text, **options):
    """What is published of a log under the policy of this module."""
    log.write_text(text)
    run(log, folder / "out", policy=decode(POLICY.format(**options).encode()), state=folder / "state", format=FORMAT)
    files = sorted((folder / "out" / "traffic").rglob("*.parquet"))
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def test_ports_and_proxies_make_no_crowd(tmp_path):
    """One person behind a proxy, on a thousand connections, is one client: a row for two is not published."""
    text = "".join(LINE.format(f"10.0.0.{k % 250}:{k}", f"203.0.113.{k}, 198.51.100.7:{k}") for k in range(200))
    assert rows_of(tmp_path, tmp_path / "log", text, client=FORWARDED) == []


def test_people_behind_one_proxy_are_told_apart(tmp_path):
    """Networks and clients are those of the addresses that the trusted proxy vouched for."""
    text = "".join(LINE.format("10.0.0.1", f"203.0.113.9, 198.51.100.{k}:{k}") for k in range(5))
    text += "".join(LINE.format("192.0.2.1", f"203.0.{k}.9") for k in range(5))  # not through a proxy: not believed
    found = rows_of(tmp_path, tmp_path / "log", text, client=FORWARDED)
    assert found == [{"network": "198.51.0.0/16", "requests": 10, "visitors": 6}] or found == [
        {"network": "(other)", "requests": 10, "visitors": 6}
    ]


def test_a_log_without_the_field_is_refused(tmp_path):
    """A format that does not log what the policy takes for the client counts nothing, and the error names it."""
    log = tmp_path / "log"
    log.write_text(LINE.format("192.0.2.1", "-").replace(' "-"', ""))
    summary = run(
        log,
        tmp_path / "out",
        policy=decode(POLICY.format(client=FORWARDED).encode()),
        state=tmp_path / "s",
        format="common",
    )
    assert [type(error) for error in summary.errors] == [FormatError]
    assert "forwarded_for" in str(summary.errors[0])


@pytest.mark.parametrize(
    "said",
    [
        '{ field = "forwarded_for" }',
        '{ field = "forwarded_for", trusted_proxies = ["0.0.0.0/0"] }',
        '{ field = "forwarded_for", trusted_proxies = ["::/0"] }',
        '{ field = "forwarded_for", trusted_proxies = ["10.0.0.1/8"] }',
        '{ field = "forwarded_for", trusted_proxies = ["proxy.example"] }',
        '{ field = "X-Forwarded-For", trusted_proxies = ["10.0.0.0/8"] }',
    ],
)
def test_a_policy_that_would_believe_anybody_is_refused(said):
    """Proxies are named, as networks, and not so widely that a sender could be one."""
    with pytest.raises(PolicyError) as caught:
        resolve(decode(POLICY.format(client=said).encode()))
    assert caught.value.path.startswith("input.client_address")


def test_explain_says_who_the_client_is():
    """The field and the proxies stand in the explanation; the policy survives being stored."""
    policy = decode(POLICY.format(client=FORWARDED).encode())
    assert restore(encode(policy)) == policy
    assert any("forwarded_for" in line and "10.0.0.0/8" in line for line in explain(policy, resolve(policy)).tokens)
