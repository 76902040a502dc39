"""What an hour of a device costs, by its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

_BRAND = "NVIDIA "


class Prices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`per_gpu_hour` by model, as `%runai devices` names them or as the driver does; `currency` such as EUR."""

    currency: Annotated[str, Meta(min_length=1, max_length=10)]
    per_gpu_hour: Mapping[str, Annotated[float, Meta(ge=0, lt=1e9)]]

    def of(self, model: str) -> float | None:
        """The price of an hour of a whole device; null where none is given."""
        price = self.per_gpu_hour.get(model)
        return self.per_gpu_hour.get(model.removeprefix(_BRAND)) if price is None else price
