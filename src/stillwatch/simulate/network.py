"""Networks give requests an address with its country and ASN: homes, offices, clouds, pools."""

from __future__ import annotations

from typing import NamedTuple

from stillwatch.simulate.dice import Dice, generator

__all__ = ["Exit", "Networks", "Prefix"]

_RESERVED = {10, 127, 169, 172, 192, 198, 203}


class Exit(NamedTuple):
    """An address, and the country and autonomous system that it belongs to."""

    ip: str
    country: str
    asn: int


class Prefix(NamedTuple):
    """A /24 (or a /48 where ``v6``) of one operator."""

    stem: str
    country: str
    asn: int
    v6: bool

    def exit(self, dice: Dice, low: int = 1, high: int = 254) -> Exit:
        """Return an address in it, of a host in [low, high]."""
        host = dice.whole(low, high)
        if self.v6:
            ip = f"{self.stem}:{host:x}:{dice.whole(1, 65000):x}:{dice.whole(1, 65000):x}::{host:x}"
            return Exit(ip, self.country, self.asn)
        return Exit(f"{self.stem}.{host}", self.country, self.asn)


class Networks:
    """The address plan of a world; prefixes are unique, carriers' and clouds' are shared."""

    def __init__(self, seed: int, countries: list[str]) -> None:
        self._seed = seed
        dice = Dice(generator(seed, "networks"))
        self._asn = {c: [dice.whole(1000, 64000) for _ in range(4)] for c in sorted(set(countries))}
        self._isp = {c: [self.prefix(dice, c) for _ in range(60)] for c in sorted(set(countries))}
        self._mobile = {c: [self.prefix(dice, c) for _ in range(5)] for c in sorted(set(countries))}
        self._work = {c: [self.office(dice, c) for _ in range(8)] for c in sorted(set(countries))}
        self._cloud = [self.prefix(dice, dice.pick(countries)) for _ in range(60)]

    def prefix(self, dice: Dice, country: str, v6: float = 0.15) -> Prefix:
        """Return a fresh prefix (collisions among 2^22 are possible and ordinary)."""
        asn = dice.pick(self._asn[country])
        if dice.chance(v6):
            return Prefix(f"2a{dice.whole(0, 15):x}0:{dice.whole(1, 65000):x}", country, asn, True)
        first = dice.whole(20, 220)
        while first in _RESERVED:
            first = dice.whole(20, 220)
        return Prefix(f"{first}.{dice.whole(0, 255)}.{dice.whole(0, 255)}", country, asn, False)

    def home(self, dice: Dice, country: str) -> list[Exit]:
        """Return a household's one or two addresses, in a prefix shared with strangers."""
        prefix = dice.pick(self._isp[country]) if dice.chance(0.7) else self.prefix(dice, country)
        return [prefix.exit(dice) for _ in range(1 if dice.chance(0.6) else 2)]

    def mobile(self, dice: Dice, country: str) -> list[Exit]:
        """Return a few addresses of a carrier's NAT, shared by many."""
        prefix = dice.pick(self._mobile[country])
        return [prefix.exit(dice) for _ in range(dice.whole(2, 5))]

    def office(self, dice: Dice, country: str) -> list[Exit]:
        """Return one to three addresses of one prefix."""
        prefix = self.prefix(dice, country)
        return [prefix.exit(dice, 1, 20) for _ in range(dice.whole(1, 3))]

    def workplace(self, dice: Dice, country: str) -> list[Exit]:
        """Return the addresses of an employer that several people share."""
        return list(dice.pick(self._work[country]))

    def cloud(self, dice: Dice, n: int = 1) -> list[Exit]:
        """Return ``n`` addresses of public clouds, whose prefixes everybody shares."""
        prefixes = [dice.pick(self._cloud) for _ in range(1 + n // 4)]
        return [dice.pick(prefixes).exit(dice) for _ in range(n)]

    def pool(self, name: str, group: int, n: int) -> list[Prefix]:
        """Return the ``n`` prefixes of a proxy pool, the same for all its customers."""
        dice = Dice(generator(self._seed, "pool", name, group))
        return [self.prefix(dice, dice.pick(sorted(self._asn)), 0.1) for _ in range(n)]
