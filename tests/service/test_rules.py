"""Rules by place: one way to check, set and read both kinds."""

import pytest

from server.domain.replenishment import Rule
from server.domain.safety_stock import SafetyRule
from server.schemas.replenishment import RuleBody
from server.schemas.safety_stock import NamedSkuBody, SafetyRuleBody, SkusBody
from server.service.caller import Caller
from server.service.checks import InvalidError
from server.service.rules import (
    all_rules,
    replenishment_rule,
    replenishment_store,
    safety_rule,
    safety_store,
    set_rules,
)
from server.service.skus import category_of, put_categories


async def test_given_rules_when_set_then_they_are_read_and_one_is_taken_away(caller: Caller) -> None:
    store = replenishment_store(caller)

    kept = await set_rules(
        caller, store, replenishment_rule, [RuleBody(target=20), RuleBody(sku="A", location="main", reorder_point=3)]
    )
    left = await set_rules(caller, store, replenishment_rule, [RuleBody(remove=True)])

    assert kept == {("", ""): Rule(target=20), ("A", "main"): Rule(reorder_point=3)}
    assert left == {}
    assert await all_rules(store) == {("A", "main"): Rule(reorder_point=3)}


async def test_given_two_rules_for_the_same_when_set_then_the_last_one_counts(caller: Caller) -> None:
    store = safety_store(caller)

    await set_rules(
        caller,
        store,
        safety_rule,
        [SafetyRuleBody(category="shoes", units=1), SafetyRuleBody(category="shoes", units=2)],
    )

    assert await all_rules(store) == {("shoes", ""): SafetyRule(units=2)}


async def test_given_a_name_that_cannot_be_one_when_set_then_its_place_is_named(caller: Caller) -> None:
    with pytest.raises(InvalidError) as raised:
        await set_rules(caller, safety_store(caller), safety_rule, [SafetyRuleBody(), SafetyRuleBody(location="a\nb")])

    assert raised.value.field == "rules[1].location"


async def test_given_skus_when_put_into_categories_then_each_is_of_its_own(caller: Caller) -> None:
    await put_categories(caller, SkusBody([NamedSkuBody("A", "shoes"), NamedSkuBody("B", None)]))

    assert (await category_of(caller, "A"), await category_of(caller, "B")) == ("shoes", "")
