r"""The slow twin of `address_kernels`: what an address in any spelling means, to be read and to be compared.

========================================  =============================================================
spelling                                  read as
========================================  =============================================================
``192.0.2.7:4711``, ``[2001:db8::7]:80``  the address; also with a port of Forwarded that is a name
``2001:db8::7:4711``                      an address as it stands: digits behind are no port, where they can be a group
``fe80::7%eth0``                          the address without its zone
``::ffff:192.0.2.7``                      192.0.2.7
6to4, Teredo, NAT64 (64:ff9b::/96)        the IPv4 address that it carries: one client, however it comes
``"192.0.2.7"``, ``'…'``, blanks          without them
``192.0.2.07``, ``192.0.2.256``           no address
``unix:``, ``unknown``, ``_hidden``, host no address
========================================  =============================================================

Sources: RFC 4291, 7239, 3056 section 2, 4380 section 4, 6052 section 2.1.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_BLANK: Final = "".join(map(chr, range(33)))
_WRAPPED: Final = _BLANK + "\"'\\"
_PORT: Final = r":(?:[0-9]{1,5}|_[A-Za-z0-9._-]*)"
_BRACKETED: Final = re.compile(rf"\[([^\]]*)\](?:{_PORT})?", re.DOTALL)
_PORTED: Final = re.compile(rf"(.+){_PORT}", re.DOTALL)
_NAME: Final = re.compile("[^=;]*")
_VALUE: Final = re.compile(r'(?>[^";]+|"[^"]*"?)*+')
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def spelled(text: str) -> Address | None:
    """Return the address that this text spells, IPv4 where it carries one; None for what is no address."""
    text = text.strip(_WRAPPED)
    if text.startswith("["):
        found = _BRACKETED.fullmatch(text)
        return _strict(found[1]) if found else None
    whole = _strict(text)
    if whole is None and (found := _PORTED.fullmatch(text)):
        return _strict(found[1])
    return whole


def _strict(text: str) -> Address | None:
    text, percent, _ = text.partition("%")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.version == 4:
        return None if percent else address
    if carried := address.ipv4_mapped:
        return None if percent else carried
    if carried := address.sixtofour or (address.teredo or (None, None))[1]:
        return carried
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def client(hops: str, trusted: Iterable[Network] = ()) -> tuple[Address | None, bool]:
    """Return the client that a list of hops names, and whether every hop is a trusted proxy.

    Read from the right, since only what a trusted proxy appended is believed: the first hop that is no trusted one is
    the client. Behind a hop that is no address nothing is believed: the last proxy before it stands for the client.

    Args:
        hops: X-Forwarded-For, Forwarded, or one address.
        trusted: Networks of proxies.
    """
    if hops.count('"') == 2 and hops[0] == hops[-1] == '"':
        hops = hops[1:-1]
    networks, found = list(trusted), None
    for hop in _elements(hops):
        if not hop.strip(_BLANK):
            continue
        address = spelled(_node(hop))
        if address is None:
            return found, False
        found = address
        if not any(address in network for network in networks):
            return found, False
    return found, found is not None


def _elements(hops: str) -> Iterable[str]:
    """Yield what stands between commas outside quotes, from the right: the sender, on the left, closes no quote."""
    end, quoted = len(hops), False
    for at in range(len(hops) - 1, -1, -1):
        quoted ^= hops[at] == '"'
        if hops[at] == "," and not quoted:
            yield hops[at + 1 : end]
            end, quoted = at, False
    yield hops[:end]


def _node(hop: str) -> str:
    named, at = [], 0
    while at < len(hop):
        name = _NAME.match(hop, at)
        value = _VALUE.match(hop, name.end() if name else at)
        assert name is not None
        assert value is not None
        if value[0].startswith("="):
            named.append((name[0].lstrip(_BLANK).lower(), value[0][1:]))
        at = value.end() + 1
    return next((value for name, value in named if name == "for"), "" if named else hop)


def packed(address: Address) -> bytes:
    """Return an address as 16 bytes, IPv4 in ::ffff:0:0/96."""
    return address.packed if address.version == 6 else (0xFFFF << 32 | int(address)).to_bytes(16)


def unpacked(value: bytes) -> Address:
    """Return the address of 16 bytes, IPv4 for those in ::ffff:0:0/96."""
    address = ipaddress.IPv6Address(value)
    return address.ipv4_mapped or address


def truncated(address: Address, *, ipv4_prefix: int, ipv6_prefix: int) -> Address:
    """Return an address with only its first bits, as `addresses.truncate`, which says why, does."""
    if address.version == 4:
        return ipaddress.IPv4Address(int(address) >> 32 - ipv4_prefix << 32 - ipv4_prefix)
    value, inside = int(address), 96 + ipv4_prefix
    for _ in range(2):  # what is left may look like a structure of its own
        kept, middle = ipv6_prefix, value >> 32 & 0xFFFFFFFF
        if value >> 64 == 0 and middle in {0, 0xFFFF0000}:  # IPv4-compatible, IPv4-translated
            kept = min(kept, inside)
        if value >> 80 == 0x0064FF9B0001:  # NAT64, local
            kept = min(kept, 48)
        if middle & ~0x02000000 == 0x5EFE or value >> 24 & 0xFFFF == 0xFFFE:  # ISATAP, EUI-64
            kept = min(kept, 64)
        value = value >> 128 - kept << 128 - kept
    return ipaddress.IPv6Address(value)
