"""Test 4: can what stands for an address be turned back into it?

A hash without a key is turned back by trying: the addresses of the raw log, then private ranges, then all of IPv4. A
pseudonym under a key that never dies links days. A masked address still stands for few where few are in its network.
"""

from __future__ import annotations

import hashlib
import math
import time
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.policy.lint import FINEST_IPV4, FINEST_IPV6
from logblur.privacy import hash_kernels as kernels
from logblur.privacy.identifiers import Digests, Identifier, digests, masks
from logblur.privacy.report import Result, Verdict, verdict_of
from logblur.protect.addresses import parse_addresses

NAMES: Final = {
    kernels.SHA256: "SHA-256",
    kernels.SHA1: "SHA-1",
    kernels.MD5: "MD5",
    kernels.CRC32: "CRC-32",
    kernels.XXH64: "XXH64",
    kernels.XXH32: "XXH32",
}
_SIZES: Final = {kernels.SHA256: 256, kernels.SHA1: 160, kernels.MD5: 128, kernels.XXH64: 64}
_ORACLES: Final[dict[int, Callable[[bytes], bytes]]] = {
    kernels.SHA256: lambda text: hashlib.sha256(text).digest(),
    kernels.SHA1: lambda text: hashlib.sha1(text, usedforsecurity=False).digest(),
    kernels.MD5: lambda text: hashlib.md5(text, usedforsecurity=False).digest(),
    kernels.CRC32: lambda text: zlib.crc32(text).to_bytes(4, "big"),
}
_TOOLS: Final = {(kernels.SHA256, 32): " (as Caddy's hash)", (kernels.SHA256, 256): " (as Fluent Bit's hash)"}
_MASKS: Final = {16: " (as Matomo does)", 20: " (as Anonip does)", 24: " (as GoAccess does)"}
_PRIVATE: Final = ((0x0A000000, 1 << 24), (0xAC100000, 1 << 20), (0xC0A80000, 1 << 16), (0x64400000, 1 << 22))
_STEP: Final = 1 << 20
_SHORTEST: Final = 24  # bits: of fewer nothing can be said
_FINEST: Final = {4: FINEST_IPV4, 6: FINEST_IPV6}
_SURE: Final = 5.0  # standard deviations above chance


@dataclass(slots=True)
class _Attack:
    """One hash, tried on one column."""

    column: Identifier
    digests: Digests
    kind: int
    hit: npt.NDArray[np.uint8]
    tried: int = 0
    covered: float = 0.0

    @property
    def bits(self) -> int:
        """Bits that are compared."""
        return min(self.digests.bits, _SIZES.get(self.kind, 32), 64)

    @property
    def reversed(self) -> bool:
        """Whether more was found than chance gives."""
        found, count = int(self.hit.sum()), len(self.hit)
        if self.bits >= 64:
            return found > 0
        chance = -math.expm1(-self.tried / 2**self.bits)
        return found > count * chance + _SURE * math.sqrt(count * chance * (1 - chance)) + 2

    @property
    def said(self) -> str:
        """What was found, in words."""
        whole = self.digests.bits == _SIZES.get(self.kind, 32)
        cut = "" if whole else f", first {self.digests.bits} bits"
        tool = _TOOLS.get((self.kind, self.digests.bits), "")
        return (
            f"{self.column.place}, {self.column.name}: {int(self.hit.sum()):,} of {len(self.hit):,} values are "
            f"{NAMES[self.kind]} of addresses{cut}{tool}"
        )


def reversal(columns: Sequence[Identifier], raw: Collection[str], *, seconds: float) -> Result:
    """Attack the columns that look like digests of addresses; fail where more is turned back than chance gives.

    Args:
        columns: What may stand for people.
        raw: Addresses of the raw log, as text; tried first.
        seconds: How long private ranges, then the rest of IPv4, may be tried.

    Cost:
        The raw log's addresses are always tried, a microsecond for each hash; then ``seconds``. A processor tries 3 to
        20 million addresses a second, by hash.
    """
    attacks = []
    for column in columns:
        found = digests(column)
        if found is None or found.bits < _SHORTEST:
            continue
        for kind in NAMES:
            if found.bits <= _SIZES.get(kind, 32):
                attacks.append(_Attack(column, found, kind, np.zeros(len(found.first), np.uint8)))
    if not attacks:
        return Result("reversal", Verdict.PASSED, "no column looks like digests of addresses")
    for attack in attacks:
        _try_known(attack, raw)
    deadline = time.monotonic() + seconds
    _try_ranges(attacks, deadline)
    bad = [attack.said for attack in attacks if attack.reversed]
    done = {id(attack.column) for attack in attacks if attack.reversed}
    places = len({id(attack.column) for attack in attacks})
    least = min((attack.covered for attack in attacks if id(attack.column) not in done), default=1.0)
    words = f"{places} columns that look like digests; {least:.1%} of IPv4 tried on what stands"
    return verdict_of("reversal", bad, words, {"columns": places, "covered": round(least, 4)})


def _try_known(attack: _Attack, raw: Collection[str]) -> None:
    """Try the raw log's addresses, as text and as bytes."""
    if attack.kind not in _ORACLES:
        found = parse_addresses(pa.array(sorted(raw), pa.large_string()))
        values = np.unique(found.low[found.family == 4] & np.uint64(0xFFFFFFFF))
        if len(values):
            _run(attack, values, len(values))
        return
    oracle, mask = _ORACLES[attack.kind], _mask(attack)
    found = parse_addresses(pa.array(sorted(raw), pa.large_string()))
    packed = [
        low.to_bytes(8, "big")[4:] if family == 4 else high.to_bytes(8, "big") + low.to_bytes(8, "big")
        for high, low, family in zip(found.high.tolist(), found.low.tolist(), found.family.tolist(), strict=True)
        if family
    ]
    inputs = {text.encode() for text in raw} | set(packed)
    words = [int.from_bytes(oracle(text)[:8].ljust(8, b"\0"), "big") & int(mask) for text in inputs]
    attack.hit[np.isin(attack.digests.first, np.array(words, np.uint64))] = 1
    attack.tried += len(inputs)


def _try_ranges(attacks: list[_Attack], deadline: float) -> None:
    """Try private ranges, then the rest of IPv4, until time is up, all attacks in turn."""
    with ThreadPoolExecutor(2) as pool:
        for first, count in _ranges():
            done = {id(attack.column) for attack in attacks if attack.reversed}  # with one hash or another
            going = [attack for attack in attacks if id(attack.column) not in done]
            if not going or time.monotonic() > deadline:
                return
            start = np.array([first], np.uint64)
            list(pool.map(lambda attack, start=start, count=count: _run(attack, start, count), going))
            for attack in going:
                attack.covered += count / 2**32


def _ranges() -> Iterator[tuple[int, int]]:
    for first, size in _PRIVATE:
        for at in range(first, first + size, _STEP):
            yield at, min(_STEP, first + size - at)
    private = [(first, first + size) for first, size in _PRIVATE]
    for at in range(0x01000000, 0xE0000000, _STEP):
        if not any(low <= at < high for low, high in private):
            yield at, _STEP


def _run(attack: _Attack, addresses: npt.NDArray[np.uint64], count: int) -> None:
    first = attack.digests.first & _mask(attack)
    targets, inverse = np.unique(first, return_inverse=True)
    bits = np.zeros(1 << 18, np.uint64)
    tops = (targets >> np.uint64(40)).astype(np.int64)
    np.bitwise_or.at(bits, tops >> 6, np.uint64(1) << (tops & 63).astype(np.uint64))
    hit = np.zeros(len(targets), np.uint8)
    attack.tried += int(kernels.attack(attack.kind, addresses, count, _mask(attack), targets, bits, hit))
    attack.hit |= hit[inverse]


def _mask(attack: _Attack) -> np.uint64:
    return np.uint64(((1 << attack.bits) - 1) << (64 - attack.bits))


def constant_keys(columns: Sequence[Identifier]) -> Result:
    """Fail where what stands for people is the same on two days: whoever has one day knows the other."""
    bad, tried = [], 0
    for column in columns:
        days = {day: values for day, values in column.days.items() if day and values}
        whole = any(address.whole for address in masks(column))
        if len(days) < 2 or (digests(column) is None and not whole and not _random(column)):
            continue
        tried += 1
        order = sorted(days)
        for one, two in pairwise(order):
            both = days[one] & days[two]
            if len(both) >= 3 and len(both) > 0.01 * min(len(days[one]), len(days[two])):
                bad.append(f"{column.place}, {column.name}: {len(both):,} values are the same on two days")
                break
    if not tried:
        return Result("linked days", Verdict.PASSED, "no column of identifiers over several days")
    return verdict_of("linked days", bad, f"{tried} columns of identifiers over several days", {"columns": tried})


def _random(column: Identifier) -> bool:
    """Say whether a column looks like pseudonyms: texts, most of one length, letters and digits mixed."""
    values = column.values - {"", "-", "(none)", "(other)"}
    length, count = max(Counter(map(len, values)).items(), key=lambda pair: pair[1], default=(0, 0))
    if length < 8 or count < max(3, len(values) / 2):
        return False
    texts = [value for value in values if len(value) == length]
    mixed = sum(any(c.isdigit() for c in text) and any(c.isalpha() for c in text) for text in texts)
    return mixed > 0.9 * count


def masked_addresses(columns: Sequence[Identifier], raw: Collection[str], *, enough: int) -> Result:
    """Fail where addresses stand whole, masked finer than /24 and /48, or to networks of few clients of the raw log."""
    found = parse_addresses(pa.array(sorted(raw), pa.large_string()))
    clients = np.unique(found.low[found.family == 4] & np.uint64(0xFFFFFFFF))
    bad, said = [], []
    for column in columns:
        for address in masks(column):
            where = f"{column.place}, {column.name}"
            kind = "addresses" if address.family == 4 else "IPv6 addresses"
            passed = int(np.count_nonzero(~address.masked))
            if address.whole:
                bad.append(f"{where}: {passed:,} whole {kind}")
                continue
            tool = _MASKS.get(address.prefix, "") if address.family == 4 else ""
            said.append(f"{where}: {kind} masked to /{address.prefix}{tool}")
            if passed:
                bad.append(
                    f"{where}: {passed:,} {kind} pass unmasked among {len(address.values) - passed:,} masked ones"
                )
            if address.prefix > _FINEST[address.family]:
                bad.append(f"{where}: {kind} masked to /{address.prefix}, finer than /{_FINEST[address.family]}")
            if len(clients) and address.family == 4:
                shift = np.uint64(32 - address.prefix)
                networks, counts = np.unique(clients >> shift, return_counts=True)
                few = np.isin(address.values[address.masked] >> shift, networks[counts < enough])
                if few.any():
                    bad.append(
                        f"{where}: {np.count_nonzero(few):,} of {len(few):,} masked addresses stand for fewer than "
                        f"{enough} clients of the raw log"
                    )
    if not said and not bad:
        return Result("masked addresses", Verdict.PASSED, "no column of addresses")
    return verdict_of("masked addresses", bad, "; ".join(said) or "addresses stand whole", {"columns": len(said)})
