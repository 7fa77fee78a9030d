"""How a credit divides over the incomes of what was charged. Pure."""

from collections.abc import Mapping

from core.money import shares


def divided(charged: Mapping[str, int], amount_fen: int) -> dict[str, int]:
    """Fen by income of a credit of `amount_fen` (positive), as negative parts that sum to it.

    `charged` is what stands charged by income. A credit of all of it is its exact mirror; one of
    less is laid on the incomes in proportion. ValueError for more than stands charged.
    """
    total_fen = sum(charged.values())
    if not 0 < amount_fen <= total_fen:
        raise ValueError(f"a credit of {amount_fen} fen on {total_fen} fen")
    if amount_fen == total_fen:
        return {income: -fen for income, fen in charged.items() if fen}
    standing = {income: fen for income, fen in sorted(charged.items()) if fen > 0}
    parts = shares(-amount_fen, list(standing.values()))
    return {income: fen for income, fen in zip(standing, parts, strict=True) if fen}
