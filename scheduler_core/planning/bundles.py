"""Shares joined into bundles, each of which fills one device: best fit decreasing, alike bundles counted together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from scheduler_core.planning.demand import Demand

Models: TypeAlias = frozenset[str] | None


class Bundle(Struct):
    """Kinds, by their numbers, for one device of these models: `count` bundles of this content."""

    kinds: tuple[int, ...]
    models: Models
    cpu_milli: int
    memory_mib: int
    count: int

    def with_more(self, k: int, demand: Demand, copies: int, count: int) -> Bundle:
        """`count` of these bundles after `copies` tasks of kind k have joined each."""
        models = self.models if demand.models is None else demand.models & (self.models or demand.models)
        cpu, memory = self.cpu_milli + copies * demand.cpu_milli, self.memory_mib + copies * demand.memory_mib
        return Bundle(self.kinds + (k,) * copies, models, cpu, memory, count)

    def takes(self, demand: Demand) -> bool:
        """Whether the demand may join; one that asks for models does not narrow a bundle that goes anywhere."""
        return demand.models is None or (self.models is not None and not self.models.isdisjoint(demand.models))


class Bundles:
    """The bundles so far, by the units they leave free of a device."""

    def __init__(self, device_units: int) -> None:
        self._device = device_units
        self._levels: dict[int, list[Bundle]] = {}

    def __iter__(self) -> Iterator[Bundle]:
        return (bundle for _, level in sorted(self._levels.items()) for bundle in level)

    def levels(self) -> set[int]:
        """The different amounts of units that bundles leave free."""
        return set(self._levels)

    def join(self, k: int, demand: Demand, share: int, free: int, count: int) -> int:
        """Put tasks of kind k, of `share` units each, into the bundles that leave so much free; how many went in."""
        left = count
        # Those for the same models first.
        for bundle in sorted(self._levels.pop(free, ()), key=lambda bundle: bundle.models != demand.models):
            if left and bundle.takes(demand):
                left -= self._fill(bundle, free, k, demand, share, left)
            if bundle.count:
                self._put(free, bundle)
        return count - left

    def open(self, k: int, demand: Demand, share: int, count: int) -> None:
        """Put so many tasks of kind k into new bundles."""
        new = Bundle((), demand.models, 0, 0, -(-count // (self._device // share)))
        self._fill(new, self._device, k, demand, share, count)

    def _fill(self, bundle: Bundle, free: int, k: int, demand: Demand, share: int, count: int) -> int:
        """Fill each of these bundles, and one more with the rest; how many tasks went in."""
        copies = free // share
        full = min(bundle.count, count // copies)
        rest = count - full * copies if bundle.count > full else 0
        for each, bundles in ((copies, full), (min(rest, copies), 1)):
            if each and bundles:
                self._put(free - each * share, bundle.with_more(k, demand, each, bundles))
                bundle.count -= bundles
        return full * copies + min(rest, copies)

    def _put(self, free: int, bundle: Bundle) -> None:
        self._levels.setdefault(free, []).append(bundle)
