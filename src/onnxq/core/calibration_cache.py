"""What TensorRT 7 to 10 wrote after an INT8 calibration: the scale of each tensor, as text.

The first line is ``TRT-8601-EntropyCalibration2``, each further one ``tensor: 3c010a14``: the bits of the float32
amplitude / 127, most significant first. Names may hold colons and spaces: the last colon before a space counts.
TensorRT's parser keeps ONNX's names; what it adds is called like ``(Unnamed Layer* 3) [Shuffle]_output``.

Source: TensorRT 8 samples, sampleINT8, "Calibration file"; NVIDIA/TensorRT issue 625.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxq.core.known_scales import KnownScales
from onnxq.errors import DataError, near_misses

_HEADER = re.compile(r"TRT-(?P<version>\w+)-(?P<algorithm>\w+)")
_ENTRY = re.compile(r"(?P<tensor>.+): +(?P<bits>[0-9a-fA-F]{8}|0)")
_EXAMPLE = "TRT-8601-EntropyCalibration2"
_SMALLEST = float(np.finfo(np.float32).tiny)
_LARGEST = float(np.finfo(np.float32).max) / 127


@dataclass(frozen=True)
class CalibrationCache:
    """A calibration cache.

    A scale of 0 is none: where calibration saw nothing but zeros, or failed, it found no range. So is a denormal one,
    which the engine could not divide by. Their tensors count as missing, and real data decide if there are any.

    Attributes:
        version: TensorRT's, as the cache spells it: "8601".
        algorithm: the calibrator: "EntropyCalibration2", "EntropyCalibration", "MinMaxCalibration" or another.
        scales: amplitude / 127 by tensor, to the bit; positive and finite.
        dead: the tensors whose scale is 0 or denormal.
        where: what a message calls it.
        path: the file that it was read from, None if it was none.
    """

    version: str
    algorithm: str
    scales: Mapping[str, np.float32]
    dead: frozenset[str] = frozenset()
    where: str = "The calibration cache"
    path: str | None = None

    @staticmethod
    def from_text(text: str, where: str) -> CalibrationCache:
        """The cache in `text`.

        Args:
            text: as TensorRT wrote it, with any line ends; blank lines and a byte order mark do not count.
            where: what a message calls it, such as "The calibration cache 'calib.cache'".

        Raises:
            DataError: it is no cache, a line is no scale, or a tensor has two.
        """
        lines = [(number, line.rstrip()) for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1)]
        lines = [(number, line) for number, line in lines if line]
        if not lines:
            raise DataError(f"{where} is empty. A calibration cache starts with a line like '{_EXAMPLE}'.")
        header = _HEADER.fullmatch(lines[0][1])
        if header is None:
            raise DataError(_refusal(lines[0][1], where))
        bits = _bits(lines[1:], where)
        scales = {tensor: _scale(tensor, word, f"{where}, line {number}") for tensor, (word, number) in bits.items()}
        alive = {tensor: scale for tensor, scale in scales.items() if scale >= _SMALLEST}
        if not alive:
            what = f"each of its {len(scales)} scales is 0" if scales else "nothing follows its first line"
            raise DataError(f"{where} has no scale: {what}. Calibrate again, on data that are not all zero.")
        dead = frozenset(scales.keys() - alive.keys())
        return CalibrationCache(header["version"], header["algorithm"], alive, dead, where)

    def known(self, tensors: Sequence[str]) -> KnownScales:
        """The scales of those of `tensors` that the cache has. Its others stay in float here, or are TensorRT's own.

        Args:
            tensors: the activations that a plan quantizes.

        Raises:
            DataError: it has none of them.
        """
        if tensors and self.dead.isdisjoint(tensors) and self.scales.keys().isdisjoint(tensors):
            raise DataError(
                f"{self.where} belongs to another model: of the {len(tensors)} activations to be quantized, such as "
                f"'{tensors[0]}', it has none. It has {len(self.scales)} others, such as '{next(iter(self.scales))}'."
                f"{near_misses(tensors[0], self.scales)} Give the cache of this model."
            )
        return KnownScales("TensorRT cache", {name: self.scales[name] for name in tensors if name in self.scales})


def _refusal(first: str, where: str) -> str:
    hint = f" Its first line may be lost: put '{_EXAMPLE}' before it." if _ENTRY.fullmatch(first) else ""
    return f"{where} is no calibration cache of TensorRT: it starts with {_shown(first)}, not like '{_EXAMPLE}'.{hint}"


def _shown(line: str) -> str:
    return repr(f"{line[:60]}..." if len(line) > 60 else line)


def _bits(lines: Sequence[tuple[int, str]], where: str) -> Mapping[str, tuple[str, int]]:
    """The eight hexadecimal digits of each tensor's scale, and on which line they are."""
    found: dict[str, tuple[str, int]] = {}
    for tensor, bits, number in _entries(lines, where):
        first, line = found.setdefault(tensor, (bits, number))
        if first != bits:
            raise DataError(
                f"{where}, line {number}: '{tensor}' has the scale {bits} here and {first} on line {line}. "
                "Delete one of the two."
            )
    return found


def _entries(lines: Sequence[tuple[int, str]], where: str) -> Iterator[tuple[str, str, int]]:
    for number, line in lines:
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            raise DataError(
                f"{where}, line {number}: {_shown(line)} is no tensor with a scale of eight hexadecimal digits, such "
                "as 'conv1: 3c010a14'. The file may be cut off, or edited: restore it, or delete the line."
            )
        yield entry["tensor"], entry["bits"].lower().zfill(8), number


def _scale(tensor: str, bits: str, where: str) -> np.float32:
    (number,) = struct.unpack(">f", bytes.fromhex(bits))
    if not 0.0 <= number <= _LARGEST:
        raise DataError(
            f"{where}: the scale of '{tensor}' is {number:g} ({bits}). It must be positive, and 127 times it finite. "
            "Delete the line, so that the tensor counts as missing."
        )
    return np.float32(number)
