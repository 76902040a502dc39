"""Fair share of one resource, divided down the queue tree in exact rational arithmetic.

Source: `resource_division.go` of KAI Scheduler v0.17, reproduced on its recorded answers (tests/data/fairshare.json).
Amounts are devices, thousandths of a core or MiB; each level divides its total among siblings: quotas first, then the
surplus by priority and weight in whole units, then what rounding left over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import groupby

from msgspec import Struct

ZERO = Fraction(0)
ONE = Fraction(1)


class Claim(Struct, frozen=True):
    """One queue's claim on one resource. `quota` and `limit` None are unlimited; `usage` is a share of the cluster."""

    name: str
    parent: str | None
    priority: int
    created: float
    quota: Fraction | None
    limit: Fraction | None
    weight: Fraction
    requested: Fraction
    usage: Fraction = ZERO


def fair_shares(total: Fraction, claims: Sequence[Claim], k: Fraction) -> dict[str, Fraction]:
    """The fair share of every queue, parents too; the roots divide `total`, then each parent's share goes down.

    `k` weighs past usage against weight (`usage_weight_k`); below 0 it counts as 0.
    """
    children: dict[str | None, list[Claim]] = {}
    for claim in claims:
        children.setdefault(claim.parent, []).append(claim)
    shares: dict[str, Fraction] = {}
    levels: list[tuple[str | None, Fraction]] = [(None, total)]
    while levels:
        parent, amount = levels.pop()
        siblings = children.get(parent)
        if siblings:
            shares.update(divide(amount, siblings, k))
            levels.extend((sibling.name, shares[sibling.name]) for sibling in siblings)
    return shares


def divide(total: Fraction, siblings: Sequence[Claim], k: Fraction) -> dict[str, Fraction]:
    """One level: `total` among siblings."""
    wants = {c.name: c.requested if c.limit is None else min(c.limit, c.requested) for c in siblings}
    shares = {c.name: min(total if c.quota is None else c.quota, wants[c.name]) for c in siblings}
    rest = total - sum(shares.values(), ZERO)
    if rest <= 0:
        return shares
    ordered = sorted(siblings, key=lambda c: (-c.priority, c.created, c.name))
    buckets = [list(bucket) for _, bucket in groupby(ordered, key=lambda c: c.priority)]
    leftovers: list[dict[str, Fraction]] = []
    for bucket in buckets:
        left: dict[str, Fraction] = {}
        rest = _rounds(rest, bucket, wants, shares, left, max(k, ZERO))
        leftovers.append(left)
    for bucket, left in zip(buckets, leftovers, strict=True):
        rest = _remainders(rest, bucket, shares, left)
    return shares


def _rounds(
    rest: Fraction,
    bucket: Sequence[Claim],
    wants: Mapping[str, Fraction],
    shares: dict[str, Fraction],
    left: dict[str, Fraction],
    k: Fraction,
) -> Fraction:
    """Hand the surplus to one priority until nobody's need is met by its offer; what floor cut off is put in `left`."""
    while rest > 0:
        hungry = [c for c in bucket if wants[c.name] > shares[c.name] and c.weight > 0]
        parts = _parts(hungry, k)
        whole = sum(parts, ZERO)
        if whole == 0:
            break
        start, again = rest, False
        for claim, part in zip(hungry, parts, strict=True):
            if rest <= 0:
                break
            need = wants[claim.name] - shares[claim.name]
            offer = start * part / whole
            if need <= offer:
                give = need
                left.pop(claim.name, None)
            else:
                give = Fraction(offer.numerator // offer.denominator)
                if offer > give:
                    left[claim.name] = offer - give
            if give > 0:
                shares[claim.name] += give
                rest -= give
                again = again or need < offer
        if not again:
            break
    return rest


def _parts(hungry: Sequence[Claim], k: Fraction) -> list[Fraction]:
    weights = sum((c.weight for c in hungry), ZERO)
    if weights == 0:
        return []
    plain = [c.weight / weights for c in hungry]
    return [max(ZERO, w + k * (w - c.usage)) for w, c in zip(plain, hungry, strict=True)]


def _remainders(
    rest: Fraction, bucket: Sequence[Claim], shares: dict[str, Fraction], left: dict[str, Fraction]
) -> Fraction:
    """Give up to one whole unit each, the largest remainder first; ties go to the older queue (the bucket's order)."""
    for claim in sorted((c for c in bucket if c.name in left), key=lambda c: -left[c.name]):
        if rest <= 0:
            break
        give = min(ONE, rest)
        shares[claim.name] += give
        rest -= give
    return rest
