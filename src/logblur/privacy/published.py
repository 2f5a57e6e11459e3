"""A published folder as a reader sees it: its manifest, and each table of each day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from logblur.dataset import manifest
from logblur.errors import OutputError
from logblur.periods import Period
from logblur.placeholders import NONE, OTHER
from logblur.schema import MEASURES


@dataclass(frozen=True, slots=True, eq=False)
class TableDay:
    """One table of one day.

    Attributes:
        table: Its name.
        day: The day; of a week the first.
        period: Which of the two.
        where: Its universe.
        k: Its threshold, as file and manifest say.
        digest: Of the Plan it was published under.
        sealed: Whether the day is.
        rows: Its rows; columns are keys, then measures.
        file: Where it is.
    """

    table: str
    day: date
    period: Period
    where: str
    k: int
    digest: str
    sealed: bool
    rows: pl.DataFrame
    file: Path

    @property
    def by(self) -> tuple[str, ...]:
        """Its key columns, in roll-up order."""
        return tuple(name for name in self.rows.columns if name not in MEASURES)

    @property
    def keys(self) -> pl.DataFrame:
        """Its rows' keys, and what they imply: the class of a status."""
        keys = self.rows.select(self.by)
        if "status" in self.by and "status_class" not in self.by:
            implied = pl.col("status").str.slice(0, 1) + "xx"
            rolled = pl.col("status").is_in([OTHER, NONE])
            keys = keys.with_columns(pl.when(rolled).then("status").otherwise(implied).alias("status_class"))
        return keys

    @property
    def requests(self) -> int:
        """The sum of its requests; 0 where it shows none."""
        return int(self.rows["requests"].sum()) if "requests" in self.rows.columns else 0


@dataclass(frozen=True, slots=True)
class Published:
    """A published folder.

    Attributes:
        folder: Where it is.
        entries: The manifest's entries, by day.
        tables: Every table of every day.
        strays: Files that belong to no table.
    """

    folder: Path
    entries: Mapping[str, Mapping[str, object]]
    tables: tuple[TableDay, ...]
    strays: tuple[Path, ...]

    def days(self) -> dict[date, list[TableDay]]:
        """Return the tables by day, ascending."""
        found: dict[date, list[TableDay]] = {}
        for table in sorted(self.tables, key=lambda t: (t.day, t.table)):
            found.setdefault(table.day, []).append(table)
        return found


def versions(path: Path) -> list[Published]:
    """Return the published folders that a path holds: itself, or those beside each other in it; none elsewhere.

    Raises:
        OutputError: A manifest or a table cannot be read.
    """
    if not path.is_dir():
        return []
    folders = [path] if manifest.manifest_path(path).exists() else sorted(p for p in path.iterdir() if p.is_dir())
    return [published(folder) for folder in folders if manifest.manifest_path(folder).exists()]


def published(folder: Path) -> Published:
    """Read a published folder; `OutputError` where that cannot be done."""
    import pyarrow.parquet as pq

    found, strays = [], []
    entries = manifest.required(folder).days
    for file in sorted(folder.rglob("*")):
        if file.is_dir() or file.is_relative_to(folder / manifest.PRIVATE):
            continue
        table, _, day = file.parent.relative_to(folder).as_posix().partition("/")
        if file.name != f"{table}.parquet":
            strays.append(file)
            continue
        try:
            opened = pq.ParquetFile(file)
            said = {key.decode(): value.decode() for key, value in (opened.metadata.metadata or {}).items()}
            where, k, digest = said["logblur.universe"], int(said["logblur.k"]), said["logblur.policy_digest"]
            rows = pl.from_arrow(opened.read())
            assert isinstance(rows, pl.DataFrame)
            period, first = Period.of_folder(day)
            sealed = bool(entries.get(period.label(first), {}).get("sealed"))
            found.append(TableDay(table, first, period, where, k, digest, sealed, rows, file))
        except (ValueError, KeyError):
            strays.append(file)
        except OSError as error:
            raise OutputError(f"{file}: this table cannot be read ({error.strerror}); restore it") from None
    return Published(folder, entries, tuple(found), tuple(strays))


def rolled_up(name: str) -> pl.Expr:
    """Return the condition that a key is rolled up."""
    return pl.col(name).is_null() if name == "hour" else pl.col(name) == OTHER


def rolled(by: tuple[str, ...], depth: int) -> pl.Expr:
    """Return the condition that a row's first ``depth`` keys are values and its others rolled up."""
    conditions = [~rolled_up(name) for name in by[:depth]] + [rolled_up(name) for name in by[depth:]]
    return pl.all_horizontal([*conditions, pl.lit(value=True)])
