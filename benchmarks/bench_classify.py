"""Classifying: a million lines with 20,000 distinct agents, 50,000 paths and 30,000 referrers, one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from logblur.classify import Memory, classify
from logblur.schema import TEXT

from .data import BUSY_SHOP, shop
from .figures import Figure, Scale

AGENTS, PATHS, REFERRERS = 20_000, 50_000, 30_000


def figures(scale: Scale) -> Sequence[Figure]:
    """Return the processor seconds of all classifiers on one batch of lines, rules built before."""
    memory, rows = Memory(), batch(scale.lines)
    memory.warm()
    spent = []
    for _ in range(scale.rounds):
        memory = Memory()
        start = time.process_time()
        classify(rows, site="shop.example.com", memory=memory)
        spent.append(time.process_time() - start)
    what = "classify: 20,000 agents, 50,000 paths, 30,000 referrers"
    return [Figure(what, round(statistics.median(spent), 2), "s", 1.5, "less", "processor time, rules built before")]


def batch(rows: int) -> pa.RecordBatch:
    """Return rows whose text columns have as many distinct values; agents are those of the busy shop, made distinct."""
    rng, store = np.random.default_rng(7), shop(1, BUSY_SHOP)
    known = [agent.decode()[1:-2] for agent in store.agents.to_pylist()]
    agents = [known[n % len(known)].replace("Safari/537.36", f"Safari/537.{n}") + f" x/{n}" for n in range(AGENTS)]
    paths = [f"/{n % 97}/{n}/{('page', 'a.css', 'b.pdf', 'c.html')[n % 4]}" for n in range(PATHS)]
    hosts = [f"www{n % 7}.site{n}.example.{('org', 'net', 'com')[n % 3]}" for n in range(REFERRERS - 2)]
    columns = {"user_agent": agents, "path": paths, "referer_host": [*hosts, "www.google.com", "duckduckgo.com"]}
    return pa.RecordBatch.from_pydict(
        {
            name: pa.DictionaryArray.from_arrays(
                pa.array(rng.integers(0, len(values), rows, np.int32)), pa.array(values, pa.large_string())
            ).cast(TEXT)
            for name, values in columns.items()
        }
    )
