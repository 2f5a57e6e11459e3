"""What must not be found: the identifying values of raw logs, in every form that a careless tool gives them."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_from_bytes, unquote_plus

import numpy as np
import numpy.typing as npt

from logblur.jit import Codes, Ints
from logblur.privacy import search_kernels as kernels
from logblur.privacy.raw import RawBatch

SHORTEST: Final = 7
"""Characters of a needle, at least: shorter ones are found anywhere by chance."""

_WORD: Final = re.compile(rb"[0-9A-Za-z\x80-\xff]+")
_EMAIL: Final = re.compile(r"[^\s@/:;,<>()\[\]\"'=&?%]+@[\w-]+(?:\.[\w-]+)+")
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f:.]{7,}")
_COOKIES: Final = re.compile(r"cookies|http_cookie|cookie_.*")


class Haystack:
    """Needles, indexed so that a text is searched for all of them in one pass.

    Args:
        needles: Each needle's bytes and flags (`search_kernels.CASED` and its neighbours).

    Cost:
        About 100 bytes a needle. A search reads 150 to 400 MB a second, however many needles there are.
    """

    def __init__(self, needles: Iterable[tuple[bytes, int]]) -> None:
        self._kind = np.array([_kind(byte) for byte in range(256)], np.uint8)
        self._fold = np.arange(256, dtype=np.uint8)
        self._fold[65:91] += 32
        texts, flags = [], []
        for text, flag in needles:
            texts.append(text)
            flags.append(flag)
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
        self._arena = np.frombuffer(b"".join(texts) or b"\0", np.uint8)
        self._ends, self._flags = ends, np.array(flags, np.uint8)
        self._starts = np.append(0, ends[:-1]) if len(ends) else ends
        self._seed = np.uint64(int.from_bytes(os.urandom(8), "little"))
        letters = self._kind[self._arena] == 1
        words = len(texts) + int(np.count_nonzero(letters[1:] & ~letters[:-1]))  # at least as many as there are
        size = 1 << max(10, (words * 2).bit_length())
        self._keys, self._finals = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
        self._deeper, self._bits = np.zeros(size, np.uint8), np.zeros(max(size // 8, 1 << 10), np.uint64)
        kernels.index(
            self._arena, self._starts, self._ends, self._fold, self._kind, self._seed,
            self._keys, self._finals, self._deeper, self._bits,
        )  # fmt: skip

    def search(self, text: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]) -> tuple[Codes, Ints]:
        """Add to the counts, by needle; return which needles were found and where, as many as there is room for."""
        found, places = np.empty(len(text) // SHORTEST + 1, np.int32), np.empty(len(text) // SHORTEST + 1, np.int64)
        hits = kernels.search(
            text, 0, len(text), len(text), self._arena, self._starts, self._ends, self._flags,
            self._fold, self._kind, self._seed, self._keys, self._finals, self._deeper, self._bits,
            counts, found, places,
        )  # fmt: skip
        return found[:hits], places[:hits]


def _kind(byte: int) -> int:
    return 2 if byte == 10 else int(byte >= 128 or chr(byte).isalnum())


@dataclass(slots=True)
class Values:
    """The identifying values of raw logs.

    Attributes:
        kinds: By value what it is: address, user, e-mail, cookie, query value.
        clients: By value how many distinct clients' lines hold it, in whatever field; counted up to ``enough``.
        enough: From so many clients on a value is of no one's.
    """

    enough: int
    kinds: dict[bytes, str] = field(default_factory=dict)
    clients: dict[bytes, set[int]] = field(default_factory=dict)

    def gather(self, batch: RawBatch) -> None:
        """Take up the values of some rows."""
        for name, texts in batch.texts.items():
            for text in filter(None, texts.to_pylist()):
                for kind, value in _values(name, text):
                    if trimmed := _trimmed(value.encode("utf-8", "surrogatepass")):
                        self.kinds.setdefault(trimmed, kind)

    def haystack(self) -> tuple[list[bytes], Haystack]:
        """Return the values, and themselves as needles."""
        values = list(self.kinds)
        return values, Haystack((value, 0) for value in values)

    def count_clients(self, values: list[bytes], haystack: Haystack, batch: RawBatch) -> None:
        """Note the clients whose lines hold each value, in any of these rows' fields."""
        scratch = np.zeros(len(values), np.int64)
        clients, numbers = np.unique(batch.clients, return_inverse=True)
        for name, texts in batch.texts.items():
            lines = [b"" if text is None else _line(text) for text in texts.to_pylist()]
            offsets = np.cumsum([0, *(len(line) + 1 for line in lines)])
            found, places = haystack.search(np.frombuffer(b"\n".join(lines) or b"\n", np.uint8), scratch)
            codes = np.searchsorted(offsets, places, side="right") - 1
            pairs = np.unique(batch.codes[name].astype(np.int64) * len(clients) + numbers)
            begins = np.searchsorted(pairs, codes * len(clients))
            ends = np.minimum(np.searchsorted(pairs, (codes + 1) * len(clients)), begins + self.enough)
            for needle, begin, end in zip(found.tolist(), begins.tolist(), ends.tolist(), strict=True):
                known = self.clients.setdefault(values[needle], set())
                if len(known) < self.enough:
                    known.update(clients[pairs[begin:end] % len(clients)].tolist())

    def common(self, value: bytes) -> bool:
        """Say whether lines of enough clients hold a value."""
        return len(self.clients.get(value, ())) >= self.enough


def _line(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").replace(b"\n", b" ")


def _values(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield what identifies in a field's text, as (kind, value)."""
    if name == "remote_addr":
        yield "address", text
    elif name == "remote_user":
        yield "user", text
    elif _COOKIES.fullmatch(name):
        for pair in text.split(";"):
            yield "cookie", pair.partition("=")[2].strip() or pair.strip()
    if name in {"query", "referer"}:
        query = text.partition("?")[2].partition("#")[0] if name == "referer" else text.lstrip("?")
        for pair in re.split("[&;]", query):
            yield "query value", unquote_plus(pair.partition("=")[2] or pair)
    if name != "user_agent":
        for found in _ADDRESS.findall(text):
            if _parsed(found):
                yield "address", found
    for found in _EMAIL.findall(unquote_plus(text)) if "@" in text or "%40" in text else ():
        yield "e-mail", found


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _trimmed(text: bytes) -> bytes:
    """Return a needle from its first word to its last, as far as the kernel looks; empty where it is too short."""
    start = end = -1
    for number, word in enumerate(_WORD.finditer(text)):
        gap = text[end : word.start()]
        if number == kernels.WORDS or (number and (len(gap) > kernels.GAP or b"\n" in gap)):
            break
        start, end = word.start() if start < 0 else start, word.end()
    return text[start:end] if end - start >= SHORTEST else b""


@dataclass(frozen=True, slots=True)
class Needle:
    """One form of one value."""

    value: bytes
    form: str


def forms(values: Mapping[bytes, str]) -> tuple[list[Needle], Haystack]:
    """Return every form of every value, and all of them as needles."""
    needles: list[Needle] = []
    flagged: list[tuple[bytes, int]] = []
    seen: set[bytes] = set()
    for value, kind in values.items():
        for form, text, flag in _forms(value, kind):
            if len(text) >= SHORTEST and text not in seen:
                seen.add(text)
                needles.append(Needle(value, form))
                flagged.append((text, flag))
    return needles, Haystack(flagged)


def _forms(value: bytes, kind: str) -> Iterator[tuple[str, bytes, int]]:
    """Yield (form, needle, flags) of a value that is trimmed; so is every needle."""
    found = _parsed(value.decode("utf-8", "replace")) if kind == "address" else None
    flag = kernels.NO_NETWORK if found and (int(found) & 0xFF) == 0 else 0
    yield "raw", value, flag
    yield "reversed", value[::-1], flag
    quoted = quote_from_bytes(value, safe="")
    if "%" in quoted:
        yield "percent", _trimmed(quoted.encode()), 0
    digits = value.hex()
    yield "hex", digits.encode(), 0
    pairs = digits[: 2 * kernels.WORDS]
    yield "percent", "%".join(pairs[at : at + 2] for at in range(0, len(pairs), 2)).encode(), 0
    encoded = base64.b64encode(value).rstrip(b"=")
    yield "base64", _trimmed(encoded), kernels.CASED
    if not encoded.isalnum():
        yield "base64", _trimmed(base64.urlsafe_b64encode(value)), kernels.CASED
    if found:
        text = str(found)
        yield "raw", text.encode(), flag
        if found.version == 6:
            yield "raw", found.exploded.encode(), flag
        yield "hex", found.packed.hex().encode(), 0
        yield "integer", str(int(found)).encode(), kernels.ALONE
