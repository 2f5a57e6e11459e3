"""Client addresses: parsed and truncated in bulk, each distinct text once."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.protect import kernels
from logblur.schema import NONE

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Addresses:
    """The values of address texts, one each.

    Attributes:
        high, low: uint64, the two halves of the 128-bit value; IPv4 (and IPv4-mapped IPv6) as ::ffff:0:0/96.
        family: uint8: 4, 6, or 0 for what is no address (then ``high`` and ``low`` are zero).
    """

    high: Words
    low: Words
    family: npt.NDArray[np.uint8]

    def __repr__(self) -> str:
        return f"Addresses({len(self.family)})"


def buffers_of(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return bytes, limits and validity of a large_string array, for kernels; under a null may lie any bytes."""
    if texts.offset:
        texts = pa.concat_arrays([texts])
    _, limits, data = texts.buffers()
    valid = np.asarray(texts.is_valid().to_numpy(zero_copy_only=False), bool)
    at = np.frombuffer(limits, np.int64, len(texts) + 1) if len(texts) else np.zeros(1, np.int64)
    return np.frombuffer(data or b"", np.uint8), at, valid


def parse_addresses(texts: pa.Array) -> Addresses:
    """Return the value of each text (large_string), strictly: RFC 4291 section 2.2, no leading zeros, no zone id.

    Cost:
        About 20 ns a text; call it on distinct values.
    """
    data, limits, valid = buffers_of(texts)
    count = len(texts)
    found = Addresses(np.zeros(count, np.uint64), np.zeros(count, np.uint64), np.zeros(count, np.uint8))
    kernels.addresses(data, limits, count, found.high, found.low, found.family)
    found.family[~valid] = 0
    return found


def networks(found: Addresses, *, ipv4_prefix: int, ipv6_prefix: int) -> pa.Array:
    """Return the network of each address as text, such as ``192.0.0.0/16``; ``(none)`` for what is no address.

    Args:
        found: Parsed addresses.
        ipv4_prefix: Bits kept of IPv4, 0 to 32.
        ipv6_prefix: Bits kept of IPv6, 0 to 128.

    Privacy:
        Two addresses that share the prefix give the same text; nothing else of them is in it.

    Cost:
        Vectorised truncation, then one text for each distinct network.
    """
    out = np.full(len(found.family), 0, np.int64)
    texts = [NONE]
    v4 = np.flatnonzero(found.family == 4)
    kept, codes = np.unique(found.low[v4] & _mask(96 + ipv4_prefix)[1], return_inverse=True)
    out[v4] = codes + len(texts)
    texts += [f"{ipaddress.IPv4Address(value & 0xFFFFFFFF)}/{ipv4_prefix}" for value in kept.tolist()]
    v6 = np.flatnonzero(found.family == 6)
    halves = np.stack([found.high[v6] & _mask(ipv6_prefix)[0], found.low[v6] & _mask(ipv6_prefix)[1]], axis=1)
    pairs, codes = np.unique(halves, axis=0, return_inverse=True)
    out[v6] = codes + len(texts)
    texts += [f"{ipaddress.IPv6Address(high << 64 | low)}/{ipv6_prefix}" for high, low in pairs.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(out))


def _mask(bits: int) -> tuple[np.uint64, np.uint64]:
    mask = (1 << 128) - (1 << 128 - bits)
    return np.uint64(mask >> 64), np.uint64(mask & (1 << 64) - 1)
