"""Client addresses: parsed, truncated, pseudonymised and encrypted in bulk.

The methods that work on whole columns share one form. A column is an Arrow array (or chunked array) of
``fixed_size_binary(16)``, big-endian, IPv4 as ::ffff:0:0/96, or of strings, read as strictly as `parse_addresses` does.
Results are ``fixed_size_binary`` in fresh buffers, row by row; what is null or no address is null, over zeros, so
that a method never passes on what it cannot handle. Ciphers and their kernels are imported by the methods that use
them: the main job starts 25 ms sooner without. An encrypted or pseudonymised address stays personal data.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.errors import KeyMaterialError, UsageError
from logblur.jit.codes import SEEDS, intern
from logblur.placeholders import NONE
from logblur.policy.plan import Method
from logblur.protect import address_kernels
from logblur.protect.pseudonyms import field_mac
from logblur.schema import PAD

Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ADDRESS = 16
"""Bytes of an address."""

_LONGEST_TEXT: Final = 48  # bytes of an address in brackets, and to spare

TWEAK_ND, TWEAK_NDX = 8, 16
"""Bytes of the tweaks of ipcrypt-nd and ipcrypt-ndx."""


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
    present, limits, data = texts.buffers()
    valid = np.ones(len(texts), np.bool_)
    if present is not None:  # not by `is_valid`, which loads pyarrow.compute, 40 ms
        valid[:] = np.unpackbits(np.frombuffer(present, np.uint8), count=len(texts), bitorder="little")
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
    address_kernels.addresses(data, limits, count, found.high, found.low, found.family)
    found.family[~valid] = 0
    return found


def spelled_addresses(texts: pa.Array, trusted: Sequence[Network] = ()) -> tuple[Addresses, Rows]:
    """Return the address that each text (large_string) spells, and whether every hop it names is a trusted proxy.

    This is the one reader of addresses as servers and proxies write them: `spellings` has the table of what is read
    how (ports, brackets, zone ids, quotes, 6to4 …). A text may be a list, X-Forwarded-For or Forwarded, and gives its
    client then: the last hop that is no trusted proxy. For an address found in free text give the text of the address
    alone, with whatever port, zone or brackets stand around it: ``family`` 0 says that it is none.

    Args:
        texts: Distinct values: this costs about 40 ns a text.
        trusted: Networks of proxies; without any, the last hop of a list is its client.

    Source:
        RFC 4291, 7239, 3056, 4380, 6052; `spellings.client` says the same, slowly.
    """
    data, limits, valid = buffers_of(texts)
    found, passed = spelled_spans(data, limits[:-1], limits[1:], trusted)
    found.family[~valid] = 0
    return found, passed & valid


def spelled_spans(data: Bytes, starts: Ints, ends: Ints, trusted: Sequence[Network] = ()) -> tuple[Addresses, Rows]:
    """Return `spelled_addresses` of the texts that stand in these spans (int64) of a buffer."""
    count = len(starts)
    found = Addresses(np.empty(count, np.uint64), np.empty(count, np.uint64), np.empty(count, np.uint8))
    passed = np.empty(count, np.bool_)
    known = np.array([_network(network) for network in trusted], np.uint64).reshape(-1, 4)
    address_kernels.clients(data, starts, ends, known, found.high, found.low, found.family, passed)
    return found, passed


def _network(network: Network) -> tuple[int, int, int, int]:
    """Return the halves of a network's address and of its mask, IPv4 in ::ffff:0:0/96."""
    address, mask = int(network.network_address), int(network.netmask)
    if network.version == 4:
        address, mask = 0xFFFF << 32 | address, (1 << 128) - (1 << 32) | mask
    low = (1 << 64) - 1
    return address >> 64, address & low, mask >> 64, mask & low


def networks(found: Addresses, *, ipv4_prefix: int, ipv6_prefix: int) -> pa.Array:
    """Return the network of each address as text, such as ``192.0.0.0/16``; ``(none)`` for what is no address.

    Args:
        found: Parsed addresses.
        ipv4_prefix: Bits kept of IPv4, 0 to 32.
        ipv6_prefix: Bits kept of IPv6, 0 to 128.

    Privacy:
        Two addresses that share the prefix give the same text; nothing else of them is in it, and of an address
        inside an IPv6 address no more than it would show alone: see `truncate`.

    Cost:
        Vectorised truncation, then one text for each distinct network.
    """
    kept = truncated(found, ipv4_prefix=ipv4_prefix, ipv6_prefix=ipv6_prefix)
    known = kept.family != 0
    codes, high, low = intern(kept.high[known], kept.low[known], SEEDS)
    family = np.empty(len(high), np.uint8)
    family[codes] = kept.family[known]  # two of one value are of one family: IPv4 alone is in ::ffff:0:0/96
    prefixes = np.where(family == 4, ipv4_prefix, ipv6_prefix).tolist()
    texts = [f"{text}/{bits}" for text, bits in zip(address_texts(Addresses(high, low, family)), prefixes, strict=True)]
    out = np.zeros(len(known), np.int32)
    out[known] = codes + 1
    return pa.array([NONE, *texts], pa.string()).take(pa.array(out))


def address_texts(found: Addresses) -> list[str]:
    """Return each address as text, IPv4 in its own form; ``(none)`` for what is no address."""
    halves = zip(found.high.tolist(), found.low.tolist(), found.family.tolist(), strict=True)
    return [
        NONE if not family else str(ipaddress.IPv4Address(low & 0xFFFFFFFF))
        if family == 4 else str(ipaddress.IPv6Address(high << 64 | low))
        for high, low, family in halves
    ]  # fmt: skip


def truncated(found: Addresses, *, ipv4_prefix: int, ipv6_prefix: int) -> Addresses:
    """Return the addresses with only their first bits, as `truncate` does; families stay."""
    from logblur.protect import prefix_kernels

    high, low = found.high.copy(), found.low.copy()
    prefix_kernels.truncate(high, low, ipv4_prefix, ipv6_prefix)
    return Addresses(high, low, found.family)


def joined_texts(found: Addresses, standing: int, behind: bytes = b"") -> tuple[Bytes, Ints]:
    """Return the text of each address (RFC 5952), ``-`` for none, one behind the other, and where each ends.

    Args:
        found: The addresses.
        standing: How an IPv6 address may stand, of `printing_kernels`.
        behind: What is printed behind each.

    Shapes:
        The bytes are padded by `schema.PAD` at least.
    """
    from logblur.protect import printing_kernels

    rows = len(found.family)
    out, ends = np.empty((_LONGEST_TEXT + len(behind)) * rows + PAD, np.uint8), np.empty(rows, np.int64)
    padded = np.frombuffer(behind + bytes(PAD), np.uint8)
    printing_kernels.print_addresses(found.high, found.low, found.family, standing, padded, len(behind), out, ends)
    return out, ends


def column_of(found: Addresses) -> pa.Array:
    """Return the addresses as a column of ``fixed_size_binary(16)``, null for what is none."""
    return _column(_blocks(found.high, found.low), found.family != 0)


def addresses_of(column: pa.Array) -> Addresses:
    """Return the addresses of a column of ``fixed_size_binary(16)``; what is null is none."""
    blocks, valid = _binary(column, ADDRESS)
    high, low = _words(blocks)
    family = np.where((high == 0) & (low >> np.uint64(32) == 0xFFFF), 4, 6)
    return Addresses(high, low, np.where(valid, family, 0).astype(np.uint8))


def truncate(column: pa.Array, *, ipv4_prefix: int, ipv6_prefix: int) -> pa.Array:
    """Return each address with only its first bits; the rest is zero.

    An address inside an IPv6 address keeps no more than it would alone, and an interface's own number nothing:

    ========================  ==========================  ==============================  =======================
    what                      where                       bits kept, ipv6_prefix at most  source
    ========================  ==========================  ==============================  =======================
    IPv4-mapped               ::ffff:0:0/96               it is IPv4: 96 + ipv4_prefix    RFC 4291 section 2.5.5.2
    IPv4-compatible           ::/96                       96 + ipv4_prefix                RFC 4291 section 2.5.5.1
    IPv4-translated           ::ffff:0:0:0/96             96 + ipv4_prefix                RFC 2765 section 2.1
    NAT64, well-known         64:ff9b::/96                96 + ipv4_prefix                RFC 6052 section 2.1
    NAT64, local              64:ff9b:1::/48              48                              RFC 8215
    6to4                      2002::/16                   16 + ipv4_prefix                RFC 3056 section 2
    Teredo                    2001::/32                   32, so neither server nor       RFC 4380 section 4
                                                          port nor client
    ISATAP                    0000:5efe or 0200:5efe,     64                              RFC 5214 section 6.1
                              then IPv4, as interface
    EUI-64 (a MAC address)    ff:fe in the middle of the  64                              RFC 4291 appendix A
                              interface's number
    ========================  ==========================  ==============================  =======================

    Args:
        column: Addresses.
        ipv4_prefix: Bits kept of IPv4, 0 to 32.
        ipv6_prefix: Bits kept of IPv6, 0 to 128.

    Raises:
        UsageError: A prefix out of its bounds, or a column of another type.

    Shapes:
        n rows give n rows of ``fixed_size_binary(16)``.

    Privacy:
        Addresses that share the prefix become one; nothing else of them is in the result, and there is no key that
        brings it back. How many people share a prefix is up to the network: a /48 may be one home. NAT64 under a
        network's own prefix cannot be told from other IPv6: its IPv4 bits are cut by ``ipv6_prefix`` alone.

    Cost:
        A million addresses, one core (as for the methods below): 0.02 s. Text adds 0.04 s (IPv4) to 0.1 s (IPv6).
    """
    from logblur.protect import prefix_kernels

    if not 0 <= ipv4_prefix <= 32 or not 0 <= ipv6_prefix <= 128:
        raise UsageError("an IPv4 prefix has 0 to 32 bits, an IPv6 prefix 0 to 128")
    blocks, valid = _addresses(column)
    high, low = _words(blocks)
    prefix_kernels.truncate(high, low, ipv4_prefix, ipv6_prefix)
    return _column(_blocks(high, low), valid)


def pseudonym(column: pa.Array, key: bytes, *, field: str) -> pa.Array:
    """Return a keyed replacement of each address: HMAC-SHA-256 over field and address, its first 128 bits.

    Args:
        column: Addresses; every spelling of one gives the same pseudonym.
        key: 16 bytes, an epoch's: with its end pseudonyms of before and after can no longer be joined.
        field: Name of the field, so that one address in two fields gives two pseudonyms.

    Raises:
        KeyMaterialError: A key of another length.

    Shapes:
        n rows give n rows of ``fixed_size_binary(16)``: the bytes whose hex digits `pseudonyms.pseudonyms` prints.

    Privacy:
        Who sees the result can link rows of one address, field and key, and nothing else. Who also has the key can
        find any address by trying: all of IPv4 takes minutes. There is no decryption; destroying the key ends it.

    Cost:
        One HMAC for each distinct address, after a sort. A million of them: 1.3 to 1.6 s.

    Source:
        RFC 2104, FIPS 198-1; truncation to 128 bits as RFC 2104 section 5 allows. Verified by RFC 4231, Wycheproof.
    """
    check_key(key, 16, "pseudonym")
    blocks, valid = _addresses(column)
    rows = np.flatnonzero(valid)
    high, low = _words(blocks[rows])
    order = np.lexsort((low, high))  # sorted, not hashed: nothing an attacker picks makes it slower
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(high[order]) != 0) | (np.diff(low[order]) != 0)
    distinct = blocks[rows[order[first]]].tobytes()
    mac = field_mac(key, field=field)
    made = b"".join([mac(distinct[at : at + ADDRESS])[:16] for at in range(0, len(distinct), ADDRESS)])
    out = np.zeros_like(blocks)
    out[rows[order]] = np.frombuffer(made, np.uint8).reshape(-1, ADDRESS)[np.cumsum(first) - 1]
    return _column(out, valid)


def ipcrypt_deterministic(column: pa.Array, key: bytes) -> pa.Array:
    """Return each address encrypted as one AES-128 block: an address again, nearly always IPv6.

    Args:
        column: Addresses.
        key: 16 bytes, used for nothing else.

    Raises:
        KeyMaterialError: A key of another length.

    Shapes:
        n rows give n rows of ``fixed_size_binary(16)``.

    Privacy:
        Who sees the result can tell which rows hold the same address, for as long as the key is used, and nothing
        else of it. Who also has the key reads every address.

    Cost:
        One AES block an address. A million: 0.01 s.

    Source:
        draft-denis-ipcrypt, "ipcrypt-deterministic".
    """
    from logblur.protect import aes

    check_key(key, 16, "ipcrypt-deterministic")
    blocks, valid = _addresses(column)
    return _column(aes.encrypted(blocks, key), valid)


def ipcrypt_deterministic_decrypt(column: pa.Array, key: bytes) -> pa.Array:
    """Return the addresses that `ipcrypt_deterministic` under this key made these of; any address decrypts to one."""
    from logblur.protect import aes

    check_key(key, 16, "ipcrypt-deterministic")
    blocks, valid = _addresses(column)
    return _column(aes.decrypted(blocks, key), valid)


def ipcrypt_pfx(column: pa.Array, key: bytes) -> pa.Array:
    """Return each address encrypted so that two share as many leading bits as before; IPv4 stays IPv4.

    Args:
        column: Addresses.
        key: 32 bytes, two different AES-128 keys, used for nothing else.

    Raises:
        KeyMaterialError: A key of another length, or one whose halves are equal.

    Shapes:
        n rows give n rows of ``fixed_size_binary(16)``, IPv4 in ::ffff:0:0/96.

    Privacy:
        Who sees the result can link rows of one address and sees which addresses are neighbours, and how close. Who
        knows some true addresses of it (their own visits, say) learns the prefixes that others share with them, bit
        by bit: with enough of these, or with the sizes of networks, whole networks are told. Who also has the key reads
        every address.

    Cost:
        Two AES blocks for each prefix that no address before it has, after a sort: at most 256 an address. A million
        distinct ones: 0.4 s (IPv4) to 1.5 s (IPv6, random).

    Source:
        draft-denis-ipcrypt, "Prefix-Preserving Encryption (ipcrypt-pfx)".
    """
    return _pfx(column, key, inverse=False)


def ipcrypt_pfx_decrypt(column: pa.Array, key: bytes) -> pa.Array:
    """Return the addresses that `ipcrypt_pfx` under this key made these of; costs the same."""
    return _pfx(column, key, inverse=True)


def ipcrypt_nd(column: pa.Array, key: bytes, *, tweaks: pa.Array | None = None) -> pa.Array:
    """Return each address encrypted with a tweak of its own: the tweak, then the ciphertext.

    Args:
        column: Addresses.
        key: 16 bytes, used for nothing else.
        tweaks: ``fixed_size_binary(8)``, one a row, to repeat what was made before; random where left out.

    Raises:
        KeyMaterialError: A key of another length.
        UsageError: Tweaks of another type or number, or null among them.

    Shapes:
        n rows give n rows of ``fixed_size_binary(24)``.

    Privacy:
        Who sees the result cannot tell whether two rows hold the same address, but where tweak and address are both the
        same, of which random tweaks give an even chance in four billion rows of one address under one key; beyond that
        take a new key or `ipcrypt_ndx`. Who also has the key reads every address. Nothing guards against changes.

    Cost:
        A kernel without tables (`kiasu_kernels`). A million addresses: 0.45 s.

    Source:
        draft-denis-ipcrypt, "ipcrypt-nd (KIASU-BC)".
    """
    from logblur.protect import ipcrypt

    check_key(key, 16, "ipcrypt-nd")
    blocks, valid = _addresses(column)
    chosen = _tweaks(tweaks, len(blocks), TWEAK_ND)
    return _column(np.hstack([chosen, ipcrypt.nd(blocks, chosen, key, inverse=False)]), valid)


def ipcrypt_nd_decrypt(column: pa.Array, key: bytes) -> pa.Array:
    """Return the addresses, ``fixed_size_binary(16)``, that `ipcrypt_nd` under this key made these of.

    Args:
        column: ``fixed_size_binary(24)``: tweak, then ciphertext.
        key: 16 bytes.
    """
    from logblur.protect import ipcrypt

    check_key(key, 16, "ipcrypt-nd")
    rows, valid = _binary(column, TWEAK_ND + ADDRESS)
    return _column(ipcrypt.nd(rows[:, TWEAK_ND:], rows[:, :TWEAK_ND], key, inverse=True), valid)


def ipcrypt_ndx(column: pa.Array, key: bytes, *, tweaks: pa.Array | None = None) -> pa.Array:
    """Return each address encrypted with a long tweak of its own: the tweak, then the ciphertext.

    Args:
        column: Addresses.
        key: 32 bytes, two different AES-128 keys, used for nothing else.
        tweaks: ``fixed_size_binary(16)``, one a row, to repeat what was made before; random where left out.

    Raises:
        KeyMaterialError: A key of another length, or one whose halves are equal.
        UsageError: Tweaks of another type or number, or null among them.

    Shapes:
        n rows give n rows of ``fixed_size_binary(32)``.

    Privacy:
        Who sees the result cannot tell whether two rows hold the same address: random tweaks do not repeat within
        2^64 rows. Who also has the key reads every address. Nothing guards against changes.

    Cost:
        Two AES blocks an address, and the random tweaks. A million: 0.1 s.

    Source:
        draft-denis-ipcrypt, "ipcrypt-ndx (AES-XTS)": AES-XTS of one block is XEX.
    """
    from logblur.protect import ipcrypt

    check_key(key, 32, "ipcrypt-ndx")
    blocks, valid = _addresses(column)
    chosen = _tweaks(tweaks, len(blocks), TWEAK_NDX)
    return _column(np.hstack([chosen, ipcrypt.ndx(blocks, chosen, key, inverse=False)]), valid)


def ipcrypt_ndx_decrypt(column: pa.Array, key: bytes) -> pa.Array:
    """Return the addresses, ``fixed_size_binary(16)``, that `ipcrypt_ndx` under this key made these of.

    Args:
        column: ``fixed_size_binary(32)``: tweak, then ciphertext.
        key: 32 bytes.
    """
    from logblur.protect import ipcrypt

    check_key(key, 32, "ipcrypt-ndx")
    rows, valid = _binary(column, TWEAK_NDX + ADDRESS)
    tweaks, blocks = np.ascontiguousarray(rows[:, :TWEAK_NDX]), np.ascontiguousarray(rows[:, TWEAK_NDX:])
    return _column(ipcrypt.ndx(blocks, tweaks, key, inverse=True), valid)


def cryptopan(column: pa.Array, key: bytes) -> pa.Array:
    """Return each address through Crypto-PAn, for data that must join older sets; IPv4 stays IPv4.

    Args:
        column: Addresses.
        key: 32 bytes: an AES-128 key, then what its pad is made of.

    Raises:
        KeyMaterialError: A key of another length.

    Shapes:
        n rows give n rows of ``fixed_size_binary(16)``, IPv4 in ::ffff:0:0/96.

    Privacy:
        As `ipcrypt_pfx`, which new data should take: here IPv4 and the first 32 bits of IPv6 go through the same
        function, so that a known address of one family tells of the other.

    Cost:
        One AES block for each prefix that no address before it has. A million distinct ones: 0.4 s (IPv4) to 1.6 s
        (IPv6, random).

    Source:
        Xu, Fan, Ammar, Moon, "Prefix-Preserving IP Address Anonymization: Measurement-Based Security Evaluation and a
        New Cryptography-Based Scheme" (2002). Verified by the sample trace of its authors.
    """
    return _cryptopan(column, key, inverse=False)


def cryptopan_decrypt(column: pa.Array, key: bytes) -> pa.Array:
    """Return the addresses that `cryptopan` under this key made these of; costs the same."""
    return _cryptopan(column, key, inverse=True)


ENCRYPTED: Final[Mapping[Method, Callable[[pa.Array, bytes], pa.Array]]] = {
    "ipcrypt-deterministic": ipcrypt_deterministic,
    "ipcrypt-pfx": ipcrypt_pfx,
    "ipcrypt-nd": ipcrypt_nd,
    "ipcrypt-ndx": ipcrypt_ndx,
    "cryptopan": cryptopan,
}
"""How an address is encrypted: by its column and the operator's key."""


def _pfx(column: pa.Array, key: bytes, *, inverse: bool) -> pa.Array:
    from logblur.protect import prefixes

    check_key(key, 32, "ipcrypt-pfx")
    blocks, valid = _addresses(column)
    return _column(_blocks(*prefixes.pfx(*_words(blocks), key, inverse=inverse)), valid)


def _cryptopan(column: pa.Array, key: bytes, *, inverse: bool) -> pa.Array:
    from logblur.protect import prefixes

    check_key(key, 32, "cryptopan")
    blocks, valid = _addresses(column)
    return _column(_blocks(*prefixes.cryptopan(*_words(blocks), key, inverse=inverse)), valid)


def check_key(key: bytes, size: int, method: str, *, name: str = "") -> None:
    """Refuse a key that is not ``size`` bytes, or whose two halves are equal where there are two.

    Equal halves cancel out: ipcrypt-pfx would return what it was given (draft-denis-ipcrypt, "Key Requirements"), and
    XEX with one key for both falls to chosen ciphertexts (NIST SP 800-38E; FIPS 140-3 IG C.I).

    Raises:
        KeyMaterialError: Names the method and the sizes, never a byte of the key.
    """
    which = f"the key {name!r}: " if name else ""
    if not isinstance(key, bytes):
        raise KeyMaterialError(f"{which}{method} takes its key as bytes, {size} of them")
    if len(key) != size:
        raise KeyMaterialError(f"{which}{method} takes a key of {size} bytes, not of {len(key)}; make a random one")
    if method.startswith("ipcrypt") and size == 2 * ADDRESS and key[:ADDRESS] == key[ADDRESS:]:
        raise KeyMaterialError(
            f"{which}the two halves of this {method} key are equal, which undoes it; make a random one"
        )


def _addresses(column: pa.Array) -> tuple[Bytes, Rows]:
    """Return each address as 16 bytes, zeros where there is none, and where there is one."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        found = parse_addresses(column.cast(pa.large_string()))
        return _blocks(found.high, found.low), found.family != 0
    return _binary(column, ADDRESS)


def _binary(column: pa.Array, size: int) -> tuple[Bytes, Rows]:
    """Return a copy of each value, zeros where it is null, and where it is not."""
    if column.type != pa.binary(size):
        strings = " or of strings" if size == ADDRESS else ""
        raise UsageError(f"this takes a column of fixed_size_binary({size}){strings}; the one given has another type")
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    valid = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    values = np.frombuffer(column.buffers()[1] or b"", np.uint8)[column.offset * size :][: len(column) * size]
    rows = values.reshape(-1, size).copy()
    rows[~valid] = 0  # under a null Arrow may hold anything
    return rows, valid


def _tweaks(given: pa.Array | None, rows: int, size: int) -> Bytes:
    if given is None:
        return np.frombuffer(os.urandom(rows * size), np.uint8).reshape(rows, size)
    tweaks, valid = _binary(given, size)
    if len(tweaks) != rows or not valid.all():
        raise UsageError("there must be one tweak for each row, none of them null")
    return tweaks


def _column(rows: Bytes, valid: Rows) -> pa.Array:
    """Return the rows as a column, null and zeros where not valid."""
    rows[~valid] = 0
    present = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [present, pa.py_buffer(np.ascontiguousarray(rows))]
    return pa.Array.from_buffers(pa.binary(rows.shape[1]), len(rows), buffers)


def _words(blocks: Bytes) -> tuple[Words, Words]:
    words = blocks.view(">u8")
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)


def _blocks(high: Words, low: Words) -> Bytes:
    words = np.empty((len(high), 2), ">u8")
    words[:, 0], words[:, 1] = high, low
    return words.view(np.uint8)


def _mask(bits: int) -> tuple[np.uint64, np.uint64]:
    mask = (1 << 128) - (1 << 128 - bits)
    return np.uint64(mask >> 64), np.uint64(mask & (1 << 64) - 1)
