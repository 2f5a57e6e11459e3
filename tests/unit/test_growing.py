"""Dictionaries that last from batch to batch: what is made of their texts is made once, and is the same as ever."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logblur.classify import Memory, classify
from logblur.formats import resolve_format
from logblur.growing import Grown
from logblur.parse import Parser, parser
from logblur.policy import load_policy
from logblur.policy.resolve import resolve
from logblur.protect import Templates, protect
from logblur.schema import Block, Protected

PLAN = resolve(load_policy("audience"))
COLUMNS = sorted({name for table in PLAN.tables for name in table.by})
TEXTS = st.lists(st.sampled_from(["a", "b", "", "é", None]), max_size=6)


@given(TEXTS, TEXTS, TEXTS)
def test_grown_gives_what_making_anew_gives(one: list[str], two: list[str], three: list[str]) -> None:
    """Whether a dictionary grew, began anew or stayed, each value is made of its own text."""
    grown = Grown()
    for texts in (one, one + two, one + two, three, three + one):
        array = pa.array(texts, pa.large_string())
        assert grown.of("upper", array, pc.utf8_upper).equals(pc.utf8_upper(array))


def test_grown_makes_only_what_is_new() -> None:
    """Texts seen before are not looked at again; what else is made of them does not count."""
    grown, looked_at = Grown(), []

    def make(texts: pa.Array) -> pa.Array:
        looked_at.extend(texts.to_pylist())
        return texts

    for texts in (["a"], ["a", "b", "c"], ["a", "b", "c"], ["b"]):
        made = grown.of("itself", pa.array(texts), make)
        assert (made.to_pylist(), made.offset) == (texts, 0)
    grown.of("other", pa.array(["b"]), make)
    assert looked_at == ["a", "b", "c", "b", "b"]
    assert "a" not in repr(grown)


def lines(numbers: Sequence[int], agent: str = "Firefox/1") -> bytes:
    """A line for each number: an address and a path of its own."""
    return b"".join(
        b'192.0.2.%d - - [17/May/2026:10:05:03 +0000] "GET /page-%s.html HTTP/1.1" 200 5 "https://%s.example/" "%s"\n'
        % (n % 250, b"abcdefghij"[n % 10 : n % 10 + 1] * 3, b"pqrst"[n % 5 : n % 5 + 1] * 3, agent.encode())
        for n in numbers
    )


def reader(*, lasting: bool) -> Parser:
    """A parser of combined lines for the default plan."""
    return Parser(resolve_format("combined"), PLAN.fields, latest_us=1 << 62, lasting=lasting)


BATCHES = (lines(range(40)), lines([3, 44, 7], "Chrome/2"), lines([1]), lines(range(90), "curl/8"))


def rows_of(batches: Sequence[bytes], *, lasting: bool) -> list[Protected]:
    """The protected rows of each batch, taken one after the other."""
    reading, grown, memory, templates = reader(lasting=lasting), Grown(), Memory(), Templates()
    made = []
    for batch in batches:
        reading.feed(Block.of(batch))
        classified = classify(reading.take().batch, site="", memory=memory, grown=grown)
        protected = protect(
            classified, PLAN, lambda _: bytes(range(16)), columns=COLUMNS, templates=templates, grown=grown
        )
        made.append(protected)
    return made


def plain(protected: Protected) -> dict[str, list[object]]:
    """Columns as values, however they are encoded."""
    return dict(protected.rows().to_pydict())


def test_lasting_dictionaries_change_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protected rows are those of dictionaries that begin anew at each take, also where lasting ones do at times."""
    anew = [plain(rows) for rows in rows_of(BATCHES, lasting=False)]
    assert [plain(rows) for rows in rows_of(BATCHES, lasting=True)] == anew
    monkeypatch.setattr(parser, "KEPT_DISTINCT", 60)
    assert [plain(rows) for rows in rows_of(BATCHES, lasting=True)] == anew


def test_protected_rows_hold_nothing_of_earlier_ones() -> None:
    """No dictionary of a batch has a value that no row of it has, though the worker's dictionaries do."""
    for rows in rows_of(BATCHES, lasting=True):
        for column in (*rows.batch.columns, *rows.people.columns):
            if pa.types.is_dictionary(column.type):
                assert len(np.unique(column.indices)) == len(column.dictionary)


def test_codes_last_while_dictionaries_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text keeps its code from take to take; without being asked, or beyond the limits, dictionaries begin anew."""
    lasting, other = reader(lasting=True), reader(lasting=False)
    for reading, kept in ((lasting, 10), (other, 1)):
        reading.feed(Block.of(lines(range(10))))
        first = reading.take().batch.column("path").dictionary
        reading.feed(Block.of(lines([4])))
        taken = reading.take().batch.column("path")
        assert (taken.to_pylist(), len(taken.dictionary)) == ([first[4].as_py()], kept)
    monkeypatch.setattr(parser, "KEPT_DISTINCT", 5)
    lasting.take()
    assert lasting.distinct("path") == 0


def test_a_dictionary_that_grows_with_the_log_ends_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the largest begins anew; what is left has room beside it, so that memory stays bounded."""
    monkeypatch.setattr(parser, "KEPT_DISTINCT", 60)
    reading = reader(lasting=True)
    reading.feed(Block.of(lines(range(90))))
    before = {name: reading.distinct(name) for name in reading.texts}
    assert before["remote_addr"] > 60 > before["path"] > 0
    reading.take()
    after = {name: reading.distinct(name) for name in before}
    assert after == before | {"remote_addr": 0}
    assert sum(after.values()) <= 60


def test_a_lasting_parser_is_full_by_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of earlier takes fill no parser, or it would settle after every block."""
    monkeypatch.setattr(parser, "MAX_DISTINCT", 30)
    reading = reader(lasting=True)
    reading.feed(Block.of(lines(range(40))))
    assert reading.full
    reading.take()
    reading.feed(Block.of(lines(range(41))))
    assert not reading.full
