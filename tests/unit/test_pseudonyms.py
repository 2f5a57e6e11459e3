"""Pseudonyms: HMAC-SHA-256 as its standards have it, the same wherever it is made."""

from __future__ import annotations

import hmac
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logblur.errors import UsageError
from logblur.protect.addresses import pseudonym
from logblur.protect.pseudonyms import field_mac, hmac_sha256, pseudonyms

# RFC 4231 sections 4.2 to 4.8 (4.6 is of a truncated tag): key, data, HMAC-SHA-256
RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (b"\x0c" * 20, b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
        b"hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


@pytest.mark.parametrize(("key", "data", "tag"), RFC_4231)
def test_the_mac_matches_rfc_4231(key, data, tag):
    """Each test case of RFC 4231 comes out, wherever the message is cut."""
    for cut in range(len(data) + 1):
        assert hmac_sha256(key, data[:cut])(data[cut:]).hex().startswith(tag)


def test_the_mac_matches_wycheproof(corpus):
    """Every HMAC-SHA-256 vector of Wycheproof is judged as it should be."""
    groups = json.loads((corpus / "groundtruth/crypto/wycheproof_hmac_sha256_test.json").read_text())["testGroups"]
    tests = [(t, g["tagSize"] // 8) for g in groups for t in g["tests"]]
    assert len(tests) == 174
    for t, size in tests:
        tag = hmac_sha256(bytes.fromhex(t["key"]))(bytes.fromhex(t["msg"]))[:size].hex()
        assert (tag == t["tag"]) == (t["result"] == "valid"), t["tcId"]


@given(key=st.binary(max_size=200), messages=st.lists(st.binary(max_size=200), max_size=4))
def test_the_mac_is_the_standard_library_s(key, messages):
    """One function gives for each message what hmac.digest gives, however often it is called."""
    mac = hmac_sha256(key)
    assert [mac(m) for m in messages] == [hmac.digest(key, m, "sha256") for m in messages]


@given(addresses=st.lists(st.ip_addresses(), max_size=20), key=st.binary(min_size=16, max_size=16))
def test_a_column_and_the_door_give_the_same_pseudonym(addresses, key):
    """The pseudonym of a column is the one that records hold, and is HMAC-SHA-256 of label and address."""
    column = pa.array([str(a) for a in addresses], pa.string())
    found = pseudonym(column, key, field="remote_addr")
    values = [bytes(10) + b"\xff\xff" + a.packed if a.version == 4 else a.packed for a in addresses]
    rows = np.arange(len(values), dtype=np.int32)
    codes, texts = pseudonyms(values, rows, np.zeros(len(values), np.int32), [key], field="remote_addr")
    assert [v.hex() for v in found.to_pylist()] == texts.take(pa.array(codes)).to_pylist()
    label = b"logblur pseudonym 1\0remote_addr\0"
    assert found.to_pylist() == [hmac.digest(key, label + v, "sha256")[:16] for v in values]


def test_fields_are_kept_apart():
    """One address has two pseudonyms in two fields, and a name that could imitate another is refused."""
    column, key = pa.array(["192.0.2.1"]), bytes(range(16))
    assert pseudonym(column, key, field="remote_addr") != pseudonym(column, key, field="x_forwarded_for")
    with pytest.raises(UsageError):
        field_mac(key, field="remote\0addr")
