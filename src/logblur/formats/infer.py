"""Formats told by lines that are in none of the known ones: what stands where tells what it is.

Two families have as many layouts as sites. Logs like the Common Log Format have a request in quotes behind a time in
brackets, and anything before, between and behind; IIS writes any choice of its fields, in a fixed order, and its header
gets lost. What a layout has beyond the fields that are known is stepped over or dropped, never kept.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from logblur.formats import Format, apache, w3c

_CLF_LINE: Final = re.compile(
    r"(?P<head>[^\[]{0,400})\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
    r'"(?:[^"\\]|\\.)*" (?:\d{3}|-) (?:\d+|-)(?P<rest> .*)?'
)
_TOKEN: Final = re.compile(r' +(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_HOST_NAME: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}", re.IGNORECASE)
_AGENT: Final = re.compile(r"[A-Za-z][\w.+-]*/[\d.]|Mozilla|compatible|\bbot\b", re.IGNORECASE)

_IIS_LINE: Final = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?"
    r"(?P<before>(?: [^ /]+){0,3}?) [A-Za-z_-]+ \S+ \S+ \d+ \S+ \S+"
    r"(?P<version> HTTP/[\d.]+)? \S+(?P<headers>(?: \S+){0,3}?) [1-5]\d\d(?P<numbers>(?: \d+){0,5})"
    r"(?P<behind>(?: \S+)*)"
)
_NUMBERS: Final = (
    "", "x-number", "sc-substatus sc-win32-status", "sc-substatus sc-win32-status time-taken",
    "sc-substatus sc-win32-status x-number x-number-2", "sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
)  # fmt: skip
"""Which numbers stand behind the status, by how many there are."""


def infer(lines: Sequence[bytes]) -> list[Format]:
    """Return formats of these two families that some of the lines are in, the one of most lines first.

    Cost:
        Time in proportion to the lines.
    """
    found = Counter(text for line in lines if (text := _definition(line.decode("latin-1").strip())))
    return [_compiled(text) for text, _ in found.most_common()]


def is_address(text: str) -> bool:
    """Whether a text is an IP address, perhaps in brackets or with a port, or a list that begins with one."""
    first = text.partition(",")[0]
    bare = re.sub(r"^\[(.*)\](:\d+)?$|^([\d.]+):\d+$", r"\1\3", first)
    try:
        ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return False
    return True


def is_misread(line: bytes, form: Format) -> bool:
    """Whether a format takes the name of a virtual host for the client, whose address stands behind it."""
    if form.fields[0].name != "remote_addr" or form.literals[0]:
        return False
    name, address, *_ = (*line[:400].decode("latin-1").split(maxsplit=2), "", "")
    if address == "-":  # most logs name nobody there: asked of some lines of each block
        return False
    return name[:1].isalnum() and is_address(address) and not is_address(name)


def _compiled(text: str) -> Format:
    if text.startswith("#Fields:"):
        return w3c.compile_fields(text)
    form = apache.compile_log_format(text.removesuffix(" ..."), name=text)
    return replace(form, open_end=text.endswith(" ..."))


def _definition(line: str) -> str:
    """Return the definition of the format that a line tells, empty where it tells none."""
    if found := _CLF_LINE.fullmatch(line):
        return f'{_head(found["head"])}%t "%r" %>s %b{_rest(found["rest"] or "")}'
    if found := _IIS_LINE.fullmatch(line):
        return _iis(found)
    return ""


def _head(text: str) -> str:
    """Return the directives of what stands before the time: names, the client's address, identity, user."""
    tokens = text.replace(", ", ",").split()
    place = next((k for k, token in enumerate(tokens) if is_address(token)), max(len(tokens) - 3, 0))
    if place > 2 or not tokens or tokens[0] == "-":
        place = 0
    before = ["%v:%p" if re.fullmatch(r".+:\d+", tokens[0]) else "%v", "%X"][:place]
    behind = tokens[place + 1 :]
    identity = "%V" if behind and _HOST_NAME.fullmatch(behind[0]) else "%l"
    after = [identity, "%u"] if len(behind) > 1 else ["%u"] * len(behind)
    return "".join(f"{x} " for x in (*before, "%h", *after) if tokens)


def _rest(text: str) -> str:
    """Return the directives of what stands behind the size: numbers, the referrer and the agent in quotes."""
    tokens, at = [], 0
    while found := _TOKEN.match(text, at):
        tokens.append((found[1], found[2]))
        at = found.end()
    skipped = next((k for k, (quoted, _) in enumerate(tokens) if quoted is not None), None)
    if skipped is None:
        return " ..." if tokens else ""
    quoted = []
    for value, _ in tokens[skipped:]:
        if value is None:
            break
        quoted.append(value)
    known = '"%{Referer}i" "%{User-Agent}i"'
    if len(quoted) == 1:
        known = '"%{User-Agent}i"' if _AGENT.search(quoted[0]) else ""
    taken = min(len(quoted), 2) if known else 0
    if not taken:
        return " ..."
    addresses = len(quoted) > 2 and is_address(quoted[2])
    known += ' "%{X-Forwarded-For}i"' if addresses else ""
    more = len(tokens) > skipped + taken + addresses or bool(text[at:].strip())
    return f"{' %X' * skipped} {known}{' ...' if more else ''}"


def _iis(found: re.Match[str]) -> str:
    """Return the ``#Fields`` line of a line of IIS: its fields in their fixed order, without those it leaves out."""
    names = ["date", "time"]
    for token in found["before"].split():
        site = re.fullmatch(r"W3SVC\d+|[A-Z]+SVC\d+", token)
        names.append("s-sitename" if site else "s-ip" if is_address(token) else "s-computername")
    names += "cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip".split()
    names += ["cs-version"] if found["version"] else []
    names.append("cs(User-Agent)")
    headers = found["headers"].split()
    last = bool(headers) and (_HOST_NAME.fullmatch(headers[-1]) is not None)
    match len(headers):
        case 1:
            names.append("cs-host" if last else "cs(Referer)")
        case 2:
            names += ["cs(Referer)", "cs-host"] if last else ["cs(Cookie)", "cs(Referer)"]
        case 3:
            names += ["cs(Cookie)", "cs(Referer)", "cs-host"]
    names.append("sc-status")
    names += _NUMBERS[len(found["numbers"].split())].split()
    behind = found["behind"].split()
    names += ["x-forwarded-for"] if behind and is_address(behind[0]) else ["x-behind"] * bool(behind)
    names += [f"x-behind-{k}" for k in range(2, len(behind) + 1)]
    if len(set(names)) < len(names):
        return ""
    return f"#Fields: {' '.join(names)}"
