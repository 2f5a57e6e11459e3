"""Test 2: is any row, or any difference of what is published, about fewer clients than was promised?

From the output alone: every client makes a request and is a visitor, so fewer requests or visitors than k are fewer
clients. With the raw logs the clients themselves are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import polars as pl

from logblur.policy.plan import Plan
from logblur.privacy.published import Published, TableDay
from logblur.privacy.recount import crowds
from logblur.privacy.report import Result, Verdict, verdict_of
from logblur.schema import OTHER, UNIVERSES


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
    """Fail where the totals of a day's tables can be subtracted so that few clients are left."""
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
    return verdict_of("subtraction", bad, f"{tried:,} differences of totals tried", {"differences": tried})


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
    yield from _marginals(shown)


def _marginals(shown: Sequence[TableDay]) -> Iterator[tuple[str, int, int, None]]:
    """Yield differences between tables of one universe that share their first key: sums by its values."""
    for at, one in enumerate(shown):
        for other in shown[at + 1 :]:
            if one.where != other.where or one.by[0] != other.by[0] or one.by[0] == "hour":
                continue
            key = one.by[0]
            sums, others = (
                t.rows.filter(pl.col(key) != OTHER).group_by(key).agg(pl.col("requests").sum()) for t in (one, other)
            )
            differences = sums.join(others, on=key).select((pl.col("requests") - pl.col("requests_right")).abs())
            for left in differences.to_series().to_list():
                yield f"{one.table} and {other.table} by {key}", max(one.k, other.k), left, None


def _clients(table: TableDay, lines: pl.DataFrame, parts: frozenset[int] | None) -> int | None:
    if parts is None:
        return None
    rows = lines.filter((pl.col("date") == table.day) & pl.col("universe").is_in(list(parts)))
    return rows["client"].n_unique() if rows.height else 0


def kept_versions(found: Sequence[Published]) -> Result:
    """Fail where two kept versions of the same rows differ by few requests: what few people did in between."""
    if len(found) < 2:
        return Result("kept versions", Verdict.NOT_RUN, "PATH holds no two versions of one output")
    bad: list[str] = []
    tried = 0
    for older, newer in pairwise(found):
        after = {(table.table, table.day): table for table in newer.tables}
        for table in older.tables:
            later = after.get((table.table, table.day))
            if later is None or later.by != table.by or "requests" not in table.rows.columns:
                continue
            pairs = table.rows.join(later.rows, on=list(table.by), nulls_equal=True)
            differences = (pairs["requests_right"] - pairs["requests"]).abs()
            tried += len(differences)
            few = int(((differences > 0) & (differences < table.k)).sum())
            bad += [f"{_place(table)}: {few} rows differ by fewer than {table.k} requests"] if few else []
    return verdict_of("kept versions", bad, f"{len(found)} versions, {tried:,} rows compared", {"rows": tried})


def _place(table: TableDay) -> str:
    return f"{table.table}, {table.day}"
