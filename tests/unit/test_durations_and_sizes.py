"""Durations as servers write them, with an exponent or a unit, and sizes with a plus: kernel and definition agree."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logblur.formats import resolve_format
from logblur.parse import parse, reference
from logblur.schema import Block

FORM = resolve_format('{"time": "t", "duration": "d", "bytes_sent": "b"}')
LATEST = 1_900_000_000_000_000
PIECES = [
    "1",
    "0",
    "12",
    ".",
    "-",
    "+",
    "e",
    "E",
    "e-05",
    "e+2",
    "s",
    "m",
    "ms",
    "us",
    "ns",
    "\u00b5s",
    "\u03bcs",
    "99",
    " ",
]


def rows(*values: tuple[str, str]) -> list[tuple[object, object]]:
    """Return durations and sizes of lines with these texts, as the kernel reads them; the definition says the same."""
    lines = [json.dumps({"t": 1779012303, "d": d, "b": b}, ensure_ascii=False) for d, b in values]
    block = Block.of("".join(line + "\n" for line in lines).encode())
    fast = parse([block], FORM, ["duration", "bytes_sent"], latest_us=LATEST)
    slow = reference.parse([block], FORM, ["duration", "bytes_sent"], latest_us=LATEST, max_line_bytes=65536)
    assert fast.batch.to_pylist() == slow.rows
    assert [*zip(fast.reject_offsets.tolist(), fast.reject_reasons.tolist(), strict=True)] == slow.rejects
    return [(row["duration"], row["bytes_sent"]) for row in slow.rows]


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("0.1s", 100_000),
        ("12ms", 12_000),
        ("1.5ms", 1500),
        ("250us", 250),
        ("12.345\u00b5s", 12),
        ("12\u03bcs", 12),
        ("1500ns", 1),
        ("1e-05", 10),
        ("1.2e-05", 12),
        ("2.5E+2", 250_000_000),
        ("1e3ms", 1_000_000),
        ("-1", None),
        ("-1s", None),
        ("-", None),
    ],
)
def test_a_duration_with_its_own_unit(text: str, microseconds: int | None) -> None:
    """A unit behind the number counts for more than the mapping's; an exponent moves the point; below none is none."""
    assert rows((text, "1")) == [(microseconds, 1)]


@pytest.mark.parametrize(
    "text", ["1 s", "s", "ms", "-ms", "e5", "-e5", "1e", "1e123", "1m2s", "1.2.3s", "1sec", "\u00b5s", "1e5e3"]
)
def test_what_is_no_duration_is_a_reject(text: str) -> None:
    """Other words, two units and unfinished exponents refuse their line."""
    assert rows((text, "1"), ("1", "2")) == [(1_000_000, 2)]


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(PIECES), max_size=6).map("".join),
            st.sampled_from(["1", "+5", "+", "+-1", "++1", "", "-1", "-12", "--"]),
        )
    )
)
@example([("0e99", "+1234567890123"), ("9e99", "+12345678901234")])
def test_any_text_is_read_alike(values: list[tuple[str, str]]) -> None:
    """Kernel and definition agree on every row and every reject."""
    rows(*values)


def test_sizes_with_signs() -> None:
    """HAProxy marks what is still growing with a plus; load balancers write -1 for nothing."""
    assert rows(("1", "+2120"), ("1", "-1")) == [(1_000_000, 2120), (1_000_000, None)]
