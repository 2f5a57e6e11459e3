"""Addresses: what each method costs over a column of distinct ones, held against its bar."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from logblur.protect import addresses

COUNT = 100_000
KEY16, KEY32 = bytes(range(16)), bytes(range(32))

METHODS: dict[str, tuple[float, Callable[[pa.Array], pa.Array]]] = {
    "truncate": (0.3, lambda c: addresses.truncate(c, ipv4_prefix=16, ipv6_prefix=32)),
    "pseudonym": (2.5, lambda c: addresses.pseudonym(c, KEY16, field="remote_addr")),
    "ipcrypt-deterministic": (0.3, lambda c: addresses.ipcrypt_deterministic(c, KEY16)),
    "ipcrypt-ndx": (0.3, lambda c: addresses.ipcrypt_ndx(c, KEY32)),
    "ipcrypt-nd": (2.0, lambda c: addresses.ipcrypt_nd(c, KEY16)),
    "ipcrypt-pfx": (4.0, lambda c: addresses.ipcrypt_pfx(c, KEY32)),
    "cryptopan": (4.0, lambda c: addresses.cryptopan(c, KEY32)),
}
"""By method, the most a million distinct addresses may cost, in seconds of one core, and the call."""


def column(family: str) -> pa.Array:
    """Distinct random addresses of a family, as bytes."""
    rows = np.random.default_rng(4).integers(0, 256, (COUNT, 16), np.uint8)
    if family == "IPv4":
        rows[:, :12] = (*bytes(10), 255, 255)
        rows[:, 12:] = (np.arange(COUNT, dtype=np.uint32) * np.uint32(2654435761)).view(np.uint8).reshape(-1, 4)
    return pa.Array.from_buffers(pa.binary(16), COUNT, [None, pa.py_buffer(rows)])


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
@pytest.mark.parametrize("name", METHODS)
def test_cost_of_a_method(benchmark: BenchmarkFixture, name: str, family: str) -> None:
    """A hundred thousand distinct addresses take no more than a tenth of what a million may."""
    bar, method = METHODS[name]
    given = column(family)
    method(given.slice(0, 100))  # compiled
    spent = []
    for _ in range(2):
        start = time.process_time()
        method(given)
        spent.append(time.process_time() - start)
    assert min(spent) <= bar * COUNT / 1_000_000
    benchmark.extra_info["addresses"] = COUNT
    assert len(benchmark(method, given)) == COUNT
