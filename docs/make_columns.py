"""Write the lists in docs/columns.md from schema and default policy: ``python docs/make_columns.py``.

What lies between ``<!-- tables -->``, ``<!-- columns -->``, ``<!-- meanings -->`` or ``<!-- values -->`` and
``<!-- end -->`` is written; the rest is kept. A test says when it is stale.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

from logblur.classify import agents, hosts
from logblur.placeholders import NONE, UNUSUAL
from logblur.policy import load_policy
from logblur.policy.plan import Plan
from logblur.policy.resolve import YIELDS, resolve
from logblur.protect.door import METHODS
from logblur.schema import KEY_TYPES, MEANINGS, MEASURES

PAGE = Path(__file__).with_name("columns.md")


def page(text: str) -> str:
    """Return the page with its lists written anew."""
    plan = resolve(load_policy("audience"))
    for name, made in (
        ("tables", _table(_tables(plan))),
        ("columns", _table(_columns(plan))),
        ("meanings", _list(MEANINGS)),
        ("values", _list({name: ", ".join(f"`{value}`" for value in said) for name, said in _values().items()})),
    ):
        text = re.sub(rf"(?s)(<!-- {name} -->\n).*?(<!-- end -->)", lambda m, made=made: m[1] + made + m[2], text)
    return text


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _list(said: Mapping[str, str]) -> str:
    return "".join(
        textwrap.fill(
            f"- **{name}**: {text}", 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        + "\n"
        for name, text in said.items()
    )


def _tables(plan: Plan) -> list[tuple[str, ...]]:
    rows = [("table", "universe", "a row for each", "measures", "clients at least"), ("---",) * 5]
    for table in plan.tables:
        by, measures = (", ".join(f"`{name}`" for name in names) for names in (table.by, table.measures))
        rows.append((f"`{table.name}`", f"`{table.where}`", by, measures, str(table.min_clients)))
    return rows


def _columns(plan: Plan) -> list[tuple[str, ...]]:
    rows = [("column", "type", "made of", "in the tables"), ("---",) * 4]
    for name in MEANINGS:
        kind = KEY_TYPES.get(name) or MEASURES.get(name) or "date"
        fields = {
            "date": ["time"],
            "requests": ["lines"],
            "downloads": ["status", "bytes_sent"],
            "visitors": list(plan.visitor_from),
            "bytes": ["bytes_sent"],
        }
        made_of = ", ".join(YIELDS.get(name) or fields[name])
        tables = [t.name for t in plan.tables if name in (*t.by, *t.measures, "date")]
        where = "all" if len(tables) == len(plan.tables) else ", ".join(tables) or "–"
        rows.append((f"`{name}`", str(kind), made_of, where))
    return rows


def _values() -> Mapping[str, Iterable[str]]:
    sources = {column: [s.name for s in hosts.sources() if s.kind == kind] for kind, column in hosts.KINDS.items()}
    programs = {kind: sorted(names, key=str.casefold) for kind, names in agents.published().items()}
    return {
        "agent": ["human", "bot"],
        "device": agents.DEVICES,
        "bot_class": [*agents.BOT_CLASSES, NONE],
        "method": [*sorted(METHODS), UNUSUAL, NONE],
        "complete": ["yes", "part", NONE],
        **{name: [*sorted(names, key=str.casefold), NONE] for name, names in sources.items()},
        **{f"bot, of class {kind}": names for kind, names in programs.items()},
    }


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
