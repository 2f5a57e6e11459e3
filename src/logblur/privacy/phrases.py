"""The words of notice, record and balance, by language, and how a policy's values are said with them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from logblur.policy.model import Duration
from logblur.policy.rules import Words
from logblur.privacy.document import Item, Language


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words of one language, as its file in ``texts/`` has them."""

    language: Language
    tree: dict[str, Any]

    def of(self, group: str, key: str) -> str:
        """Return the words for a key of a group such as ``heading``."""
        found: str = self.tree[group][key]
        return found

    def say(self, key: str, *cites: str, **values: object) -> Item:
        """Return a line of ``[say]`` with its values, and the policy's keys that it follows from."""
        return Item(self.of("say", key).format(**values), cites)

    def gap(self, key: str) -> Item:
        """Return the line that marks a key which the policy lacks."""
        return Item(self._marked(key, key), (), gap=True)

    def _marked(self, key: str, needed: str) -> str:
        return str(self.tree["document"]["gap"]).format(key=key, needed=self.of("needed", needed))

    def stated(self, phrase: str, key: str, words: Words | str | None, name: str) -> Item:
        """Return a line that holds what the policy says under a key; a marked gap where it says nothing.

        Args:
            phrase: The key of ``[say]``.
            key: The policy's key.
            words: What it says there.
            name: How the phrase calls it.
        """
        if words is None:
            return self.gap(key)
        text = words.to(self.language) if isinstance(words, Words) else words
        if text is None:
            return Item(self._marked(key, "translation"), (), gap=True)
        return self.say(phrase, key, **{name: text})

    def purpose(self, words: Words) -> str:
        """Return a purpose in this language; those of the built-in policies are known in all of them."""
        text = words.to(self.language)
        if text is None:
            return f"⟦{self._marked('purpose', 'translation')}⟧"
        known: str = self.tree["purposes"].get(text, text)
        return known

    def field(self, name: str, method: str, **values: object) -> str:
        """Return what is kept of a field under a method."""
        methods = self.tree["fields"].get(name)
        if methods is None:  # a field that a format names, such as a request header
            return self.of("say", f"field_{method}").format(field=name, **values)
        return str(methods[method]).format(**values)

    def duration(self, value: Duration) -> str:
        """Return a length of time, as ``25 months``."""
        one, many = self.tree["units"][value.unit]
        single = value.count == 1
        if self.language == "lv":  # 21, 31, 101 are singular, 11 is not
            single = value.count % 10 == 1 and value.count % 100 != 11
        return f"{value.count} {one if single else many}"

    def listed(self, words: list[str]) -> str:
        """Return words as a list in running text."""
        last = f" {self.tree['document']['and']} "
        return last.join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


@cache
def phrases(language: Language) -> Phrases:
    """Return the words of a language."""
    text = (resources.files("logblur.privacy") / "texts" / f"{language}.toml").read_text(encoding="utf-8")
    return Phrases(language, tomllib.loads(text))
