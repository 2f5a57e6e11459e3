"""Classifiers: what a million lines cost that hold many distinct agents, paths and referrers, held against the bar."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from logblur.classify import Memory, agents, classify, hosts
from logblur.policy.plan import Dimension, Pages

from . import data
from .figures import Figure, Scale

BAR = 1.5
"""Seconds of one core, the building of the rules included."""

AGENTS, PATHS, REFERRERS = 20_000, 50_000, 30_000
PAGES = Pages(assets=("^/static/", "^/api/"), downloads=("^/get/[^/]+$",))
SECTION = Dimension(
    "section", "path", "path", (("shop", r"^/shop\b"), ("news", r"^/(?:lv|en)/news\b"), ("home", "^/$"))
)


def column(rng: np.random.Generator, rows: int, texts: list[str]) -> pa.DictionaryArray:
    """Return a column of at least that many rows in which each of the texts occurs."""
    codes = np.append(np.arange(len(texts)), rng.integers(0, len(texts), rows - len(texts))).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(texts, pa.large_string()))


def batch(rows: int) -> pa.RecordBatch:
    """Return lines as a log of a busy day has them: builds of browsers, pages of a shop, sites that link to it."""
    rng = np.random.default_rng(7)
    known = [*data._agents(rng), *data._bots()]
    browsers = [f"{known[n % len(known)]} Build/{n}" if n >= len(known) else known[n] for n in range(AGENTS)]
    kinds = (".html", "", "/", ".css", ".pdf", ".jpg")
    paths = [f"/{data._word(n)}/{n % 97}/{data._word(n * 7)}{kinds[n % len(kinds)]}" for n in range(PATHS)]
    hosts = [
        f"{('www.', '', 'blog.', 'm.')[n % 4]}{data._word(n)}{n}.{('org', 'co.uk', 'lv')[n % 3]}"
        for n in range(REFERRERS)
    ]
    columns = {"user_agent": browsers, "path": paths, "referer_host": hosts, "host": ["shop.example.com"]}
    made = [column(rng, max(rows, PATHS), texts) for texts in columns.values()]
    return pa.RecordBatch.from_arrays(made, list(columns))


def cost(given: pa.RecordBatch) -> float:
    """Return the seconds of one core that it takes to classify a batch in a process that knows nothing."""
    for known in (agents.rules, agents.names, agents.spelled, agents._builtins):
        known.cache_clear()
    memory = Memory()
    start = time.process_time()
    agents.build()
    hosts.build()
    classify(given, site="", memory=memory, pages=PAGES, dimensions=(SECTION,))
    return time.process_time() - start


def figures(scale: Scale) -> Sequence[Figure]:
    """Return the processor seconds of all classifiers together, on as many rows as lines."""
    given = batch(scale.lines)
    spent = statistics.median(cost(given) for _ in range(scale.rounds))
    what = "classify 20,000 agents, 50,000 paths, 30,000 referrers, rules built too"
    return [Figure(what, round(spent, 2), "s", BAR, "less", "processor time")]
