"""人民币大写: amounts in the characters that nobody alters with a stroke. Pure."""

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("仟", "佰", "拾", "")
GROUPS = ("", "万", "亿", "万亿")


def in_words(fen: int) -> str:
    """A positive amount as bills write it: 123 → 壹元贰角叁分, 10000 → 壹佰元整.

    By the rules of 支付结算办法 (附件一, 正确填写票据和结算凭证的基本规定). ValueError unless
    0 < fen < 10^18.
    """
    if not 0 < fen < 10**18:
        raise ValueError(f"{fen} fen cannot be written in words")
    yuan, jiao, cents = fen // 100, fen // 10 % 10, fen % 10
    said = f"{_whole(yuan)}元" if yuan else ""
    if not jiao and not cents:
        return said + "整"
    if jiao:
        said += DIGITS[jiao] + "角"
    elif yuan:
        said += "零"
    return said + (DIGITS[cents] + "分" if cents else "整")


def _whole(number: int) -> str:
    """Groups of four digits from the right; zeros between digits are said once."""
    said, gap = "", False
    for power in reversed(range(len(GROUPS))):
        group = number // 10_000**power % 10_000
        if not group:
            gap = bool(said)
            continue
        words = _group(group)
        if said and (gap or group < 1000):
            said += "零"
        said += words + GROUPS[power]
        gap = False
    return said


def _group(group: int) -> str:
    said, gap = "", False
    for digit, place in zip(f"{group:04d}", PLACES, strict=True):
        if digit == "0":
            gap = bool(said)
            continue
        said += ("零" if gap else "") + DIGITS[int(digit)] + place
        gap = False
    return said
