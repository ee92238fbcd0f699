"""Numbers in sentences."""

import math


def counted(number: int, one: str, many: str = "") -> str:
    """``"no samples"``, ``"1 sample"``, ``"2 samples"``.

    Args:
        number: of things.
        one: what one of them is called.
        many: what several are called, if that is not `one` with an s.
    """
    return f"{number or 'no'} {one if number == 1 else many or f'{one}s'}"


def decibels(value: float) -> str:
    """An SQNR."""
    return f"{value:.1f} dB" if math.isfinite(value) else ("exact" if value > 0 else "no signal")
