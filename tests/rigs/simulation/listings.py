"""What a channel lists, by the requests that were made, and random requests that move its keys about."""

from collections.abc import Sequence
from random import Random

from msgspec.structs import replace

from server.domain.channels import Listing
from server.domain.components import Component, known_by


class Listings:
    """One channel's listings. ``lists_all``: a SKU without one is listed under its own name."""

    def __init__(self, skus: Sequence[str], *, lists_all: bool, keys: Sequence[str] = ()) -> None:
        """``keys``: of the SKUs in the beginning, where they are not their names, and then some to spare."""
        self.lists_all = lists_all
        listings = map(Listing, skus, keys or skus)
        self.by_sku: dict[str, Listing] = {} if lists_all else {each.sku: each for each in listings}
        self.keys = set(keys[: len(skus)] or skus)
        self._skus = skus
        self._spare = keys[len(skus) :]
        self._new_keys = 0

    def of(self, sku: str) -> Listing:
        """A SKU's listing, or that of what is in its place."""
        return self.by_sku.get(sku) or Listing(sku, sku)

    @property
    def made_of(self) -> list[Listing]:
        """The packs and bundles."""
        return [each for each in self.by_sku.values() if each.components]

    def holding(self, sku: str) -> list[Listing]:
        """The packs and bundles that hold a SKU."""
        return [each for each in self.made_of if any(part.sku == sku for part in each.components)]

    def owner(self, key: str) -> Listing | None:
        """Who is listed under a key; there is never more than one."""
        listed = [each for each in (*map(self.of, self._skus), *self.made_of) if each.key == key and each.listed]
        assert len(listed) <= 1, listed
        return listed[0] if listed else None

    def is_left(self, key: str) -> bool:
        """Whether somebody was listed under a key once, and nobody is now."""
        return key in self.keys and self.owner(key) is None

    def price(self, sku: str, price: str) -> list[Listing]:
        """List a SKU with a price."""
        return self._put([replace(self.of(sku), price=price)])

    def move(self, random: Random) -> list[Listing]:  # noqa: PLR0911  # one for each kind of move
        """Make a request that moves keys, each to one SKU."""
        listed = [each for each in map(self.of, self._skus) if each.listed]
        unlisted = [each for each in map(self.of, self._skus) if not each.listed]
        random.shuffle(listed)
        what = random.choice(("swap", "swap", "chain", "free", "unlist", "hand over", "take", "name"))
        if what == "swap" and len(listed) > 1:
            one, other = listed[:2]
            return self._put([replace(one, key=other.key), replace(other, key=one.key)])
        if what == "chain" and len(listed) > 1:
            chain = listed[: random.randint(2, 4)]
            keys = [*(each.key for each in chain[1:]), self._new_key()]
            return self._put([replace(each, key=key) for each, key in zip(chain, keys, strict=True)])
        if what == "unlist" and listed:
            return self._put([replace(listed[0], listed=False)])
        if what == "hand over" and len(listed) > 1:
            one, other = listed[:2]
            return self._put([replace(one, listed=False), replace(other, key=one.key)])
        if what == "take":
            free = sorted(key for key in self.keys if self.owner(key) is None)
            taker = random.choice(unlisted or listed)
            return self._put([replace(taker, key=random.choice([*free, self._new_key()]), listed=True)])
        if what == "name" and listed and not self._spare:
            one, owner = listed[0], self.owner(listed[0].sku)
            back = []
            if owner is not None and owner.sku != one.sku:  # a pack is its key, and can only be unlisted
                back = [replace(owner, listed=False) if owner.components else replace(owner, key=one.key)]
            return self._put([replace(one, key=one.sku), *back])
        return self._put([replace(random.choice([*listed, *unlisted]), key=self._new_key())])

    def pack(self, random: Random) -> list[Listing]:
        """Make a request that makes a pack or bundle, changes one, unlists one, or makes one of a SKU's own key."""
        made, listed = self.made_of, [each for each in map(self.of, self._skus) if each.listed]
        what = random.choice(("new", "new", "change", "unlist", "of its key"))
        if what == "change" and made:
            one = random.choice(made)
            owner = self.owner(one.key)
            is_free = owner is None or owner.sku == one.sku
            return self._put([replace(one, components=self._components(random), listed=is_free)])
        if what == "unlist" and made:
            return self._put([replace(random.choice(made), listed=False)])
        if what == "of its key" and listed:
            one = random.choice(listed)
            parts = [Component(one.sku, random.choice((2, 6)))]
            return self._put([replace(one, listed=False), Listing(known_by(one.key), one.key, components=parts)])
        key = self._new_key()
        return self._put([Listing(known_by(key), key, components=self._components(random))])

    def _components(self, random: Random) -> list[Component]:
        skus = random.sample(self._skus, random.randint(1, min(3, len(self._skus))))
        return [Component(sku, random.choice((1, 2, 6))) for sku in skus]

    def _put(self, request: list[Listing]) -> list[Listing]:
        self.by_sku |= {each.sku: each for each in request}
        self.keys |= {each.key for each in request}
        return request

    def _new_key(self) -> str:
        """Return a key that nobody is listed under: a new one, or where there are some to spare, one of those."""
        if self._spare:
            return next(key for key in self._spare if self.owner(key) is None)
        self._new_keys += 1
        return f"K{self._new_keys}"
