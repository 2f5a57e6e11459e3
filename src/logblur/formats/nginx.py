r"""nginx's ``log_format`` to `Format`.

Source: nginx, src/http/modules/ngx_http_log_module.c (``escape=default`` writes ``"``, ``\``, control and non-ASCII
bytes as ``\xHH`` and ``-`` for what there is not; ``escape=json`` as RFC 8259, and nothing for what there is not;
``none`` as it is); "Alphabetical index of variables"; ngx_http_upstream_module: lists of upstreams are separated by
``, `` and `` : ``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from logblur.errors import FormatError
from logblur.formats import CLF, Columns, Escape, Field, Format, Kind

_STATEMENT: Final = re.compile(r"\s*log_format\s+\S+\s+(?=\S)")
_ESCAPE: Final = re.compile(r"\s*escape=(default|json|none)\b")
_VARIABLE: Final = re.compile(r"\$(?:\{([a-z0-9_]+)\}|([a-z0-9_]+))", re.IGNORECASE)
_ESCAPES: Final = {"default": Escape.BACKSLASH, "json": Escape.JSON, "none": Escape.NONE}
_BACKSLASHED: Final = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\", '"': '"', "'": "'"}

KNOWN: Final[Mapping[str, Field]] = {
    "time_local": Field("time", Kind.TIME, layout=CLF),
    "time_iso8601": Field("time", Kind.TIME, layout="%Y-%m-%dT%H:%M:%S%z"),
    "msec": Field("time", Kind.TIME, layout="s"),
    "remote_addr": Field("remote_addr", Kind.TEXT, listed=True),
    "remote_user": Field("remote_user", Kind.TEXT),
    "host": Field("host", Kind.TEXT),
    "http_host": Field("host", Kind.TEXT),
    "server_name": Field("host", Kind.TEXT),
    "request": Field("request", Kind.REQUEST),
    "request_method": Field("method", Kind.TEXT),
    "request_uri": Field("target", Kind.URL),
    "uri": Field("path", Kind.TEXT),
    "document_uri": Field("path", Kind.TEXT),
    "args": Field("query", Kind.TEXT),
    "query_string": Field("query", Kind.TEXT),
    "server_protocol": Field("protocol", Kind.TEXT),
    "status": Field("status", Kind.STATUS),
    "body_bytes_sent": Field("bytes_sent", Kind.SIZE),
    "bytes_sent": Field("bytes_sent", Kind.SIZE),
    "request_length": Field("bytes_received", Kind.SIZE),
    "request_time": Field("duration", Kind.DURATION, layout="s"),
    "http_referer": Field("referer", Kind.TEXT),
    "http_user_agent": Field("user_agent", Kind.TEXT),
    "http_x_forwarded_for": Field("forwarded_for", Kind.TEXT, listed=True),
    "proxy_add_x_forwarded_for": Field("forwarded_for", Kind.TEXT, listed=True),
    "http_cookie": Field("cookies", Kind.TEXT),
    "upstream_http_content_type": Field("sent_http_content_type", Kind.TEXT, listed=True),
}
"""The variables that have a column of another name or kind; any other is text by its own name."""


def is_log_format(text: str) -> bool:
    """Whether a text is rather nginx's than Apache's: it holds variables and no directives."""
    if _STATEMENT.match(text):
        return True
    return _VARIABLE.search(text) is not None and not re.search(r"%[<>!0-9,]*(\{[^}]*\})?[a-zA-Z]", text)


def compile_log_format(text: str, *, name: str = "") -> Format:
    r"""Return the token program of a ``log_format``.

    Args:
        text: The whole statement as it stands in the configuration, in as many lines as it takes, or its string alone.
        name: What people call it; by default that of the statement, or the string itself.

    Raises:
        FormatError: A statement that does not end, two variables with nothing between them, no time. Carries the
            position.
    """
    escape, placed = _placed(text)
    string = "".join(c for c, _ in placed)
    fields: list[Field] = []
    literals: list[str] = []
    columns = Columns()
    end, inside = 0, False  # inside: between quotes, where the escape guards the end
    for found in _VARIABLE.finditer(string):
        literal = string[end : found.start()]
        variable = (found[1] or found[2]).lower()
        end = found.end()
        field = KNOWN.get(variable, Field(variable, Kind.TEXT, listed=variable.startswith("upstream_")))
        if fields and not literal:
            if (joined := _joined(fields, literals, field, variable)) is not None:
                fields, literals = joined
                continue
            raise FormatError(
                "two variables run together: nothing tells where the first one ends", position=placed[found.start()][1]
            )
        inside ^= literal.count('"') % 2 == 1
        fields.append(replace(columns.admit(field), escape=escape, quoted=inside and escape is not Escape.NONE))
        literals.append(literal)
    literals.append(string[end:])
    if any("\n" in x or "\r" in x for x in literals):
        raise FormatError("a format describes one line: it holds a newline")
    if not columns.dated:
        raise FormatError("the format has no $time_local, $time_iso8601 or $msec: without it a line belongs to no day")
    literals[0] = literals[0].lstrip()
    return Format(name or _title(text), tuple(fields), tuple(x.encode() for x in literals))


def _title(text: str) -> str:
    """Return how a format is called that has no other name: on one line."""
    return re.sub(r"\s*\n\s*", " ", text.strip())


def _joined(
    fields: list[Field], literals: list[str], field: Field, variable: str
) -> tuple[list[Field], list[str]] | None:
    """Return the fields where two that touch can be told apart all the same, None where they cannot."""
    last = fields[-1]
    if last.name == "" and variable in {
        "is_args",
        "args",
        "query_string",
        "request_uri",
    }:  # logged before: stepped over
        return fields, literals
    if last.name == "path" and variable == "is_args":  # $uri$is_args$args
        return [*fields[:-1], replace(last, name="target", kind=Kind.URL)], literals
    if last.name == "target" and variable in {"args", "query_string"}:
        return fields, literals
    if [f.name for f in fields[-2:]] == ["scheme", "host"] and literals[-1] == "://" and field.name == "target":
        return [*fields[:-2], replace(last, name="url", kind=Kind.URL)], literals[:-1]  # $scheme://$host$request_uri
    return None


def _placed(text: str) -> tuple[Escape, list[tuple[str, int]]]:
    """Return the escape and the characters of the string of a ``log_format``, each with its place in the text."""
    statement = _STATEMENT.match(text)
    if not statement:
        return Escape.BACKSLASH, [(c, k) for k, c in enumerate(text)]
    at, escape = statement.end(), Escape.BACKSLASH
    placed: list[tuple[str, int]] = []
    if found := _ESCAPE.match(text, at):
        at, escape = found.end(), _ESCAPES[found[1]]
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at >= len(text):
            raise FormatError("the log_format does not end with a semicolon", position=len(text))
        if text[at] == ";":
            return escape, placed
        if text[at] == "#":
            at = (text.find("\n", at) + 1) or len(text)
            continue
        quote = text[at] if text[at] in "'\"" else ""
        at += len(quote)
        while at < len(text) and text[at] != quote and (quote or not (text[at].isspace() or text[at] == ";")):
            if text[at] == "\\" and text[at + 1 : at + 2] in _BACKSLASHED:
                placed.append((_BACKSLASHED[text[at + 1]], at))
                at += 2
            else:
                placed.append((text[at], at))
                at += 1
        if quote and at >= len(text):
            raise FormatError("a quote of the log_format is not closed", position=at)
        at += len(quote)
