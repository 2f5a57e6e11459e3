"""A policy in words."""

from __future__ import annotations

import pytest

from logblur.policy import load_policy
from logblur.policy.explain import BECOMES, MEANS, explain
from logblur.policy.load import BUILT_IN
from logblur.policy.model import Fields, rules_of
from logblur.policy.resolve import resolve
from logblur.schema import UNIVERSES


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
