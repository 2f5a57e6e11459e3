"""Write the names of programs that generic rules of ua-parser capture: ``python docs/make_names.py CASES.yaml...``.

Such a rule takes any word that ends in `bot`, say, so what it captures is the client's text and may be published only
where it is the known name of a program. Known are those that uap-core's own cases expect (test_ua.yaml and test_os.yaml
of its ``tests`` folder, Apache-2.0) and those that its rules find in the examples of crawler-user-agents (MIT).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from logblur.classify import agents

PAGE = Path(agents.__file__).with_name("names.txt")
_PLAIN = re.compile(r"[0-9A-Za-z][\w .,:!'&()\[\]+/-]{1,60}", re.ASCII)


def captured(cases: list[Path]) -> Iterator[str]:
    """Yield the families that the cases expect, and those found in examples of crawlers."""
    for path in cases:
        for case in yaml.safe_load(path.read_text("utf-8"))["test_cases"]:
            yield case["family"]
    rules = agents.rules()
    for entry in CRAWLER_USER_AGENTS_DATA:
        for text in entry.get("instances", ()):
            for found in (rules.browsers(text), rules.systems(text)):
                if found is not None:
                    yield found.family


if __name__ == "__main__":
    names = {name for name in captured([Path(name) for name in sys.argv[1:]]) if _PLAIN.fullmatch(name)}
    names = {n for n in names if not re.match("(?:com|net|de|org|info|s)[ /]|http", n)} - agents.spelled() - {"Other"}
    PAGE.write_text("".join(f"{name}\n" for name in sorted(names)), "utf-8")
