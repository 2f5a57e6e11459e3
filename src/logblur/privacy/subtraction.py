"""Test 2: is any row, or any difference of what is published, about fewer clients than was promised?

From the output alone: every client makes a request and is a visitor, so fewer requests or visitors than k are fewer
clients. With the raw logs the clients themselves are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import polars as pl

from logblur.placeholders import OTHER
from logblur.policy.plan import Plan
from logblur.privacy.published import Published, TableDay, rolled_up
from logblur.privacy.recount import assigned, crowds
from logblur.privacy.report import Result, Verdict, verdict_of
from logblur.schema import UNIVERSES


def thresholds(found: Sequence[Published], plan: Plan, lines: pl.DataFrame | None) -> Result:
    """Fail where a published row describes fewer clients than its table's threshold, or nearly one alone."""
    shares = {table.name: table.max_client_share for table in plan.tables}
    bad: list[str] = []
    counted = unknown = 0
    for table in (table for out in found for table in out.tables):
        measures = [name for name in ("requests", "visitors") if name in table.rows.columns]
        if plan.visitor_from == ("user_agent",):  # many clients may share one
            measures = [name for name in measures if name != "visitors"]
        for name in measures:
            few = table.rows.filter(pl.col(name) < table.k).height
            bad += [f"{_place(table)}: {few} rows of fewer than {table.k} {name}"] if few else []
        if lines is None or table.digest != plan.digest:
            unknown += table.rows.height
            continue
        behind = {crowd.row: crowd for crowd in crowds(table, lines)}
        for row in range(table.rows.height):
            crowd = behind.get(row)
            published = table.rows["requests"][row] if "requests" in table.rows.columns else None
            if crowd is None or (published is not None and crowd.requests != published):
                unknown += 1  # other raw logs, not all of them, or a row that took in another
                continue
            counted += 1
            if crowd.clients < table.k:
                bad.append(f"{_place(table)}: row {row} is of {crowd.clients} clients, fewer than {table.k}")
            if published is not None and crowd.share > shares.get(table.table, 1.0):
                bad.append(f"{_place(table)}: one client makes {crowd.share:.0%} of row {row}")
    rows = sum(table.rows.height for out in found for table in out.tables)
    words = f"{rows:,} rows" + (f", clients of {counted:,} counted in the raw logs" if counted else "")
    if unknown and lines is not None:
        words += f"; {unknown:,} rows whose lines cannot be told from these raw logs under this policy"
    return verdict_of("thresholds", bad, words, {"rows": rows, "counted": counted, "unknown": unknown})


def subtraction(found: Sequence[Published], plan: Plan, lines: pl.DataFrame | None) -> Result:
    """Fail where a day's tables can be subtracted so that few clients are left.

    Totals of nested universes; people and bots; and every table less those whose lines are among its own, for each
    value of the columns that they have in common.
    """
    bad: list[str] = []
    tried = 0
    for out in found:
        for tables in out.days().values():
            known = lines if lines is not None and all(table.digest == plan.digest for table in tables) else None
            for name, k, left, parts in _differences(tables):
                tried += 1
                clients = _clients(tables[0], known, parts) if known is not None else None
                if 0 < (left if clients is None else clients) < k:
                    bad.append(f"{tables[0].day}: {name} leaves {left} requests, of fewer than {k} clients")
            for whole, others, columns in _crossed(tables):
                left_of = _left(whole, others, columns)
                tried += left_of.height
                k = max(table.k for table in (whole, *others))
                few = left_of.filter((pl.col("left") > 0) & (pl.col("left") < k)).select(columns)
                if known is not None:
                    behind = _behind(whole, others, columns, known).filter(pl.col("clients") < k)
                    few = pl.concat([few, behind.select(columns)]).unique()
                if few.height:
                    names = ", ".join(other.table for other in others)
                    bad.append(
                        f"{tables[0].day}: {whole.table} less {names} leaves fewer than {k} clients in {few.height:,} "
                        f"values of {', '.join(columns)}"
                    )
    return verdict_of("subtraction", bad, f"{tried:,} differences tried", {"differences": tried})


def _differences(tables: Sequence[TableDay]) -> Iterator[tuple[str, int, int, frozenset[int] | None]]:
    """Yield what can be subtracted in a day: in words, its threshold, requests left, the parts of lines they are of."""
    shown = [table for table in tables if table.rows.height and "requests" in table.rows.columns]
    totals = {table.where: table.requests for table in shown}
    by_agent = [table for table in shown if table.where == "all" and "agent" in table.by]
    told = {
        agent: sum(int(t.rows.filter(pl.col("agent") == agent)["requests"].sum()) for t in by_agent[:1])
        for agent in ("human", "bot")
    }
    if by_agent and not by_agent[0].rows.filter(pl.col("agent") == OTHER).height:
        totals = told | totals
    for parent, lines in UNIVERSES.items():
        if parent not in totals:
            continue
        k = max((table.k for table in tables if UNIVERSES[table.where] & lines), default=0)
        inside = [where for where in totals if UNIVERSES[where] < lines]
        largest = [where for where in inside if not any(UNIVERSES[where] < UNIVERSES[other] for other in inside)]
        if largest:
            left = totals[parent] - sum(totals[where] for where in largest)
            parts = frozenset(int(part) for part in lines.difference(*(UNIVERSES[where] for where in largest)))
            yield f"{parent} less {', '.join(largest)}", k, left, parts
    for agent in ("human", "bot"):
        if by_agent and agent in totals:
            k = max(table.k for table in tables if UNIVERSES[table.where] & UNIVERSES[agent])
            yield f"{agent} less the rows of {by_agent[0].table} by agent", k, totals[agent] - told[agent], None


def _crossed(tables: Sequence[TableDay]) -> Iterator[tuple[TableDay, tuple[TableDay, ...], tuple[str, ...]]]:
    """Yield a table, others whose lines are among its own and apart, and columns that all of them have.

    Whoever has these tables subtracts, for each value of the columns, the others' rows from the table's.
    """
    shown = [table for table in tables if table.rows.height and "requests" in table.rows.columns]
    for whole in shown:
        same: dict[tuple[str, ...], dict[str, list[TableDay]]] = {}
        for other in shown:
            if other is whole or not UNIVERSES[other.where] <= UNIVERSES[whole.where]:
                continue
            common = tuple(name for name in whole.keys.columns if name in other.keys.columns)
            for columns in dict.fromkeys([common, *((name,) for name in common)]):
                if columns:
                    same.setdefault(columns, {}).setdefault(other.where, []).append(other)
        for columns, by_universe in same.items():
            for other in by_universe.pop(whole.where, []):
                yield whole, (other,), columns
            largest = [
                where for where in by_universe if not any(UNIVERSES[where] < UNIVERSES[wider] for wider in by_universe)
            ]
            if largest:
                yield whole, tuple(by_universe[where][0] for where in largest), columns


def _sums(table: TableDay, columns: tuple[str, ...]) -> pl.DataFrame:
    """Return the requests of each value of some columns, as far as rows tell it."""
    told = pl.all_horizontal(~rolled_up(name) for name in columns)
    rows = table.keys.with_columns(table.rows["requests"])
    return rows.filter(told).group_by(columns).agg(pl.col("requests").sum())


def _left(whole: TableDay, others: Sequence[TableDay], columns: tuple[str, ...]) -> pl.DataFrame:
    """Return how many requests are left of each value that some other table tells too."""
    sums = pl.concat([_sums(other, columns) for other in others]).group_by(columns).agg(pl.col("requests").sum())
    both = _sums(whole, columns).join(sums, on=list(columns))
    return both.with_columns((pl.col("requests") - pl.col("requests_right")).alias("left"))


def _behind(whole: TableDay, others: Sequence[TableDay], columns: tuple[str, ...], lines: pl.DataFrame) -> pl.DataFrame:
    """Return the clients of what is left of each value, where that is just what the others do not tell."""
    told = _telling(whole, columns, lines)
    in_others = pl.concat([_telling(other, columns, lines) for other in others])
    hidden = in_others.join(told, on="line", how="anti").select(columns).unique()  # what the table itself rolled up
    left = told.join(in_others, on="line", how="anti").join(hidden, on=list(columns), how="anti")
    return left.group_by(columns).agg(pl.col("client").n_unique().alias("clients"))


def _telling(table: TableDay, columns: tuple[str, ...], lines: pl.DataFrame) -> pl.DataFrame:
    """Return the lines behind the rows of a table that tell some columns: line, client, and those columns."""
    told = pl.all_horizontal(~rolled_up(name) for name in columns)
    rows = table.keys.with_row_index("row").filter(told).select("row", *columns)
    return assigned(table, lines).select("row", "line", "client").join(rows, on="row").drop("row")


def _clients(table: TableDay, lines: pl.DataFrame, parts: frozenset[int] | None) -> int | None:
    if parts is None:
        return None
    rows = lines.filter((pl.col("date") == table.day) & pl.col("universe").is_in(list(parts)))
    return rows["client"].n_unique() if rows.height else 0


def kept_versions(found: Sequence[Published]) -> Result:
    """Fail where kept versions of the same rows differ by few requests: what few people did in between.

    Rows, and sums of rows over their first keys, up to the total: what one version rolled up and another shows.
    """
    if len(found) < 2:
        return Result("kept versions", Verdict.NOT_RUN, "PATH holds no two versions of one output")
    bad: list[str] = []
    tried = 0
    for older, newer in combinations(found, 2):
        after = {(table.table, table.day): table for table in newer.tables}
        for table in older.tables:
            later = after.get((table.table, table.day))
            if later is None or later.by != table.by or "requests" not in table.rows.columns:
                continue
            for depth in range(len(table.by), -1, -1):
                keys = list(table.by[:depth])
                differences = _changes(table.rows, later.rows, keys)
                tried += len(differences)
                k = max(table.k, later.k)
                if few := int(((differences > 0) & (differences < k)).sum()):
                    what = f"{few} sums by {', '.join(keys)}" if keys else "the totals"
                    what = f"{few} rows" if depth == len(table.by) else what
                    bad.append(f"{_place(table)}: {what} differ by fewer than {k} requests")
    return verdict_of("kept versions", bad, f"{len(found)} versions, {tried:,} rows and sums compared", {"rows": tried})


def _changes(older: pl.DataFrame, newer: pl.DataFrame, keys: list[str]) -> pl.Series:
    """Return by how many requests each sum over some keys differs, where both versions have it."""
    if not keys:
        return pl.Series([abs(int(newer["requests"].sum()) - int(older["requests"].sum()))])
    sums = [rows.group_by(keys).agg(pl.col("requests").sum()) for rows in (older, newer)]
    both = sums[0].join(sums[1], on=keys, nulls_equal=True)
    return (both["requests_right"] - both["requests"]).abs()


def _place(table: TableDay) -> str:
    return f"{table.table}, {table.day}"
