"""Notice, record and balance: what they say in each language, that it is what the policy keeps, and escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.strategies import policies

from logblur.cli import main
from logblur.periods import Period
from logblur.policy import Policy, load_policy
from logblur.policy.gaps import gaps
from logblur.policy.load import BUILT_IN, decode
from logblur.policy.model import Duration
from logblur.policy.resolve import resolve
from logblur.policy.rules import LANGUAGES, Fields, LegalBasis, rules_of
from logblur.privacy.document import Document, Item, Language, Section, render
from logblur.privacy.phrases import phrases
from logblur.privacy.texts import Kind, write
from logblur.schema import KEY_TYPES, UNIVERSES, Category

FOLDER = Path(__file__).parents[1] / "snapshots"
KINDS: tuple[Kind, ...] = get_args(Kind)


def items(document: Document) -> list[Item]:
    """Every line of a text."""
    return [item for section in document.sections for item in section.items]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [*BUILT_IN, "whole"])
def test_texts_are_as_they_were_read(name: str, language: Language, request: pytest.FixtureRequest) -> None:
    """Each text of each policy in each language is the one that was read; `--update-snapshots` writes it anew."""
    policy = load_policy(FOLDER / "whole.toml") if name == "whole" else load_policy(name)
    text = "\n".join(render(write(kind, policy, language), "markdown") for kind in KINDS)
    text = re.sub(r", [0-9a-f]{12}\b", ", (digest)", text)
    file = FOLDER / f"{name}.{language}.md"
    if request.config.getoption("--update-snapshots"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_html_is_as_it_was_read(request: pytest.FixtureRequest) -> None:
    """A text as a page of HTML."""
    text = render(write("notice", load_policy(FOLDER / "whole.toml"), "lv"), "html")
    text = re.sub(r", [0-9a-f]{12}\b", ", (digest)", text)
    file = FOLDER / "whole.lv.html"
    if request.config.getoption("--update-snapshots"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def keys(tree: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], set[str]]:
    """Each key of a file of words, with the names in braces that its words hold."""
    found = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= keys(value, (*path, key))
        else:
            found[*path, key] = set(re.findall(r"{(\w+)}", str(value)))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: Language) -> None:
    """Each language has words for all that a policy can say, and each of its lines takes the same values."""
    tree = phrases(language).tree
    assert keys(tree) == keys(phrases("en").tree)
    assert {name: set(methods) for name, methods in tree["fields"].items()} == {
        name: set(rules_of(name)) - {"drop"} for name in Fields.model_fields
    }
    assert set(tree["columns"]) == set(KEY_TYPES)
    assert set(tree["universe"]) == set(UNIVERSES)
    assert set(tree["category"]) == {category.value for category in Category}
    assert set(tree["basis"]) == set(get_args(LegalBasis))
    assert set(tree["purposes"]) == {str(load_policy(name).purpose) for name in BUILT_IN}
    assert set(tree["units"]) == {"hour", "day", "week", "month", "year"}


def test_latvian_has_the_words_of_the_regulation() -> None:
    """The Latvian texts speak as the Latvian text of the regulation does."""
    policy = load_policy("audience")
    text = "\n".join(render(write(kind, policy, "lv"), "markdown") for kind in KINDS).lower()
    for word in (
        "pārzinis", "apstrādātāj", "datu subjekt", "leģitīm", "glabāšanas termiņš", "ip adrese", "pārlūkprogramma",
        "operētājsistēma", "meklētājprogramma", "lejupielādēta datne", "uzraudzības iestād", "saņēmēj",
        "trešās valstis",
    ):  # fmt: skip
        assert word in text, word
    assert "pseidonimizē" in render(write("notice", load_policy("records"), "lv"), "markdown")


@pytest.mark.parametrize(
    ("count", "lv", "en", "de"),
    [(1, "mēnesis", "month", "Monat"), (11, "mēneši", "months", "Monate"), (21, "mēnesis", "months", "Monate"),
     (25, "mēneši", "months", "Monate"), (111, "mēneši", "months", "Monate"), (101, "mēnesis", "months", "Monate")],
)  # fmt: skip
def test_a_time_is_said_as_the_language_does(count: int, lv: str, en: str, de: str) -> None:
    """One month, eleven months, and in Latvian twenty-one month."""
    for language, word in (("lv", lv), ("en", en), ("de", de)):
        assert phrases(language).duration(Duration(count, "month")) == f"{count} {word}"  # type: ignore[arg-type]


# What is named is what is kept


@pytest.mark.parametrize("language", LANGUAGES)
@given(policy=policies())
def test_all_that_is_kept_is_named_and_nothing_else(language: Language, policy: Policy) -> None:
    """A notice has a line for each field that is kept, the words of its method, and none for one that is dropped."""
    plan, words = resolve(policy), phrases(language)
    lines = items(write("notice", policy, language))
    kept = {name for name, method in plan.methods.items() if method != "drop"}
    named = {key for item in lines for key in item.cites if key.startswith("fields.")}
    assert named == {f"fields.{name}" for name in kept}
    said = "\n".join(item.text for item in lines)
    for name in Fields.model_fields:
        for method in set(rules_of(name)) - {"drop"}:
            key = words.of("key", "named" if name in plan.keys else "day")
            phrase = words.field(name, method, ipv4=plan.ipv4_prefix, ipv6=plan.ipv6_prefix, key=key)
            here = any(item.text.endswith(f": {phrase}") for item in lines)
            assert here == (plan.methods.get(name) == method)
    for name in ("remote_addr", "user_agent"):  # read for tokens, whatever becomes of the field
        assert (name in {"remote_addr", *plan.visitor_from}) == (words.of("token", name) in said)
    for number, table in enumerate(plan.tables):
        (line,) = (item.text for item in lines if item.cites == (f"table[{number}]",))
        assert ", ".join(words.of("columns", column) for column in table.by) in line


MORE = """
version = 1
name = "more"
purpose = "finding faults and attacks"
legal_basis = "legitimate-interests"
retention = "1 day"
[keys]
archive = { file = "/etc/archive.key" }
[fields]
time = { method = "minute" }
path = { method = "template", query = { keep = ["page", "lang"] } }
remote_addr = { method = "cryptopan", key = "archive" }
http_x_a = { method = "pseudonym" }
http_x_b = { method = "keep", reason = "needed" }
"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_fields_of_some_servers_parameters_and_keys_are_named(language: Language) -> None:
    """A field that only some servers log is named with what becomes of it; so are parameters that stay, and the key."""
    words, lines = phrases(language), [i.text for i in items(write("notice", decode(MORE.encode()), language))]
    pseudonym = words.of("say", "field_pseudonym").format(field="http_x_a", key=words.of("key", "day"))
    assert any(line.endswith(pseudonym) for line in lines)
    assert any(line.endswith(words.of("say", "field_keep").format(field="http_x_b")) for line in lines)
    assert words.say("parameters", names="page, lang").text in lines
    (address,) = (line for line in lines if "cryptopan" in line)
    assert words.of("key", "named") in address


@pytest.mark.parametrize("language", LANGUAGES)
def test_purposes_are_of_what_readers_know(language: Language) -> None:
    """A field's or a table's own purpose stands beside its words in that language, not its name in the policy."""
    lines = [item.text for item in items(write("notice", load_policy(FOLDER / "whole.toml"), language))]
    words = phrases(language)
    for what in (words.field("status", "class"), words.of("universe", "error")):
        assert any(what in line and words.of("purposes", "finding faults and attacks") in line for line in lines)


def test_the_property_above_can_fail() -> None:
    """A line left out, and one too many, are seen."""
    policy = load_policy("audience")
    lines = items(write("notice", policy, "en"))
    named = {key for item in lines for key in item.cites if key.startswith("fields.")}
    assert named - {"fields.path"} != {f"fields.{name}" for name in resolve(policy).methods}
    dropped = policy.model_copy(update={"fields": policy.fields.model_copy(update={"referer": None}), "tables": ()})
    assert "fields.referer" not in {key for item in items(write("notice", dropped, "en")) for key in item.cites}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*BUILT_IN, "whole"])
def test_each_line_cites_a_key_or_is_a_gap(name: str, kind: Kind, language: Language) -> None:
    """Every line says which key of the policy it follows from; where the key is missing, a marked gap names it."""
    policy = load_policy(FOLDER / "whole.toml") if name == "whole" else load_policy(name)
    lines = items(write(kind, policy, language))
    assert all(item.cites or item.gap for item in lines)
    missing = {gap.key for gap in gaps(policy)}
    marked = {key for item in lines if item.gap for key in [*missing, "balancing.conclusion"] if key in item.text}
    if kind != "balance":
        assert marked <= missing
        assert {key for key in missing if not key.startswith("balancing")} == {
            k for k in marked if "balancing" not in k
        }
    else:
        assert {key for key in missing if key.startswith("balancing")} == marked - {"balancing.conclusion"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_weeks_are_said(language: Language) -> None:
    """Where a policy counts by weeks, notice and record say what a day means in them; elsewhere they do not."""
    policy = load_policy("audience")
    weekly = policy.model_copy(update={"period": Period.WEEK})
    for kind in ("notice", "record"):
        more = {item.text for item in items(write(kind, weekly, language))} - {
            item.text for item in items(write(kind, policy, language))
        }
        assert [text for text in more if phrases(language).say("weeks", "period").text == text]


def test_words_that_are_lacking_in_a_language_are_a_gap() -> None:
    """A policy that says its interest in German alone leaves a gap in the Latvian text."""
    text = (FOLDER / "whole.toml").read_text().replace('interest = { lv = "zināt, kas tiek lasīts", ', "interest = { ")
    lines = items(write("balance", decode(text.encode()), "lv"))
    assert any(item.gap and "balancing.interest" in item.text for item in lines)


# Escaping


class Tags(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, _: object) -> None:  # noqa: D102
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:  # noqa: D102
        self.text += data


HOSTILE = st.text(st.sampled_from("<>&\"'`*_[]()!#-+.1 a|\\~$=:/{}%"), min_size=1, max_size=30).map(lambda t: f"a{t}z")


@given(HOSTILE)
def test_what_a_policy_says_adds_no_tag(text: str) -> None:
    """A name full of markup is text of the page, and the page has no tag more than with a plain name."""
    pages = []
    for name in ("plain", text):
        policy = load_policy(FOLDER / "whole.toml")
        policy = policy.model_copy(update={"controller": policy.controller.model_copy(update={"name": name})})
        pages.append(Tags(render(write("notice", policy, "en"), "html")))
    assert pages[0].tags == pages[1].tags
    assert f"Controller: {text}" in pages[1].text


@given(HOSTILE | st.sampled_from(["1. a", "- a", "+ a", "# a", "12) a", "= a"]))
def test_markdown_acts_on_nothing_that_a_policy_says(text: str) -> None:
    """What CommonMark would act on stands behind a backslash; without the backslashes it is the text."""
    document = Document("en", "t", "d", "from", (Section("h", (Item(text, ("purpose",)),)),))
    line = next(x for x in render(document, "markdown").splitlines() if x.startswith("- "))
    shown = line.removeprefix("- ").removesuffix(" (from `purpose`)")
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", shown) == text
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", shown)
    assert not re.search(r"[`*_\[\]<>|~&$]|^[-+#=]|^[0-9]{1,2}[.)]", bare)


# The commands


@pytest.mark.parametrize("kind", KINDS)
def test_the_commands_write_the_text(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command prints its text on stdout and how many gaps it has on stderr; a wrong language is a usage error."""
    assert main([kind, "-p", "audience", "--lang", "lv"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# ")
    assert "nav juridiska konsultācija" in out
    assert "gaps are marked" in err
    assert main([kind, "-p", str(FOLDER / "whole.toml"), "--html"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("<!doctype html>")
    assert main([kind, "--lang", "fr"]) == 2
    assert main([kind, "-p", "none.toml"]) == 2
