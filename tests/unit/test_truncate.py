"""Truncation: nothing past the prefix, and no address or machine number inside an IPv6 address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import pyarrow as pa
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from logblur.errors import UsageError
from logblur.protect.addresses import truncate

TOP = st.integers(0, 2**64 - 1)


def six(*parts):
    """An IPv6 address of (value, bits) parts, from the top."""
    value, size = 0, 0
    for number, bits in parts:
        value, size = value << bits | number, size + bits
    assert size == 128
    return IPv6Address(value)


@dataclass(frozen=True)
class Client:
    """What is its own: an IPv4 address, an IPv6 network, and numbers (port, host, machine)."""

    ip: int
    net: int
    own: int


# each puts an IPv4 address and numbers of a client's c.own (port, host, machine) into an IPv6 address
EMBEDDINGS = {
    "mapped": lambda c: six((0, 80), (0xFFFF, 16), (c.ip, 32)),
    "compatible": lambda c: six((0, 96), (c.ip, 32)),
    "translated": lambda c: six((0, 64), (0xFFFF, 16), (0, 16), (c.ip, 32)),
    "NAT64": lambda c: six((0x0064FF9B, 32), (0, 64), (c.ip, 32)),
    "local NAT64, /96": lambda c: six((0x0064FF9B0001, 48), (7, 48), (c.ip, 32)),
    "local NAT64, /48": lambda c: six((0x0064FF9B0001, 48), (c.ip >> 16, 16), (0, 8), (c.ip & 0xFFFF, 16), (0, 40)),
    "6to4": lambda c: six((0x2002, 16), (c.ip, 32), (c.own, 80)),
    "Teredo, client": lambda c: six(
        (0x20010000, 32), (0xC0000201, 32), (0x8000, 16), (c.own & 0xFFFF ^ 0xFFFF, 16), (c.ip ^ 0xFFFFFFFF, 32)
    ),
    "Teredo, server": lambda c: six((0x20010000, 32), (c.ip, 32), (c.own & 2**64 - 1, 64)),
    "ISATAP": lambda c: six((c.net, 64), (0x5EFE, 32), (c.ip, 32)),
    "ISATAP, global": lambda c: six((c.net, 64), (0x02005EFE, 32), (c.ip, 32)),
    "ISATAP in 6to4": lambda c: six((0x2002, 16), (c.ip, 32), (c.own & 0xFFFF, 16), (0x5EFE, 32), (c.ip, 32)),
    "EUI-64": lambda c: six((c.net, 64), (c.own & 0xFFFFFF, 24), (0xFFFE, 16), (c.own >> 24 & 0xFFFFFF, 24)),
}


def plain(address, ipv4_prefix, ipv6_prefix):
    """Truncation that knows no structure: what a mask does."""
    v4 = address if address.version == 4 else address.ipv4_mapped
    network = ipaddress.ip_network((v4 or address, ipv4_prefix if v4 else ipv6_prefix), strict=False)
    return network.network_address


def ours(address, ipv4_prefix, ipv6_prefix):
    """The address truncated by the column function."""
    found = truncate(pa.array([str(address)]), ipv4_prefix=ipv4_prefix, ipv6_prefix=ipv6_prefix)
    value = IPv6Address(found[0].as_py())
    return value.ipv4_mapped or value


def tells_apart(truncated, embed, pair, ipv4_prefix, ipv6_prefix):
    """Whether truncation leaves anything by which two clients of one IPv4 prefix differ."""
    return len({truncated(embed(client), ipv4_prefix, ipv6_prefix) for client in pair}) > 1


@pytest.mark.parametrize("name", EMBEDDINGS)
@given(
    ip=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    own=st.tuples(TOP, TOP),
    net=st.integers(0x2003 << 48, 2**64 - 1),
    ipv4_prefix=st.integers(0, 32),
    ipv6_prefix=st.integers(0, 128),
)
def test_no_more_survives_of_an_address_inside_than_of_one_alone(name, ip, own, net, ipv4_prefix, ipv6_prefix):
    """Clients whose IPv4 addresses share the prefix are one after truncation, however IPv6 carries them."""
    kept = (1 << 32) - (1 << 32 - ipv4_prefix)
    pair = [Client(ip[0], net, own[0]), Client(ip[0] & kept | ip[1] & ~kept, net, own[1])]
    assert not tells_apart(ours, EMBEDDINGS[name], pair, ipv4_prefix, ipv6_prefix)


@pytest.mark.parametrize("name", [n for n in EMBEDDINGS if n != "mapped"])
def test_a_mask_alone_would_tell_them_apart(name):
    """The control: the same two clients differ after a truncation that knows no structure."""
    net = 0x20010DB8 << 32
    pair = [Client(0xC6336401, net, 0x123456789ABC), Client(0xC63364FE, net, 0xFEDCBA987654)]
    assert tells_apart(plain, EMBEDDINGS[name], pair, 24, 128)
    assert not tells_apart(ours, EMBEDDINGS[name], pair, 24, 128)


def test_the_standard_library_sees_no_address_inside():
    """What Python's ipaddress reads out of truncated 6to4 and Teredo is no client's address."""
    sixtofour = ours(IPv6Address("2002:c633:6401:1::5"), 16, 128)
    assert sixtofour.sixtofour == IPv4Address("198.51.0.0")
    teredo = ours(IPv6Address("2001:0:c000:201:8000:e3a7:39cc:9bfe"), 32, 128)
    assert teredo == IPv6Address("2001::")


@example(address=IPv6Address("2001:2f:ffff:ffff:ffff:ffff:ff00:0"), ipv4_prefix=0, ipv6_prefix=103)  # becomes EUI-64
@given(address=st.ip_addresses(), ipv4_prefix=st.integers(0, 32), ipv6_prefix=st.integers(0, 128))
def test_truncation_is_never_finer_than_the_prefix(address, ipv4_prefix, ipv6_prefix):
    """The result lies in the address' network and holds nothing past the prefix; families stay; once is enough."""
    found = ours(address, ipv4_prefix, ipv6_prefix)
    network = plain(address, ipv4_prefix, ipv6_prefix)
    assert found.version == network.version
    assert plain(found, ipv4_prefix, ipv6_prefix) == found
    assert int(found) & int(network) == int(found)
    assert ours(found, ipv4_prefix, ipv6_prefix) == found


@given(net=st.integers(0x2003 << 48, 2**64 - 1), low=TOP, ipv6_prefix=st.integers(0, 128))
def test_other_addresses_are_truncated_as_the_standard_library_says(net, low, ipv6_prefix):
    """An IPv6 address without structure keeps all of its prefix."""
    assume(low >> 32 & ~0x02000000 != 0x5EFE and low >> 24 & 0xFFFF != 0xFFFE)
    address = six((net, 64), (low, 64))
    assert ours(address, 16, ipv6_prefix) == plain(address, 16, ipv6_prefix)


@pytest.mark.parametrize("prefixes", [(-1, 32), (33, 32), (16, -1), (16, 129)])
def test_a_prefix_out_of_bounds_is_refused(prefixes):
    """A prefix that no address has is an error, not another prefix."""
    with pytest.raises(UsageError):
        truncate(pa.array(["192.0.2.1"]), ipv4_prefix=prefixes[0], ipv6_prefix=prefixes[1])
