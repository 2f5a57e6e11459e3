"""A day under a flood of made-up paths: memory stays bounded, and what is published stays right."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests import oracle

LINES, PATHS = 2_000_000, 500_000
MOST = 1_000_000  # KB, of memory; what the whole attack of 50 million lines and 10 million paths must stay under
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"

RUN = """
import resource, sys, logblur
from datetime import datetime
log, out, state, now = sys.argv[1:]
logblur.run(log, out, state=state, workers=2, clock=lambda: datetime.fromisoformat(now))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_flood(path: Path) -> None:
    """Write a day in which one of four lines asks for a path of its own, and the others for one of 30 pages."""
    draw = random.Random(5)
    with path.open("w") as file:
        for n in range(LINES):
            page = (
                f"/{draw.getrandbits(20):x}/{draw.getrandbits(62):x}"
                if n % 4 == 0
                else f"/page/{'abcdefgh'[n % 8]}{'ijklm'[n % 5]}"
            )
            client, second = draw.getrandbits(17), n * 86_400 // LINES
            moment = f"17/May/2026:{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02} +0300"
            file.write(
                f"10.{client >> 16}.{client >> 8 & 255}.{client & 255} - - [{moment}]"
                f' "GET {page} HTTP/1.1" 200 512 "-" "{AGENT.format(60 + client % 80)}"\n'
            )


@pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "nightly", reason="half a million paths take minutes")
def test_memory_is_bounded_under_a_flood_of_paths(tmp_path: Path) -> None:
    """Of half a million paths that come once none is published, all requests are, and memory stays under 1 GB."""
    write_flood(tmp_path / "log")
    now = datetime(2026, 5, 17, 22, tzinfo=UTC).isoformat()
    words = [sys.executable, "-c", RUN, *(str(tmp_path / name) for name in ("log", "out", "state")), now]
    own = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}  # as the command line has it
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=own)
    assert int(done.stdout) < MOST
    published = oracle.published(tmp_path / "out")
    pages = next(rows for (table, _), rows in published.items() if table == "pages")
    told = [row for row in pages if row["path"].startswith("/page/")]
    assert (len(told), sum(row["requests"] for row in told)) == (30, LINES - PATHS)
    assert sum(row["requests"] for row in pages) == LINES
    assert len(pages) < 40  # rolled up, or by what replaces numbers in a path
