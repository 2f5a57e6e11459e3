"""Columns and pages as a policy says them: by its own patterns, in its own words."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import logblur
from logblur.classify import Memory, classify
from logblur.classify.dimensions import told
from logblur.classify.files import kinds
from logblur.errors import PolicyError
from logblur.placeholders import NONE
from logblur.policy.diff import diff
from logblur.policy.load import builtin_text, decode, encode, restore
from logblur.policy.model import Policy
from logblur.policy.plan import Dimension, Pages
from logblur.policy.resolve import resolve
from logblur.protect.hosts import sites
from logblur.protect.pages import written

FIELDS = builtin_text("audience").partition("[[table]]")[0]
SECTION = """
[dimensions.section]
field = "path"
[dimensions.section.values]
news = "^/news/"
all = "^/"
"""


def policy(more: str = SECTION, by: str = '["section"]') -> Policy:
    """Return the fields of the default policy with more beside them, and one table, by a column of its own."""
    table = f'\n[[table]]\nname = "own"\nwhere = "page"\nby = {by}\nmeasures = ["requests"]\nmin_clients = 2\n'
    return decode((FIELDS + more + table).encode())


def large(*values: str | None) -> pa.Array:
    """Return texts as parsing yields them."""
    return pa.array(values, pa.large_string())


def test_the_first_value_that_fits_decides() -> None:
    """Values are tried in the policy's order; what none fits, and nothing at all, is `(none)`."""
    values = (("a", "^/x"), ("b", "y"), ("c", "(?i)z$"))
    assert told(large("/xy", "/y", "/Z", "/", None), values).to_pylist() == ["a", "b", "c", NONE, NONE]


@given(st.lists(st.text(max_size=40)), st.permutations(["^/", "a|b", "[0-9]{3}"]))
def test_only_words_of_the_policy_are_said(texts: list[str], patterns: list[str]) -> None:
    """Whatever a client writes, the column holds the policy's words and `(none)`."""
    values = tuple(zip("xyz", patterns, strict=True))
    assert set(told(large(*texts), values).to_pylist()) <= {"x", "y", "z", NONE}


def test_a_batch_has_the_columns_that_it_can_have() -> None:
    """A column is added where its field is logged, and shares the field's codes."""
    paths = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1], pa.int32()), large("/news/1", "/x"))
    own = (
        Dimension("section", "path", "path", (("news", "^/news/"),)),
        Dimension("ours", "host", "host", (("a", "a"),)),
    )
    found = classify(pa.RecordBatch.from_arrays([paths], ["path"]), site="", memory=Memory(), dimensions=own)
    assert found["section"].to_pylist() == [NONE, "news", NONE]
    assert "ours" not in found.schema.names


def test_a_policy_keeps_its_columns(tmp_path: Path) -> None:
    """Own columns come out of a scan and survive being kept with a day, in their order."""
    log = tmp_path / "access.log"
    line = '203.0.113.7 - - [10/Nov/2025:20:05:03 +0200] "GET %s HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11) Firefox/1"\n'
    log.write_text("".join(line % path for path in ("/news/1", "/about/", "/static/a", "/news/index.html")))
    pages = '\n[pages]\nindex = ["index.html"]\ntrailing_slash = "drop"\n'
    found = logblur.scan(log, policy=policy(SECTION + pages)).select("section", "path").collect()
    assert found.rows() == [
        ("news", "/news/{number}"),
        ("all", "/about"),
        ("all", "/static/a"),
        ("news", "/news"),
    ]
    assert found.schema["section"] == pl.String()
    kept = restore(encode(policy()))
    assert resolve(kept).digest == resolve(policy()).digest
    assert list(kept.dimensions["section"].values) == ["news", "all"]


def test_digests_know_columns_and_pages() -> None:
    """Another order of values, or another way to write pages, is another treatment."""
    plain = resolve(policy()).digest
    assert resolve(policy(SECTION.replace("news =", "most =").replace("all =", "news ="))).digest != plain
    assert resolve(policy(SECTION + '[pages]\ntrailing_slash = "drop"\n')).digest != plain


@pytest.mark.parametrize(
    ("more", "path", "says"),
    [
        (SECTION.replace("^/news/", "(?=a)"), "dimensions.section.values.news", "RE2"),
        (SECTION.replace("^/news/", "(a"), "dimensions.section.values.news", "RE2"),
        (SECTION.replace('"path"', '"remote_addr"'), "dimensions.section.field", "should be"),
        (SECTION.replace("section", "status"), "dimensions.status", "another"),
        (SECTION.replace("section", "clients"), "dimensions.clients", "another"),
        (SECTION.replace("section", "Section"), "dimensions", "small letters"),
        (SECTION.replace("all =", '"(other)" ='), "dimensions.section.values", "logblur's own"),
        ('\n[dimensions.section]\nfield = "path"\nvalues = {}\n', "dimensions.section.values", "one to"),
        ('\n[pages]\nassets = ["(?<x"]\n', "pages.assets", "RE2"),
        ('\n[pages]\nindex = ["a/b"]\n', "pages.index", ""),
        ('\n[pages]\nslash = "drop"\n', "pages.slash", "no such key"),
    ],
)
def test_what_cannot_stand_is_refused(more: str, path: str, says: str) -> None:
    """A pattern that does not compile, a name that is taken, and a field that no pattern may look at are errors."""
    with pytest.raises(PolicyError) as refused:
        resolve(policy(more))
    assert str(refused.value.path).startswith(path)
    assert says in str(refused.value)


def test_a_dropped_field_yields_no_column() -> None:
    """A table by a column whose field the policy drops is refused, and so is a column that nobody defined."""
    dropped = re.sub(r"(?m)^referer .*$", "", FIELDS)
    table = '[[table]]\nname = "own"\nwhere = "all"\nby = ["section"]\nmeasures = ["requests"]\nmin_clients = 2\n'
    with pytest.raises(PolicyError, match=r"fields\.referer"):
        resolve(decode((dropped + SECTION.replace('"path"', '"referer"') + table).encode()))
    with pytest.raises(PolicyError, match="there is no 'sction'"):
        resolve(policy(by='["sction"]'))


def test_a_change_of_columns_is_told() -> None:
    """`policy diff` says which column came, went or tells something else."""
    without = policy("", by='["path"]')
    (change, *_) = [c for c in diff(without, policy()) if c.subject == "column section"]
    assert change.effect == "more"
    assert "news = ^/news/" in change.after
    assert [c.effect for c in diff(policy(), without) if c.subject == "column section"] == ["less"]


def test_patterns_decide_before_extensions() -> None:
    """A path that the policy calls an asset or a download is one, whatever it ends in; assets decide first."""
    pages = Pages(assets=("^/api/",), downloads=("^/get/", "^/api/get/"))
    paths = large("/api/a.pdf", "/get/1", "/api/get/1", "/a.pdf", "/", None)
    codes = pa.array(range(len(paths)), pa.int32())
    found = kinds(pa.DictionaryArray.from_arrays(codes, paths), pages=pages)
    assert found.to_pylist() == ["asset", "download", "asset", "download", "page", "page"]


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/a/index.html", "/a"),
        ("/index.html", "/"),
        ("/a/", "/a"),
        ("/a//", "/a"),
        ("/", "/"),
        ("//", "/"),
        ("/index.html.bak", "/index.html.bak"),
        ("/myindex.html", "/myindex.html"),
        (NONE, NONE),
    ],
)
def test_index_files_and_trailing_slashes(path: str, page: str) -> None:
    """An index file is its folder and a folder is its path without the slash, where the policy says so."""
    assert written(pa.array([path]), Pages(("index.html",), drop_slash=True)).to_pylist() == [page]
    assert written(pa.array([path]), Pages()).to_pylist() == [path]


def test_sites_are_ascii() -> None:
    """A name in other letters is the name that DNS knows it by; what is no name stays `(none)`."""
    found = sites(large("B\u00dcCHER.example.:443", "b\u00fccher.example", "\u00ad.example", "\\xE9.example"))
    assert found.to_pylist() == ["xn--bcher-kva.example", "xn--bcher-kva.example", NONE, NONE]
