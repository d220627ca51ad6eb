"""Rules by location: when and how much to order, and how much safety stock to keep. One way to check and set both.

A rule is for a pair of names: a SKU or category, and a location; :data:`ANY` for all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from server.domain.replenishment import ANY, Rule
from server.domain.safety_stock import SafetyRule
from server.schemas.replenishment import RuleBody
from server.schemas.safety_stock import SafetyRuleBody
from server.service.caller import Caller
from server.service.checks import check_category, check_location, check_sku
from server.service.current_names import current
from server.service.known_locations import check_known
from server.service.writes import written
from server.store.connection.timeouts import in_report_time, in_time
from server.store.repositories.channels import ChannelStore
from server.store.repositories.replenishment import ReplenishmentStore
from server.store.repositories.rules import RuleTable, Where
from server.store.repositories.safety_stock import SafetyStore

BodyT = TypeVar("BodyT")
RuleT = TypeVar("RuleT")


def replenishment_store(caller: Caller) -> ReplenishmentStore:
    """Open the rules by which to order, and the events of stock, of the caller's partition."""
    return ReplenishmentStore(caller.partition.client, caller.partition.keyspace)


def safety_store(caller: Caller) -> SafetyStore:
    """Open the rules of safety stock, and the categories, of the caller's partition."""
    return SafetyStore(caller.partition.client, caller.partition.keyspace)


def replenishment_rule(at: str, body: RuleBody) -> tuple[Where, Rule | None]:
    """Check a rule by which to order; None: it is to be taken away.

    Raises
    ------
    InvalidError
        A name cannot be one; the field is named as one below ``at``.

    """
    sku = check_sku(f"{at}.sku", body.sku) if body.sku is not None else ANY
    rule = Rule(
        reorder_point=body.reorder_point,
        target=body.target,
        lead_time_days=body.lead_time_days,
        cover_days=body.cover_days,
    )
    return (sku, _location(at, body.location)), None if body.remove else rule


def safety_rule(at: str, body: SafetyRuleBody) -> tuple[Where, SafetyRule | None]:
    """Check a rule of safety stock; as :func:`replenishment_rule`."""
    category = check_category(f"{at}.category", body.category)
    rule = SafetyRule(units=body.units, percent=body.percent)
    return (category, _location(at, body.location)), None if body.remove else rule


def _location(at: str, location: str | None) -> str:
    return check_location(f"{at}.location", location) if location is not None else ANY


async def set_rules(
    caller: Caller,
    store: RuleTable[RuleT],
    check: Callable[[str, BodyT], tuple[Where, RuleT | None]],
    bodies: Sequence[BodyT],
) -> dict[Where, RuleT]:
    """Set rules, and return those that were not taken away. Where two are for the same, the last one counts.

    Raises
    ------
    InvalidError
        A rule breaks one, or its location is not there.
    ProblemError
        The store did not answer in time; asking again is safe.

    """
    checked = [check(f"rules[{at}]", body) for at, body in enumerate(bodies)]
    rules, partition = dict(checked), caller.partition
    named = {
        f"rules[{at}].location": where[1]
        for at, (where, rule) in enumerate(checked)
        if rule is not None and where[1] != ANY
    }
    if named:
        registered = (await partition.locations.current()).locations
        await check_known(partition.client, partition.keyspace, registered, named)
    await written(store.set_rules(rules, caller.actor))
    return {where: rule for where, rule in rules.items() if rule is not None}


async def unknown_skus(caller: Caller, rules: Iterable[Where]) -> list[str]:
    """Return the SKUs of rules that have no stock record: their rules apply once they have one.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    named = [sku for sku in dict.fromkeys(sku for sku, _ in rules) if sku != ANY]
    now = dict(zip(named, await current(caller, named), strict=True)) if named else {}
    store = ChannelStore(caller.partition.client, caller.partition.keyspace)
    unknown = set(await in_time(store.unknown_skus(list(now.values()))))
    return [sku for sku, name in now.items() if name in unknown]


async def unknown_categories(caller: Caller, rules: Iterable[Where]) -> list[str]:
    """Return the categories of rules that no SKU is of; errors as for :func:`unknown_skus`."""
    named = [category for category in dict.fromkeys(category for category, _ in rules) if category != ANY]
    known = await in_report_time(_known_categories(caller, set(named)))
    return [category for category in named if category not in known]


async def _known_categories(caller: Caller, wanted: set[str]) -> set[str]:
    """Find categories that SKUs are of, until all that are wanted were met."""
    found: set[str] = set()
    if wanted:
        async for names in safety_store(caller).category_names():
            found |= names
            if found >= wanted:
                break
    return found


async def all_rules(store: RuleTable[RuleT]) -> Mapping[Where, RuleT]:
    """Read every rule.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    return await in_report_time(store.rules())
