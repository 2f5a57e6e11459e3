"""What must not be found: the identifying values of raw logs, in every form that a careless tool gives them."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.jit import Ints
from logblur.privacy import form_kernels, search_kernels
from logblur.privacy.haystack import KIND, Haystack, Spans, joined, power_of_two
from logblur.privacy.raw import RawBatch, addresses_of
from logblur.protect import printing_kernels
from logblur.protect.addresses import Addresses, joined_texts

_EMAIL: Final = re.compile(r"[^\s@/:;,<>()\[\]\"'=&?%]+@[\w-]+(?:\.[\w-]+)+")
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f:.]{7,}")
_COOKIES: Final = re.compile(r"cookies|http_cookie|cookie_.*")
_LONGEST_ADDRESS: Final = 39
_PAIRS: Final = 1 << 16


class Values:
    """The identifying values of raw logs, gathered batch by batch.

    Attributes:
        kinds: By value what it is: address, user, e-mail, cookie, query value.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}

    def gather(self, batch: RawBatch) -> None:
        """Take up the values of some rows."""
        for name, texts in batch.texts.items():
            for text in filter(None, texts.to_pylist()):
                for kind, value in _values(name, text):
                    self.kinds.setdefault(value, kind)

    def spans(self) -> Spans:
        """Return the values, in their order."""
        return Spans.of(value.encode("utf-8", "surrogatepass") for value in self.kinds)

    def addresses(self) -> Addresses:
        """Return the address that each value is; family 0 for values of other kinds."""
        texts = pa.array([v if kind == "address" else None for v, kind in self.kinds.items()], pa.large_string())
        return addresses_of(texts)


class Clients:
    """By value how many distinct clients' lines hold it, in whatever field; counted up to ``enough``.

    Args:
        haystack: The values as needles.
        enough: How far is counted.

    Attributes:
        counts: int64, by value.

    Cost:
        16 to 32 bytes for each value and client, at most ``enough`` clients a value.
    """

    def __init__(self, haystack: Haystack, enough: int) -> None:
        self.counts: Ints = np.zeros(len(haystack.first), np.int64)
        self._haystack, self._enough = haystack, enough
        self._known, self._size = np.zeros(4 * _PAIRS, np.uint64), np.int64(0)
        self._seed = np.uint64(int.from_bytes(os.urandom(8), "little"))

    def count(self, batch: RawBatch) -> None:
        """Count the clients of some rows."""
        clients, numbers = np.unique(batch.clients, return_inverse=True)
        for name, texts in batch.texts.items():
            lines = pc.fill_null(texts, "")
            _, limits, _ = lines.buffers() if not lines.offset else pa.concat_arrays([lines]).buffers()
            offsets = np.frombuffer(limits, np.int64, len(lines) + 1) + np.arange(len(lines) + 1)
            found, places = self._haystack.search(joined(lines))
            codes = np.searchsorted(offsets, places, side="right") - 1
            pairs = np.unique(batch.codes[name].astype(np.int64) * len(clients) + numbers)
            begins = np.searchsorted(pairs, codes * len(clients))
            ends = np.searchsorted(pairs, (codes + 1) * len(clients))
            self._add(found, begins, ends, clients[pairs % len(clients)])

    def _add(self, found: npt.NDArray[np.int32], begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64],
             clients: npt.NDArray[np.uint64]) -> None:  # fmt: skip
        done = 0
        while done < len(found):
            room = max(_PAIRS, self._enough)
            if 2 * (self._size + room) > len(self._known):
                larger = np.zeros(power_of_two(4 * (int(self._size) + room)), np.uint64)
                search_kernels.moved(self._known, larger)
                self._known = larger
            added, at = search_kernels.count_clients(
                found, begins, ends, clients, self._enough, self._seed, self._known, self.counts, done, room
            )
            done = int(at)
            self._size += added

    def common(self) -> npt.NDArray[np.bool_]:
        """Return by value whether lines of enough clients hold it; spellings that differ in case are one."""
        first = self._haystack.first
        return (first >= 0) & (self.counts[np.maximum(first, 0)] >= self._enough)


def _values(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield what identifies in a field's text, as (kind, value)."""
    if name == "remote_addr":
        yield "address", text
        if len(text) <= _LONGEST_ADDRESS and " " not in text and "," not in text:
            return
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
            if _is_address(found):
                yield "address", found
    for found in _EMAIL.findall(unquote_plus(text)) if "@" in text or "%40" in text else ():
        yield "e-mail", found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, eq=False)
class Needles:
    """Every form of every value.

    Attributes:
        forms: Names of forms; needle number ``f * len(values) + v`` is form f of value v.
        values: How many values there are.
        haystack: All of them, indexed.
    """

    forms: tuple[str, ...]
    values: int
    haystack: Haystack

    def __len__(self) -> int:
        return int(np.count_nonzero(self.haystack.first == np.arange(len(self.haystack.first))))


def forms(values: Spans, found: Addresses) -> Needles:
    """Return every form of every value.

    Args:
        values: The values; of equal forms the first one's is found.
        found: The address that each value is.
    """
    network = np.where((found.family != 0) & (found.low & np.uint64(0xFF) == 0), search_kernels.NO_NETWORK, 0)
    packed = _packed(found)
    made = [
        ("raw", trimmed(values), network),
        ("raw", _texts(found), network),
        ("reversed", _spelled(form_kernels.REVERSED, values), network),
        ("percent", _spelled(form_kernels.PERCENT, values), 0),
        ("percent", _spelled(form_kernels.ALL_PERCENT, values), 0),
        ("hex", _spelled(form_kernels.HEX, values), 0),
        ("base64", _spelled(form_kernels.BASE64, values), search_kernels.CASED),
        ("base64", _spelled(form_kernels.BASE64URL, values), search_kernels.CASED),
        ("hex", _spelled(form_kernels.HEX, packed), 0),
        ("raw", _spelled(form_kernels.GROUPS, _only(packed, found.family == 6)), 0),
        ("integer", _numbers(found), search_kernels.ALONE),
    ]
    made = [(name, spans, flags) for name, spans, flags in made if np.any(spans.ends > spans.starts)]
    flags = [np.broadcast_to(np.asarray(flags, np.uint8), len(values)) for *_, flags in made]
    spans = Spans.joined([spans for _, spans, _ in made] or [values])
    haystack = Haystack(spans, np.concatenate(flags or [np.zeros(len(values), np.uint8)]))
    return Needles(tuple(name for name, *_ in made) or ("raw",), len(values), haystack)


def trimmed(spans: Spans) -> Spans:
    """Return what of texts can be looked for: nothing of a short one, the beginning of a long one."""
    starts, ends = spans.starts.copy(), spans.ends.copy()
    form_kernels.trim(spans.arena, KIND, starts, ends)
    return Spans(spans.arena, starts, ends)


def _spelled(form: int, values: Spans) -> Spans:
    size = form_kernels.LONGEST * int(np.sum(values.ends - values.starts) + len(values)) + 1
    out, begins, limits = np.empty(size, np.uint8), np.empty(len(values), np.int64), np.empty(len(values), np.int64)
    form_kernels.spell(form, values.arena, values.starts, values.ends, out, begins, limits)
    return trimmed(Spans(out[: max(1, int(limits[-1]) if len(limits) else 1)].copy(), begins, limits))


def _only(values: Spans, wanted: npt.NDArray[np.bool_]) -> Spans:
    return Spans(values.arena, values.starts, np.where(wanted, values.ends, values.starts))


def _packed(found: Addresses) -> Spans:
    """Return the bytes of each address, four or sixteen."""
    words = np.stack([found.high, found.low], axis=1).astype(">u8")
    ends = np.arange(1, len(words) + 1) * 16
    sizes = np.where(found.family == 4, 4, np.where(found.family == 6, 16, 0))
    return Spans(np.append(words.view(np.uint8).reshape(-1), np.uint8(0)), ends - sizes, ends)


def _texts(found: Addresses) -> Spans:
    """Return the text of each address, RFC 5952."""
    out, ends = joined_texts(found, printing_kernels.PLAIN)
    starts = np.append(0, ends[:-1])[: len(ends)]
    return _only(Spans(out, starts, ends), found.family != 0)


def _numbers(found: Addresses) -> Spans:
    """Return each address as a decimal number."""
    v4 = found.family == 4
    halves = np.zeros((len(v4), 4), "<u8")
    halves[:, 0] = np.where(v4, found.low & np.uint64(0xFFFFFFFF), found.low)
    halves[:, 1] = np.where(v4, np.uint64(0), found.high)
    whole = pa.Array.from_buffers(pa.decimal256(39, 0), len(v4), [None, pa.py_buffer(halves.tobytes())])
    return _only(Spans.of(whole.cast(pa.large_string())), found.family != 0)
