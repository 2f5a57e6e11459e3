"""Addresses as servers and proxies write them: kernel and reference agree, and both read what the RFCs say."""

from __future__ import annotations

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logblur.protect.addresses import spelled_addresses
from logblur.protect.spellings import client

V4, V6 = ipaddress.IPv4Address("192.0.2.7"), ipaddress.IPv6Address("2001:db8::7")
PROXIES = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "192.168.1.1/32", "2001:db8:ffff::/48")]

SAME = {
    "192.0.2.7": V4,
    "192.0.2.7:4711": V4,
    "192.0.2.7:_hidden": V4,
    '"192.0.2.7:4711"': V4,
    "'192.0.2.7' ": V4,
    '\\"192.0.2.7\\"': V4,
    "::ffff:192.0.2.7": V4,
    "::FFFF:C000:0207": V4,
    "[::ffff:192.0.2.7]:80": V4,
    "2002:c000:207::1": V4,
    "2002:c000:207:1:2:3:4:5": V4,
    "2001:0:c000:201:8000:e3a7:3fff:fdf8": V4,
    "64:ff9b::192.0.2.7": V4,
    "[2001:db8::7]": V6,
    "[2001:db8::7]:443": V6,
    "2001:db8::7%eth0": V6,
    "[2001:db8::7%25en0]:443": V6,
    "2001:0DB8:0:0:0:0:0:7": V6,
    "2001:db8:0:0:0:0:0:7:443": V6,
    "2001:db8::7:44311": V6,
    "2001:db8::7:443": ipaddress.IPv6Address("2001:db8::7:443"),  # nobody can tell: it is an address as it stands
    "for=192.0.2.7;proto=https;by=203.0.113.43": V4,
    'For="[2001:db8::7]:4711"': V6,
    "proto=http; for=192.0.2.7": V4,
    "198.51.100.1, 192.0.2.7": V4,
    '"198.51.100.1, 192.0.2.7"': V4,
    "198.51.100.1,192.0.2.7, ": V4,
    'for=198.51.100.1, for="[2001:db8::7]"': V6,
}
NONE = [
    "", "-", "unix:", "unix:/run/app.sock", "unknown", "_hidden", "host.example.com", "192.0.2.07", "192.0.2.256",
    "192.0.2", "192.0.2.7%eth0", "[192.0.2.7", "[2001:db8::7]x", "192.0.2.7:", "192.0.2.7:123456", "192.0.2.7:80a",
    "proto=http", "for=unknown", "for=_x", "2001:db8::7::1", "0x7f.0.0.1", "198.51.100.1, unknown", "[]", ":80", '"',
]  # fmt: skip

HOPS = (
    st.sampled_from([*SAME, *NONE, "10.1.2.3", "10.9.9.9:1", "192.168.1.1", "[2001:db8:ffff::1]:80", "::ffff:10.0.0.1"])
    | st.ip_addresses().map(str)
    | st.ip_addresses(v=6).map(lambda a: f"[{a}]:8080")
    | st.ip_addresses().map(lambda a: f'for="{a}";by=_x')
    | st.text("0123456789abcdef:.%[]_-=;,\"' \\forxFOR\t", max_size=30)
)
LISTS = st.lists(HOPS, max_size=6).map(", ".join) | st.lists(HOPS, max_size=4).map(",".join)


def ours(texts, trusted=()):
    """What the kernel says, in the words of the reference."""
    found, passed = spelled_addresses(pa.array(texts, pa.large_string()), trusted)
    out = []
    for h, x, family, every in zip(found.high, found.low, found.family, passed, strict=True):
        address = ipaddress.IPv6Address(int(h) << 64 | int(x))
        out.append((None if family == 0 else address.ipv4_mapped if family == 4 else address, bool(every)))
    return out


@pytest.mark.parametrize("text", SAME)
def test_spellings_of_one_address_are_one(text):
    """Ports, brackets, zones, quotes, lists and IPv4 inside IPv6 make no other client of an address."""
    assert ours([text]) == [(SAME[text], False)]
    assert client(text) == (SAME[text], False)


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_address_is_none(text):
    """Sockets, names, leading zeros, octets over 255 and junk are no address."""
    assert ours([text]) == [(None, False)]
    assert client(text) == (None, False)


@given(texts=st.lists(LISTS, max_size=8))
@example(texts=['for="a,for=192.0.2.1', '"192.0.2.1', "10.0.0.1, \x00, 10.0.0.2"])
def test_kernel_and_reference_agree(texts):
    """For any text, with trusted proxies and without, both name the same client."""
    for trusted in ((), PROXIES):
        assert ours(texts, trusted) == [client(text, trusted) for text in texts]


def test_a_list_is_read_from_the_right_past_trusted_hops():
    """What the sender wrote on the left is never believed, nor what stands behind a hop that is no address."""
    spoofed = "203.0.113.9, 192.0.2.7, 10.0.0.2, 10.0.0.1"
    cases = {
        spoofed: (V4, False),
        "10.0.0.2, 10.0.0.1": (ipaddress.ip_address("10.0.0.2"), True),
        "192.0.2.7, unknown, 10.0.0.1": (ipaddress.ip_address("10.0.0.1"), False),
        'for=203.0.113.9;host="x,for=198.51.100.1", for=192.0.2.7, for=10.0.0.1': (V4, False),
        'for="203.0.113.9, for=192.0.2.7, for=10.0.0.1': (V4, False),
    }
    assert ours(list(cases), PROXIES) == list(cases.values())


@given(address=st.ip_addresses(), port=st.integers(0, 65535))
def test_a_port_makes_no_client(address, port):
    """Every connection of one client is that client."""
    written = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    assert ours([written]) == ours([str(address)])


def test_hostile_lists_cost_no_more_than_their_length():
    """A million commas, quotes or brackets are read in one pass."""
    for junk in (",", '"', "[", "=", ";", '",', "for=,", "for=;"):
        assert ours([junk * 200_000], PROXIES)[0][0] is None
