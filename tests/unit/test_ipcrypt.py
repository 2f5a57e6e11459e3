"""ipcrypt against the vectors of its draft and against AES of a library that nobody here wrote."""

from __future__ import annotations

import ipaddress
import json
import re

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB, XTS
from hypothesis import given, settings
from hypothesis import strategies as st

from logblur.protect import addresses, ipcrypt
from logblur.protect.cipher_reference import encrypted as reference
from logblur.protect.spellings import packed as bytes_of

KEY16 = "0123456789abcdeffedcba9876543210"
KEY32 = KEY16 + "1032547698badcfeefcdab8967452301"
PREFIXES = "2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a"

# draft-denis-ipcrypt, appendix "Test Vectors" (Frank Denis; code components under permissive licences):
# method, key, address, tweak, result
VECTORS = [
    ("ipcrypt-deterministic", KEY16, "0.0.0.0", "", "bde9:6789:d353:824c:d7c6:f58a:6bd2:26eb"),
    (
        "ipcrypt-deterministic",
        "1032547698badcfeefcdab8967452301",
        "255.255.255.255",
        "",
        "aed2:92f6:ea23:58c3:48fd:8b8:74e8:45d8",
    ),
    (
        "ipcrypt-deterministic",
        "2b7e151628aed2a6abf7158809cf4f3c",
        "192.0.2.1",
        "",
        "1dbd:c1b9:fff1:7586:7d0b:67b4:e76e:4777",
    ),
    ("ipcrypt-pfx", KEY32, "0.0.0.0", "", "151.82.155.134"),
    ("ipcrypt-pfx", KEY32, "255.255.255.255", "", "94.185.169.89"),
    ("ipcrypt-pfx", KEY32, "192.0.2.1", "", "100.115.72.131"),
    ("ipcrypt-pfx", KEY32, "2001:db8::1", "", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
    ("ipcrypt-pfx", PREFIXES, "10.0.0.47", "", "19.214.210.244"),
    ("ipcrypt-pfx", PREFIXES, "10.0.0.129", "", "19.214.210.80"),
    ("ipcrypt-pfx", PREFIXES, "10.0.0.234", "", "19.214.210.30"),
    ("ipcrypt-pfx", PREFIXES, "172.16.5.193", "", "210.78.229.136"),
    ("ipcrypt-pfx", PREFIXES, "172.16.97.42", "", "210.78.179.241"),
    ("ipcrypt-pfx", PREFIXES, "172.16.248.177", "", "210.78.121.215"),
    ("ipcrypt-pfx", PREFIXES, "2001:db8::a5c9:4e2f:bb91:5a7d", "", "7cec:702c:1243:f70:1956:125:b9bd:1aba"),
    ("ipcrypt-pfx", PREFIXES, "2001:db8::7234:d8f1:3c6e:9a52", "", "7cec:702c:1243:f70:a3ef:c8e:95c1:cd0d"),
    ("ipcrypt-pfx", PREFIXES, "2001:db8::f1e0:937b:26d4:8c1a", "", "7cec:702c:1243:f70:443c:c8e:6a62:b64d"),
    ("ipcrypt-pfx", PREFIXES, "2001:db8:3a5c:0:e7d1:4b9f:2c8a:f673", "", "7cec:702c:3503:bef:e616:96bd:be33:a9b9"),
    ("ipcrypt-pfx", PREFIXES, "2001:db8:9f27:0:b4e2:7a3d:5f91:c8e6", "", "7cec:702c:a504:b74e:194a:3d90:b047:2d1a"),
    ("ipcrypt-pfx", PREFIXES, "2001:db8:d8b4:0:193c:a5e7:8b2f:46d1", "", "7cec:702c:f840:aa67:1b8:e84f:ac9d:77fb"),
    ("ipcrypt-nd", KEY16, "0.0.0.0", "08e0c289bff23b7c", "08e0c289bff23b7cb349aadfe3bcef56221c384c7c217b16"),
    (
        "ipcrypt-nd",
        "1032547698badcfeefcdab8967452301",
        "192.0.2.1",
        "21bd1834bc088cd2",
        "21bd1834bc088cd2e5e1fe55f95876e639faae2594a0caad",
    ),
    (
        "ipcrypt-nd",
        "2b7e151628aed2a6abf7158809cf4f3c",
        "2001:db8::1",
        "b4ecbe30b70898d7",
        "b4ecbe30b70898d7553ac8974d1b4250eafc4b0aa1f80c96",
    ),
    (
        "ipcrypt-ndx",
        KEY32,
        "0.0.0.0",
        "21bd1834bc088cd2b4ecbe30b70898d7",
        "21bd1834bc088cd2b4ecbe30b70898d782db0d4125fdace61db35b8339f20ee5",
    ),
    (
        "ipcrypt-ndx",
        "1032547698badcfeefcdab89674523010123456789abcdeffedcba9876543210",
        "192.0.2.1",
        "08e0c289bff23b7cb4ecbe30b70898d7",
        "08e0c289bff23b7cb4ecbe30b70898d7766a533392a69edf1ad0d3ce362ba98a",
    ),
    (
        "ipcrypt-ndx",
        "2b7e151628aed2a6abf7158809cf4f3c3c4fcf098815f7aba6d2ae2816157e2b",
        "2001:db8::1",
        "21bd1834bc088cd2b4ecbe30b70898d7",
        "21bd1834bc088cd2b4ecbe30b70898d76089c7e05ae30c2d10ca149870a263e4",
    ),
]

BLOCKS = st.lists(st.binary(min_size=16, max_size=16), max_size=150)
KEYS = st.binary(min_size=16, max_size=16)


def packed(text):
    """An address as 16 bytes, IPv4 in ::ffff:0:0/96."""
    return bytes_of(ipaddress.ip_address(text))


def check(method, key, address, tweak, result):
    """Encrypt as the vector says, from text and from bytes, and back; and address by address."""
    name, key = method.replace("-", "_"), bytes.fromhex(key)
    encrypt, decrypt = getattr(addresses, name), getattr(addresses, f"{name}_decrypt")
    size = len(tweak) // 2
    given = {"tweaks": pa.array([bytes.fromhex(tweak)], pa.binary(size))} if tweak else {}
    expected = bytes.fromhex(result) if tweak else packed(result)
    for column in (pa.array([address]), pa.array([packed(address)], pa.binary(16))):
        found = encrypt(column, key, **given)
        assert found.type == pa.binary(16 + size)
        assert found.to_pylist() == [expected]
        assert decrypt(found, key).to_pylist() == [packed(address)]
    assert reference(ipaddress.ip_address(address), method, key, tweak=bytes.fromhex(tweak)) == expected


@pytest.mark.parametrize("vector", VECTORS)
def test_the_draft_s_vectors_come_out(vector):
    """Each vector of the draft's appendix comes out, from text, from bytes and by the reference, and decrypts."""
    check(*vector)


@pytest.mark.parametrize("name", ["ipcrypt_2025-08_test_vectors.json", "ipcrypt_go_vectors.json"])
def test_vectors_of_other_implementations_come_out(corpus, name):
    """The vectors that the Python and Go implementations publish come out."""
    vectors = json.loads((corpus / "groundtruth/crypto" / name).read_text())
    assert vectors
    for v in vectors:
        check(v["variant"], v["key"], v["ip"], v.get("tweak", ""), v.get("output") or v["encrypted_ip"])


def test_the_vectors_are_those_of_the_draft(corpus):
    """The vectors above are all that the draft's text holds, and the same."""
    text = (corpus / "groundtruth/crypto/draft-denis-ipcrypt.md").read_text().partition("# Test Vectors")[2]
    found, method = [], ""
    for line in text.splitlines():
        method = m[1] if (m := re.match(r"## (ipcrypt-\w+) Test", line)) else method
        word, _, value = line.partition(":")
        if word == "Key":
            found.append([method, value.strip(), "", "", ""])
        elif word in ("Input IP", "Tweak", "Encrypted IP", "Output"):
            at = {"Input IP": 2, "Tweak": 3}.get(word, 4)
            found[-1][at] = value.strip()
    assert [tuple(v) for v in found] == VECTORS


@given(blocks=BLOCKS, key=KEYS)
def test_kiasu_with_tweaks_of_zero_is_aes(blocks, key):
    """With tweaks of zero the tweakable cipher is AES-128, in both directions and for any number of blocks."""
    rows = np.frombuffer(b"".join(blocks), np.uint8).reshape(-1, 16)
    tweaks = np.zeros((len(rows), 8), np.uint8)
    cipher = Cipher(AES(key), ECB())
    assert ipcrypt.nd(rows, tweaks, key, inverse=False).tobytes() == cipher.encryptor().update(rows.tobytes())
    assert ipcrypt.nd(rows, tweaks, key, inverse=True).tobytes() == cipher.decryptor().update(rows.tobytes())


@given(blocks=BLOCKS.filter(len), key=KEYS, seed=st.binary(min_size=8, max_size=8))
def test_kiasu_treats_each_row_alone(blocks, key, seed):
    """What a row becomes does not depend on the rows beside it: 64 at once is as one at a time."""
    rows = np.frombuffer(b"".join(blocks), np.uint8).reshape(-1, 16)
    tweaks = np.frombuffer(seed, np.uint8)[None, :] ^ np.arange(len(rows), dtype=np.uint8)[:, None]
    together = ipcrypt.nd(rows, tweaks, key, inverse=False)
    alone = [ipcrypt.nd(rows[i : i + 1], tweaks[i : i + 1], key, inverse=False)[0] for i in range(len(rows))]
    assert np.array_equal(together, alone)
    assert np.array_equal(ipcrypt.nd(together, tweaks, key, inverse=True), rows)


@given(blocks=BLOCKS.filter(len), key=st.binary(min_size=32, max_size=32), tweak=KEYS)
@settings(max_examples=30)
def test_ndx_is_xts_of_one_block(blocks, key, tweak):
    """ipcrypt-ndx of an address is AES-XTS of one block with that tweak."""
    if key[:16] == key[16:]:
        return
    column, tweaks = pa.array(blocks, pa.binary(16)), pa.array([tweak] * len(blocks), pa.binary(16))
    expected = [tweak + Cipher(AES(key), XTS(tweak)).encryptor().update(block) for block in blocks]
    assert addresses.ipcrypt_ndx(column, key, tweaks=tweaks).to_pylist() == expected
