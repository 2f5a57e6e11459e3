"""Crypto-PAn, of columns and address by address, against its authors' trace and published values."""

from __future__ import annotations

import ipaddress

import pyarrow as pa

from logblur.protect.addresses import cryptopan, cryptopan_decrypt
from logblur.protect.cipher_reference import encrypted
from logblur.protect.spellings import unpacked


def texts(column):
    """The addresses of a column as text."""
    found = [ipaddress.IPv6Address(value) for value in column.to_pylist()]
    return [str(a.ipv4_mapped or a) for a in found]


def by_reference(raw, key):
    """What the reference makes of addresses, as text."""
    return [str(unpacked(encrypted(ipaddress.ip_address(text), "cryptopan", key))) for text in raw]


def test_the_sample_trace_comes_out(corpus):
    """The addresses of the authors' raw trace become those of their sanitized trace, and back."""
    folder = corpus / "groundtruth/crypto"
    key = bytes.fromhex((folder / "cryptopan_key.txt").read_text().splitlines()[1])
    raw, sanitized = (
        [line.split()[2] for line in (folder / f"cryptopan_sample_trace_{kind}.dat").read_text().splitlines()]
        for kind in ("raw", "sanitized")
    )
    assert len(raw) == 100
    found = cryptopan(pa.array(raw), key)
    assert texts(found) == by_reference(raw, key) == sanitized
    assert texts(cryptopan_decrypt(found, key)) == raw


def test_the_trace_s_first_lines_come_out():
    """The first five addresses of the trace that the authors of Crypto-PAn publish with their program."""
    key = bytes.fromhex("1522178d33a4cf80130a5b1649907d10d8988f837979652762574c2d2a842202")
    raw = ["24.5.0.80", "24.13.62.231", "208.234.120.210", "209.238.72.3", "192.102.249.13"]
    sanitized = ["100.9.15.210", "100.2.192.247", "227.154.67.17", "226.6.119.243", "252.138.62.131"]
    assert texts(cryptopan(pa.array(raw), key)) == by_reference(raw, key) == sanitized


def test_the_value_that_other_programs_publish_comes_out():
    """One address of each family, as pycryptopan and yacryptopan print them for the key 00 01 … 1f."""
    raw, key = ["192.0.2.1", "2001:db8::1"], bytes(range(32))
    published = ["2.90.93.17", "dd92:2c44:3fc0:ff1e:7ff9:c7f0:8180:7e00"]
    assert texts(cryptopan(pa.array(raw), key)) == by_reference(raw, key) == published
