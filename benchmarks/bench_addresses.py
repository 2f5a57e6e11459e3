"""Addresses: what each method costs over a column of distinct ones, one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from logblur.protect import addresses

from .figures import Figure, Scale

KEY16, KEY32 = bytes(range(16)), bytes(range(32))

METHODS: Final[Mapping[str, tuple[float, Callable[[pa.Array], pa.Array]]]] = {
    "truncate": (0.3, lambda c: addresses.truncate(c, ipv4_prefix=16, ipv6_prefix=32)),
    "pseudonym": (2.5, lambda c: addresses.pseudonym(c, KEY16, field="remote_addr")),
    "ipcrypt-deterministic": (0.3, lambda c: addresses.ipcrypt_deterministic(c, KEY16)),
    "ipcrypt-ndx": (0.3, lambda c: addresses.ipcrypt_ndx(c, KEY32)),
    "ipcrypt-nd": (2.0, lambda c: addresses.ipcrypt_nd(c, KEY16)),
    "ipcrypt-pfx": (4.0, lambda c: addresses.ipcrypt_pfx(c, KEY32)),
    "cryptopan": (4.0, lambda c: addresses.cryptopan(c, KEY32)),
}
"""By method, the most a million distinct addresses may cost, in seconds of one core, and the call."""


def figures(scale: Scale) -> Sequence[Figure]:
    """Return the processor seconds of a million distinct addresses of each family, measured on as many as lines."""
    found = []
    for family in ("IPv4", "IPv6"):
        column = distinct(family, scale.lines)
        for name, (bar, method) in METHODS.items():
            method(column.slice(0, 100))  # compiled
            spent = []
            for _ in range(scale.rounds):
                start = time.process_time()
                method(column)
                spent.append(time.process_time() - start)
            value = statistics.median(spent) / scale.lines * 1_000_000
            found.append(Figure(f"{name}, a million {family}", round(value, 3), "s", bar, "less", "processor time"))
    return found


def distinct(family: str, count: int) -> pa.Array:
    """Return distinct random addresses of a family, as bytes."""
    rows = np.random.default_rng(4).integers(0, 256, (count, 16), np.uint8)
    if family == "IPv4":
        rows[:, :12] = (*bytes(10), 255, 255)
        rows[:, 12:] = (np.arange(count, dtype=np.uint32) * np.uint32(2654435761)).view(np.uint8).reshape(-1, 4)
    return pa.Array.from_buffers(pa.binary(16), count, [None, pa.py_buffer(rows)])
