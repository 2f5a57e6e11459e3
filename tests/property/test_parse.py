"""The kernel against the slow reference, and the laws that hold for any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logblur.formats import resolve_format
from logblur.parse import parse, parser, reference
from logblur.schema import PARSED, Block

from .strategies import DELIMITED, logs

LATEST = 1_800_000_000_000_000
COLUMNS = PARSED.names


def as_rows(parsed):
    """The parsed rows and rejects as plain values."""
    return parsed.batch.to_pylist(), list(
        zip(parsed.reject_offsets.tolist(), parsed.reject_reasons.tolist(), strict=True)
    )


def both(blocks, name, columns=COLUMNS, max_line=64):
    """Rows, rejects and directives by the kernel and by the reference."""
    form = resolve_format(name)
    limits = {"latest_us": LATEST, "max_line_bytes": max_line}
    fast = parse(blocks, form, columns, **limits)
    slow = reference.parse(blocks, form, fast.batch.schema.names, **limits)
    return (*as_rows(fast), fast.directives), (slow.rows, slow.rejects, slow.directives)


@pytest.mark.parametrize("name", DELIMITED)
@given(data=st.data())
def test_kernel_and_reference_agree(name, data):
    """For any lines of any format, rows, values, reject reasons, offsets and directives are equal."""
    lines = data.draw(logs(name))
    block = Block.of(b"".join(x + b"\n" for x in lines), offset=data.draw(st.integers(0, 1 << 40)))
    fast, slow = both([block], name, max_line=data.draw(st.sampled_from([40, 120, 65536])))
    assert slow == fast


@given(text=st.binary(max_size=400))
def test_any_bytes_are_parsed_or_refused(text):
    """Rows, rejects and directives add up to the number of lines, whatever the bytes."""
    block = Block.of(text)
    (rows, rejects, directives), slow = both([block], "combined")
    assert len(rows) + len(rejects) + directives == block.data[: block.size].tobytes().count(b"\n")
    assert slow == (rows, rejects, directives)


@given(lines=logs("combined"), data=st.data())
def test_any_split_into_blocks_gives_the_same(lines, data):
    """Cutting the input at any line boundaries changes neither values nor offsets nor codes."""
    whole = parse([Block.of(b"".join(x + b"\n" for x in lines))], resolve_format("combined"), COLUMNS, latest_us=LATEST)
    blocks, at = [], 0
    while lines:
        size = data.draw(st.integers(1, len(lines)))
        text = b"".join(x + b"\n" for x in lines[:size])
        blocks.append(Block.of(text, at))
        at, lines = at + len(text), lines[size:]
    split = parse(blocks, resolve_format("combined"), COLUMNS, latest_us=LATEST)
    assert as_rows(split) == as_rows(whole)
    assert split.batch.equals(whole.batch)


@given(lines=logs("combined"), most=st.integers(1, 3))
def test_lines_are_found_a_few_at_a_time(lines, most):
    """However few lines are found together, rows, rejects, their places and directives are the same."""
    block = Block.of(b"".join(x + b"\n" for x in lines), offset=7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser, "_MOST_LINES", most)
        fast, slow = both([block], "combined", max_line=120)
    assert slow == fast


@given(lines=logs("combined"), columns=st.sets(st.sampled_from(sorted(resolve_format("combined").columns))))
def test_projection_changes_no_row(lines, columns):
    """Asking for fewer columns gives the same rows with fewer columns, and the same rejects."""
    block = Block.of(b"".join(x + b"\n" for x in lines))
    (rows, rejects, directives), _ = both([block], "combined")
    (some, same, blank), _ = both([block], "combined", sorted(columns))
    assert (same, blank) == (rejects, directives)
    if columns:
        assert some == [{k: v for k, v in row.items() if k in columns} for row in rows]


def test_the_columns_have_the_documented_types():
    """Each column's type is the one of the schema."""
    line = b'192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x"\n'
    batch = parse([Block.of(line)], resolve_format("combined"), COLUMNS, latest_us=LATEST).batch
    assert [f.type for f in batch.schema] == [PARSED.field(name).type for name in batch.schema.names]
    batch.validate(full=True)
