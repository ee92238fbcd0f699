"""The ways in which segments are quantized, told apart by numbers."""

from __future__ import annotations

from collections.abc import Mapping

from onnxq.core.graph import Site
from onnxq.core.scales import QuantParams
from onnxq.core.spec import Spec
from onnxq.core.variant import Variant
from onnxq.sensitivity.segments import Segments

Row = tuple[int, ...]
"""The version of each segment; 0 stands for FP32."""

Params = Mapping[Site, QuantParams]

_Key = tuple[tuple[Site, Spec, int, bytes], ...]


class Versions:
    """Gives segments that are quantized alike the same number, in whatever variants they are.

    Attributes:
        params: what the pair on each quantized edge carries, by number of the version.
    """

    def __init__(self, segments: Segments) -> None:
        """Knows FP32 only.

        Args:
            segments: of the model in question.
        """
        self.params: list[Params] = [{}]
        self._segments = segments
        self._numbers: dict[_Key, int] = {(): 0}

    def row(self, variant: Variant) -> Row:
        """The versions that make up a variant."""
        found: list[dict[Site, QuantParams]] = [{} for _ in range(len(self._segments))]
        for site, params in variant.params.items():
            found[self._segments.numbers[site.node]][site] = params
        return tuple(self._number(params) for params in found)

    def _number(self, params: Params) -> int:
        key = tuple((site, p.spec, p.zero_point, p.scale.tobytes()) for site, p in sorted(params.items(), key=_site))
        if key not in self._numbers:
            self._numbers[key] = len(self.params)
            self.params.append(params)
        return self._numbers[key]


def _site(item: tuple[Site, QuantParams]) -> Site:
    return item[0]
