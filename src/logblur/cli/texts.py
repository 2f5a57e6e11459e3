"""``logblur notice``, ``record`` and ``balance``: the texts that follow from a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from logblur.cli.options import policy_option
from logblur.cli.words import put, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from logblur.privacy.document import Language
    from logblur.privacy.texts import Kind


def _text_options(command: Callable[..., None]) -> Callable[..., None]:
    lang = click.Choice(["lv", "en", "de"])
    for option in (
        click.option("--html", is_flag=True, help="Write a page of HTML instead of Markdown."),
        click.option("--lang", type=lang, default="en", show_default=True, help="The language of the text."),
        policy_option,
    ):
        command = option(command)
    return command


def _write(kind: Kind, *, policy: str, lang: Language, html: bool) -> None:
    from logblur.policy import load_policy
    from logblur.privacy.document import render
    from logblur.privacy.texts import write

    document = write(kind, load_policy(policy), lang)
    put(render(document, "html" if html else "markdown"))
    if gaps := sum(item.gap for section in document.sections for item in section.items):
        say(f"{policy}: {gaps} gaps are marked in the text; the policy can fill them")


@click.command(epilog="Example: logblur notice -p audience --lang lv > notice.md")
@_text_options
def notice(**options: Any) -> None:
    """Write the passage for the site's privacy notice that follows from a policy.

    Each line cites the policy's key that it follows from; what the policy does not say is a marked gap. Drafting help,
    not legal advice.
    """
    _write("notice", **options)


@click.command(epilog="Example: logblur record -p audience --lang de --html > record.html")
@_text_options
def record(**options: Any) -> None:
    """Write the record of processing that follows from a policy, GDPR Article 30.

    Each line cites the policy's key that it follows from; what the policy does not say is a marked gap. Drafting help,
    not legal advice.
    """
    _write("record", **options)


@click.command(epilog="Example: logblur balance -p audience --lang en > balance.md")
@_text_options
def balance(**options: Any) -> None:
    """Write the skeleton of the balancing of legitimate interests (GDPR Art. 6(1)(f)) that follows from a policy.

    Each line cites the policy's key that it follows from; what the policy does not say is a marked gap. Drafting help,
    not legal advice.
    """
    _write("balance", **options)
