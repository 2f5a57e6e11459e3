"""The hashes that the audit tries, against other implementations."""

from __future__ import annotations

import hashlib
import ipaddress
import zlib

import numpy as np
import pytest
import xxhash

from logblur.privacy import hash_kernels as kernels

FIXED = ["0.0.0.0", "9.9.9.9", "10.20.30.40", "192.0.2.7", "198.51.100.77", "203.0.113.255", "255.255.255.255"]
RANDOM = np.random.default_rng(4).integers(0, 1 << 32, 300)
ADDRESSES = [*(int(ipaddress.ip_address(text)) for text in FIXED), *RANDOM.tolist()]

ORACLES = {
    kernels.MD5: lambda text: hashlib.md5(text).digest()[:8],
    kernels.SHA1: lambda text: hashlib.sha1(text).digest()[:8],
    kernels.SHA256: lambda text: hashlib.sha256(text).digest()[:8],
    kernels.CRC32: lambda text: zlib.crc32(text).to_bytes(4, "big") + bytes(4),
    kernels.XXH32: lambda text: xxhash.xxh32_digest(text) + bytes(4),
    kernels.XXH64: xxhash.xxh64_digest,
}


@pytest.mark.parametrize("kind", ORACLES)
def test_hashes_are_those_of_other_implementations(kind: int) -> None:
    """Each hash of an address as text is what hashlib, zlib or xxhash say, to the first 64 bits."""
    out = np.empty(len(ADDRESSES), np.uint64)
    kernels.hashes(kind, np.array(ADDRESSES, np.uint64), out)
    said = [int.from_bytes(ORACLES[kind](str(ipaddress.ip_address(a)).encode()), "big") for a in ADDRESSES]
    assert out.tolist() == said
