"""Write the lists in docs/formats.md from the code: ``python docs/make_formats.py``.

What lies between ``<!-- names -->`` or ``<!-- fields -->`` and ``<!-- end -->`` is written; the rest is kept. A test
says when it is stale.
"""

from __future__ import annotations

import inspect
import re
from functools import partial
from pathlib import Path

from logblur.formats import apache, json, nginx, w3c
from logblur.formats.named import NAMED
from logblur.schema import PARSED

PAGE = Path(__file__).with_name("formats.md")

ECS = {
    "time": "@timestamp", "remote_addr": "source.address", "remote_user": "user.name", "host": "url.domain",
    "method": "http.request.method", "path": "url.path", "query": "url.query", "protocol": "http.version",
    "status": "http.response.status_code", "bytes_sent": "http.response.body.bytes", "referer": "http.request.referrer",
    "user_agent": "user_agent.original", "bytes_received": "http.request.bytes", "duration": "event.duration",
    "forwarded_for": "network.forwarded_ip",
}  # fmt: skip
"""The fields of the Elastic Common Schema that mean the same; its durations are in nanoseconds."""


def page(text: str) -> str:
    """Return the page with its lists written anew."""
    for name, rows in (("names", _names()), ("fields", _fields())):
        made = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        text = re.sub(rf"(?s)(<!-- {name} -->\n).*?(<!-- end -->)", lambda m, made=made: m[1] + made + m[2], text)
    return text


def _names() -> list[tuple[str, ...]]:
    rows = [("name", "what it follows"), ("---",) * 2]
    for name, made in NAMED.items():
        if isinstance(made, partial):
            said = json.NAMED[name].source
        else:
            said = " ".join((inspect.getdoc(made) or "").split("\n\n")[0].split())
        rows.append((f"`{name}`", said.replace("``", "`")))
    return rows


def _fields() -> list[tuple[str, ...]]:
    rows = [("field", "Apache", "nginx", "W3C extended", "ECS"), ("---",) * 5]
    headers = {
        "referer": "Referer",
        "user_agent": "User-Agent",
        "forwarded_for": "X-Forwarded-For",
        "cookies": "Cookie",
    }
    for name in PARSED.names:
        if name == "referer_host":
            continue
        directives = [f"%{letter}" for letter, field in apache.PLAIN.items() if name in field.columns]
        directives += [f"%{{{headers[name]}}}i"] if name in headers else []
        variables = [f"${variable}" for variable, field in nginx.KNOWN.items() if name in field.columns]
        columns = [column for column, field in w3c.KNOWN.items() if name in field.columns]
        columns += [f"cs({headers[name]})"] if name in headers else []
        columns += ["time-taken"] if name == "duration" else []
        rows.append(
            (f"`{name}`", *(_listed(x) for x in (directives, variables, columns)), _listed([ECS.get(name, "")]))
        )
    return rows


def _listed(names: list[str]) -> str:
    return " ".join(f"`{name}`" for name in names if name) or "–"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
