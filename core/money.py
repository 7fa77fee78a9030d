"""Money is integer fen (1/100 CNY); these are the only two things done to it besides sums."""

from collections.abc import Sequence


def shares(total_fen: int, weights: Sequence[int]) -> list[int]:
    """Split `total_fen` by integer weights so that the shares sum to it exactly.

    Largest-remainder rule; equal remainders go to the earlier share. A negative total is
    the mirror of the positive one. ValueError when a weight is negative or all are zero.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("weights must be non-negative and not all zero")
    sign, size = (-1, -total_fen) if total_fen < 0 else (1, total_fen)
    floors = [size * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(size * weights[i] % whole))
    for i in by_remainder[: size - sum(floors)]:
        floors[i] += 1
    return [sign * share for share in floors]


def yuan(fen: int) -> str:
    """Show fen as yuan with two places: 1234 -> '12.34'."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
