"""Addresses and tokens against oracles nobody here wrote."""

from __future__ import annotations

import ipaddress
import json

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logblur.jit import lean_kernel
from logblur.protect import kernels
from logblur.protect.addresses import networks, parse_addresses, truncate

TEXTS = (
    st.ip_addresses().map(str)
    | st.ip_addresses(v=6).map(lambda a: a.exploded)
    | st.ip_addresses(v=4).map(lambda a: f"::ffff:{a}")
    | st.ip_addresses(v=4).map(lambda a: f"2001:db8::{a}")
    | st.text("0123456789abcdefABCDEF:.%/[] -g", max_size=48)
    | st.lists(st.text("0123456789abF", max_size=5), max_size=10).map(":".join)
    | st.lists(st.integers(-1, 300).map(str), min_size=3, max_size=5).map(".".join)
)


def oracle(text):
    """What Python's ipaddress makes of it, zone ids aside: (family, value)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return 0, 0
    if "%" in text:
        return 0, 0
    if address.version == 4:
        return 4, 0xFFFF << 32 | int(address)
    return (4 if address.ipv4_mapped else 6), int(address)


@given(texts=st.lists(TEXTS, max_size=20))
def test_addresses_are_what_the_standard_library_says(texts):
    """Family and value of any text equal those of Python's ipaddress."""
    found = parse_addresses(pa.array(texts, pa.large_string()))
    values = [int(h) << 64 | int(x) for h, x in zip(found.high, found.low, strict=True)]
    assert list(zip(found.family.tolist(), values, strict=True)) == [oracle(t) for t in texts]


@given(addresses=st.lists(st.ip_addresses(), min_size=1, max_size=20), v4=st.integers(0, 32), v6=st.integers(0, 128))
def test_networks_are_what_the_standard_library_says(addresses, v4, v6):
    """The network of each address is ipaddress' supernet of that prefix, once what `truncate` cuts is gone."""
    addresses = [getattr(a, "ipv4_mapped", None) or a for a in addresses]
    texts = pa.array([str(a) for a in addresses], pa.large_string())
    found = parse_addresses(texts)
    blocks = truncate(texts, ipv4_prefix=v4, ipv6_prefix=v6).to_pylist()
    cut = [ipaddress.IPv6Address(b) if a.version == 6 else a for a, b in zip(addresses, blocks, strict=True)]
    expected = [str(ipaddress.ip_network((a, v4 if a.version == 4 else v6), strict=False)) for a in cut]
    assert networks(found, ipv4_prefix=v4, ipv6_prefix=v6).to_pylist() == expected


def test_what_is_no_address_has_no_network():
    """A hostname, a dash and an address with a port are (none), never passed through."""
    texts = pa.array(["host.example.com", None, "192.0.2.7:80", "[2001:db8::1]", "192.0.2.07", ""], pa.large_string())
    assert set(networks(parse_addresses(texts), ipv4_prefix=32, ipv6_prefix=128).to_pylist()) == {"(none)"}


def siphash(key, message):
    """The kernel on one message."""
    data, limits = np.frombuffer(message + bytes(8), np.uint8), np.array([0, len(message)])
    k0, k1 = np.frombuffer(key, "<u8")
    out = np.empty(1, np.uint64)
    kernels.siphash(data, limits, 1, k0, k1, out)
    return int(out[0]).to_bytes(8, "little")


def test_siphash_matches_its_authors_vector():
    """The example in the appendix of the SipHash paper comes out."""
    assert siphash(bytes(range(16)), bytes(range(15))).hex() == "e545be4961ca29a1"


def test_siphash_matches_wycheproof(corpus):
    """Every SipHash-2-4 vector of Wycheproof is judged as it should be."""
    groups = json.loads((corpus / "groundtruth/crypto/wycheproof_siphash_2_4_test.json").read_text())["testGroups"]
    tests = [t for g in groups for t in g["tests"]]
    assert tests
    for t in tests:
        tag = siphash(bytes.fromhex(t["key"]), bytes.fromhex(t["msg"])).hex()
        assert (tag == t["tag"]) == (t["result"] == "valid"), t["tcId"]


@lean_kernel
def sip4(k0, k1, a, b, c, d):
    """What Python cannot call: it is compiled into kernels only."""
    return kernels.sip4(k0, k1, a, b, c, d)


@given(words=st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4), key=st.binary(min_size=16, max_size=16))
def test_tokens_are_siphash_of_their_words(words, key):
    """The unrolled four-word hash behind the tokens equals SipHash of the same bytes."""
    k0, k1 = np.frombuffer(key, "<u8")
    message = b"".join(w.to_bytes(8, "little") for w in words)
    value = sip4(k0, k1, *(np.uint64(w) for w in words))
    assert int(value).to_bytes(8, "little") == siphash(key, message)
