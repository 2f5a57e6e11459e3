"""`logblur filter` as a process of its own, start-up included, to a file: against Anonip, which masks addresses."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from . import rivals
from .bench_run import busy, by_rival
from .figures import Figure, Scale
from .processes import Ran, run

TRUNCATION: Final = """
version = 1
name = "truncation"
purpose = "finding faults"
legal_basis = "legitimate-interests"
retention = "7 days"

[fields]
remote_addr = { method = "truncate", ipv4_prefix = 16, ipv6_prefix = 32 }
time        = { method = "keep", reason = "when it was" }
method      = { method = "keep", reason = "no personal data" }
status      = { method = "keep", reason = "no personal data" }
bytes_sent  = { method = "keep", reason = "no personal data" }
"""
"""Addresses truncated, and nothing else changed: what a policy can keep stays, the rest is dropped."""

BARS: Final[Mapping[str, float]] = {"truncating addresses alone": 80.0, "the default policy": 10.0}
"""How many times Anonip's lines per second `filter` should do."""


def figures(scale: Scale) -> Sequence[Figure]:
    """Return lines per second of `filter` over those of Anonip, in turn."""
    rival = rivals.rival("anonip")
    try:
        release = rival.version()
    except LookupError as reason:
        return [Figure(f"filter, {what}, against Anonip", 0.0, "x", detail=f"not measured: {reason}") for what in BARS]
    theirs = busy(scale, lambda lines: by_rival(scale, rival, lines))
    return [_against(scale, what, bar, rival, release, theirs) for what, bar in BARS.items()]


def _against(scale: Scale, what: str, bar: float, rival: rivals.Rival, release: str, theirs: int) -> Figure:
    ours = busy(scale, lambda lines: _filtered(scale, what, lines))
    pairs = [(_filtered(scale, what, ours), by_rival(scale, rival, theirs)) for _ in range(scale.rounds)]
    ratio = statistics.median(ours / a.seconds / (theirs / b.seconds) for a, b in pairs)
    ours_s, theirs_s = (statistics.median(ran.seconds for ran in side) for side in zip(*pairs, strict=True))
    peak = max(ran.peak_mb for ran, _ in pairs)
    detail = (
        f"{ours / ours_s:,.0f} lines/s, {peak:.0f} MB; {release}: {theirs / theirs_s:,.0f} lines/s; "
        f"leaves out {rival.leaves_out}"
    )
    return Figure(f"filter, {what}, against {rival.name}", round(ratio, 1), "x", bar, detail=detail)


def _filtered(scale: Scale, what: str, lines: int) -> Ran:
    log = scale.log(lines=lines)
    with tempfile.TemporaryDirectory(dir=scale.folder) as folder:
        policy = Path(folder) / "truncation.toml"
        policy.write_text(TRUNCATION)
        chosen = ["-p", str(policy)] if what.startswith("truncating") else []
        return run([sys.executable, "-m", "logblur", "filter", "-q", *chosen, str(log)], output=Path(folder) / "lines")
