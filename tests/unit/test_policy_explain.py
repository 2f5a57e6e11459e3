"""A policy in words."""

from __future__ import annotations

import pytest

from logblur.errors import PolicyError
from logblur.policy import load_policy
from logblur.policy.explain import BECOMES, MEANS, explain
from logblur.policy.gaps import gaps
from logblur.policy.load import BUILT_IN, builtin_text, decode, encode, restore
from logblur.policy.resolve import resolve
from logblur.policy.rules import Fields, rules_of
from logblur.schema import FINDINGS, PARSED, UNIVERSES, Category


def test_every_treatment_has_words() -> None:
    """Whatever a policy can say of a field, and every universe, can be explained."""
    assert list(BECOMES) == list(Fields.model_fields)
    for name, words in BECOMES.items():
        assert {*words, "drop"} == set(rules_of(name))
    assert set(MEANS) == set(UNIVERSES)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_policies_explain_every_field_and_table(name: str) -> None:
    """Every field a log can have is explained, every table, and that tokens are made before the fields are treated."""
    policy = load_policy(name)
    plan = resolve(policy)
    explained = explain(policy, plan)
    assert [field.name for field in explained.fields] == list(Fields.model_fields)
    assert [entry.table for entry in explained.tables] == list(plan.tables)
    assert {column for field in explained.fields for column in field.columns} == set(plan.columns)
    assert any("before [fields] acts" in sentence for sentence in explained.tokens)
    assert explained.digest == plan.digest


def test_dropped_fields_say_whether_they_are_read() -> None:
    """A dropped address is read for tokens, a field that is not named is not even parsed."""
    policy = load_policy("strict")
    fields = {field.name: field for field in explain(policy, resolve(policy)).fields}
    assert fields["remote_addr"].becomes == "nothing; read for tokens alone"
    assert fields["remote_user"].becomes == "nothing; not even parsed"
    audience = load_policy("audience")
    unnamed = explain(audience, resolve(audience)).fields[2]
    assert (unnamed.name, unnamed.method, unnamed.reason) == ("remote_user", "drop", "the policy does not name it")


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_kind_of_personal_data_is_accounted_for(name: str) -> None:
    """Each field a log can have and each kind of finding is in one line; what is kept has purpose, basis and a time."""
    policy = load_policy(name)
    held = explain(policy, resolve(policy)).held
    said = [data for entry in held for data in entry.data.removesuffix(" in paths").split(", ")]
    assert sorted(said) == sorted([*(set(PARSED.names) - {"referer_host"}), *FINDINGS])
    assert [entry.category for entry in held] == sorted((e.category for e in held), key=list(Category).index)
    for entry in held:
        assert (entry.kept == "not at all") == (entry.purpose == "") == (entry.legal_basis == "")
        assert (entry.kept == "not at all") <= ("nothing" in entry.becomes or "in its place" in entry.becomes)


def test_a_field_and_a_table_may_have_their_own_purpose_and_basis() -> None:
    """What a field or a table says of purpose and legal basis stands before what the policy says."""
    text = builtin_text("audience").replace(
        '{ method = "family" }', '{ method = "family", purpose = "compatibility", legal_basis = "contract" }'
    )
    text = text.replace('name = "errors"', 'name = "errors"\npurpose = { lv = "kļūdas", en = "faults" }')
    policy = decode(text.encode())
    explained = explain(policy, resolve(policy))
    (agent,) = (entry for entry in explained.held if entry.data == "user_agent")
    assert (agent.purpose, agent.legal_basis) == ("compatibility", "contract")
    assert {t.purpose for t in explained.tables} == {"faults", "audience measurement"}
    assert policy.grounds() == {"contract", "legitimate-interests"}
    assert resolve(policy).digest == resolve(load_policy("audience")).digest


def test_gaps_are_what_the_texts_need() -> None:
    """Controller, contact, recipients and, for legitimate interests, the balancing; nothing where all is said."""
    text = builtin_text("audience")
    policy = decode(text.encode())
    keys = ["controller.name", "controller.contact", "recipients", "transfers"]
    assert [gap.key for gap in gaps(policy)] == [
        *keys,
        *(f"balancing.{k}" for k in ("interest", "necessity", "impact")),
    ]
    public = text.replace('"legitimate-interests"', '"public-task"')
    assert [gap.key for gap in gaps(decode(public.encode()))] == keys
    whole = 'recipients = []\ntransfers = []\n[controller]\nname = "SIA Piemērs"\ncontact = "dati@example.org"\n[input]'
    assert gaps(decode(public.replace("[input]", whole).encode())) == ()


@pytest.mark.parametrize(
    ("value", "language", "said"),
    [('"a"', "lv", "a"), ('{ lv = "l", en = "e" }', "lv", "l"), ('{ lv = "l", en = "e" }', "de", None)],
)
def test_words_are_said_in_a_language(value: str, language: str, said: str | None) -> None:
    """Plain words are said in every language, others in those that they are given in."""
    policy = decode(builtin_text("strict").replace("[input]", f"[balancing]\ninterest = {value}\n[input]", 1).encode())
    assert policy.balancing.interest is not None
    assert policy.balancing.interest.to(language) == said
    assert restore(encode(policy)) == policy


@pytest.mark.parametrize("value", ["{}", "{ fr = 'x' }", "{ en = 1 }", "{ en = '' }", "[]", "1", "''"])
def test_words_that_nobody_can_read_are_refused(value: str) -> None:
    """Words in no language, in an unknown one, or that are no line of text are errors by their path."""
    with pytest.raises(PolicyError) as refused:
        decode(builtin_text("strict").replace("[input]", f"[balancing]\ninterest = {value}\n[input]", 1).encode())
    assert refused.value.path == "balancing.interest"


def test_what_goes_is_said() -> None:
    """It is said when tables go, and whether raw logs do."""
    text = builtin_text("audience")
    deleting = text.replace("[input]", "[input]\ndelete_logs = true")
    for policy, said in ((text, "stay where they are"), (deleting, "go when every byte")):
        loaded = decode(policy.encode())
        sentences = explain(loaded, resolve(loaded)).tokens
        assert any("tables go 25 months after" in sentence for sentence in sentences)
        assert any(f"Raw logs {said}" in sentence for sentence in sentences)
