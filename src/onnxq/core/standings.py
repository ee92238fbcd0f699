"""A Ranking as far as a report shows it, from the value itself or from its JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from onnxq.core.ranking import Ranking
from onnxq.errors import DataError


@dataclass(frozen=True)
class Standing:
    """A group of nodes, and what quantizing it costs.

    Attributes:
        group: its name.
        op: the operator of its main node.
        damage: in the unit of the ranking; infinite if it could not be told.
        share: of the damage that all groups do, in percent; NaN if it could not be told.
    """

    group: str
    op: str
    damage: float
    share: float


@dataclass(frozen=True)
class Standings:
    """The groups of a ranking, the most sensitive first.

    Attributes:
        metric: the name of the one that ranks.
        samples: how many were measured on.
        data: which: "evaluation" or "calibration".
        rows: the groups.
    """

    metric: str
    samples: int
    data: str
    rows: tuple[Standing, ...]

    @staticmethod
    def of(ranking: Ranking) -> Standings:
        """Those of a ranking."""
        rows = tuple(
            Standing(rank.group.name, rank.group.op, ranking.damage(rank), share)
            for rank, share in zip(ranking.ranks, ranking.shares, strict=True)
        )
        return Standings(ranking.metric.name, ranking.samples, ranking.data, rows)

    @staticmethod
    def from_json(text: str, where: str) -> Standings:
        """Those in what `onnxq sensitivity --out` wrote.

        Args:
            text: of the file.
            where: what a message calls it.

        Raises:
            DataError: it holds no ranking.
        """
        try:
            data = json.loads(text)
            rows = tuple(
                Standing(
                    str(row["group"]["name"]),
                    str(row["group"]["op"]),
                    _number(row["damage"], math.inf),
                    _number(row["damage_percent"], math.nan),
                )
                for row in data["ranks"]
            )
            return Standings(str(data["metrics"][0]), int(data["samples"]), str(data["data"]), rows)
        except (ValueError, KeyError, TypeError, IndexError) as cause:
            raise DataError(
                f"'{where}' holds no ranking: {cause!r}. `onnxq sensitivity --out ranking.json` makes such files."
            ) from cause


def _number(value: object, missing: float) -> float:
    """JSON has no infinite numbers, and null in their place."""
    if value is None:
        return missing
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)
