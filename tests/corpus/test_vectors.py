"""Hostile and odd lines: accepted, rejected for a reason, or neither, by kernel and reference, among good ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from logblur.formats import resolve_format
from logblur.parse import parse, reference
from logblur.schema import Block, Reason

VECTORS = json.loads((Path(__file__).parent / "vectors" / "lines.json").read_text(encoding="utf-8"))
LATEST = 1_900_000_000_000_000
MAX_LINE = 64 << 10
GOOD = {
    "combined": b'192.0.2.200 - - [17/May/2026:10:05:03 +0000] "GET /good HTTP/1.1" 200 7 "-" "good"',
    "json": b'{"ts":1779012303,"size":7,"uri":"/good","a":{"ip":"192.0.2.200"},"request":{"remote_ip":"192.0.2.200"}}',
}


def good(case: dict[str, Any]) -> bytes:
    """A good line in the format of a case."""
    if "neighbour" in case:
        return str(case["neighbour"]).encode()
    prefixes = {
        "syslog:combined": b"May  7 10:05:04 web-1 nginx[1]: ",
        "cri:combined": b"2026-05-17T10:05:03.1Z stdout F ",
    }
    kind = "json" if "json" in case["flags"] else "combined"
    return prefixes.get(case["format"], b"") + GOOD[kind] + b" 9" * case["format"].endswith("%D")


@pytest.mark.parametrize("case", VECTORS["tests"], ids=lambda case: f"{case['id']}-{case['comment'].replace(' ', '-')}")
def test_a_line_comes_to_what_is_said(case: dict[str, Any]) -> None:
    """The line has its outcome, and the good lines before and behind it are read as if it were not there."""
    neighbour, form = good(case), resolve_format(case["format"])
    block = Block.of(b"\n".join([neighbour, case["source"].encode(), neighbour]) + b"\n")
    fast = parse([block], form, sorted(form.columns), latest_us=LATEST, max_line_bytes=MAX_LINE)
    slow = reference.parse([block], form, fast.batch.schema.names, latest_us=LATEST, max_line_bytes=MAX_LINE)
    rows = fast.batch.to_pylist()
    assert rows == slow.rows
    assert fast.reject_offsets.tolist() == [at for at, _ in slow.rejects]
    reasons = [Reason(code).text for code in fast.reject_reasons]
    assert reasons == [reason.text for _, reason in slow.rejects]
    outcome = "rejected" if reasons else "accepted" if len(rows) == 3 else "directive"
    assert (outcome, fast.directives) == (case["result"], int(case["result"] == "directive"))
    assert reasons == ([case["reason"]] if "reason" in case else [])
    assert rows[0] == rows[-1]
    for name, value in case.get("fields", {}).items():
        found = rows[1][name]
        assert (found.isoformat() if name == "time" else found) == value


def test_every_flag_says_what_it_is_for() -> None:
    """Each flag has a note, each note a case, and no number comes twice."""
    flags = {flag for case in VECTORS["tests"] for flag in case["flags"]}
    assert flags == VECTORS["notes"].keys()
    assert len({case["id"] for case in VECTORS["tests"]}) == len(VECTORS["tests"])


def test_every_reason_has_a_case() -> None:
    """The reasons for which a line is refused are a closed set, and each is met."""
    met = {case["reason"] for case in VECTORS["tests"] if "reason" in case}
    assert met == {reason.text for reason in Reason}
