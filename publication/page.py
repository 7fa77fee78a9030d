"""The page that is printed and hung up: Chinese and English, a picture, nothing from outside. Pure.

Part of format 1: see publication/pack.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import cycle
from typing import Any

from core.money import yuan

COLOURS = ("#2b6cb0", "#dd6b20", "#2f855a", "#b83280", "#6b46c1", "#b7791f", "#4a5568", "#c53030")
WIDTH, HEIGHT, GROUND = 720, 260, 200
STYLE = """
body{font:15px/1.6 system-ui,"PingFang SC","Microsoft YaHei",sans-serif;max-width:46em;
margin:2em auto;padding:0 1em;color:#1a202c}h1{font-size:1.5em}h2{font-size:1.1em;margin-top:1.6em}
table{border-collapse:collapse;width:100%}td,th{padding:.2em .5em;border-bottom:1px solid #cbd5e0;
text-align:left}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}code{font-size:.8em;
word-break:break-all}.note{border:2px solid #c53030;padding:.5em 1em}
@media print{body{margin:0;max-width:none}h2{break-after:avoid}tr{break-inside:avoid}}
"""


def page(figures: Mapping[str, Any], corrections: Sequence[Mapping[str, Any]]) -> str:
    """The page of an edition, with the corrections that are known when it is shown."""
    fund, name = figures["fund"], f"{figures['month']} 第{figures['edition']}版"
    parts = [
        f"<h1>社区微基金收支公示 {escape(name)}</h1><p>Publication of {figures['month']}, edition "
        f"{figures['edition']}. 单位：元 CNY.</p>",
        _notes(corrections),
        _table(
            "微基金 The micro-fund",
            ("", "元"),
            (
                ("期初余额 Opening balance", fund["opening_fen"]),
                ("本月收入 Income", fund["income_fen"]),
                ("本月支出 Spending", -fund["expense_fen"]),
                ("期末余额 Closing balance", fund["closing_fen"]),
                ("本年收入 Income of the year", fund["year_income_fen"]),
                ("上年同期 Last year by then", fund["last_year_income_fen"]),
                (f"年度目标 Target, {_percent(fund['target_permille'])}", fund["target_fen"]),
            ),
        ),
        picture(figures),
        _activities("收入来源 Income by source", figures["income"]),
        _activities("支出项目 Spending by programme", figures["expense"]),
        _table(
            "各账簿余额 Balances of the books",
            ("账簿 Book", "期初 Opening", "期末 Closing"),
            (
                (f"{b['name_zh']} {b['name_en']}", b["opening_fen"], b["closing_fen"])
                for b in figures["books"]
            ),
        ),
        _foot(figures),
    ]
    return (
        f'<!doctype html>\n<html lang="zh-CN"><meta charset="utf-8"><title>公示 {escape(name)}'
        f"</title><style>{STYLE}</style>\n" + "\n".join(parts) + "\n</html>\n"
    )


def picture(figures: Mapping[str, Any]) -> str:
    """The fund's income by source and month as stacked bars, an SVG by itself."""
    lines = [line for line in figures["income"] if line["book"] == "fund"]
    months = _months(figures["month"])
    tops = [sum(max(_of(line, month), 0) for line in lines) for month in months]
    unit = max([*tops, 1])
    step = WIDTH // len(months)
    bars: list[str] = []
    for place, month in enumerate(months):
        ground, left = GROUND, place * step + 8
        for line, colour in zip(lines, cycle(COLOURS), strict=False):
            tall = max(_of(line, month), 0) * (GROUND - 20) // unit
            ground -= tall
            title = escape(f"{month} {line['name_zh']} {yuan(_of(line, month))}")
            bars.append(
                f'<rect x="{left}" y="{ground}" width="{step - 16}" height="{tall}"'
                f' fill="{colour}"><title>{title}</title></rect>'
            )
        bars.append(f'<text x="{left}" y="{GROUND + 14}">{month[2:]}</text>')
        if tops[place]:
            bars.append(f'<text x="{left}" y="{ground - 3}">{yuan(tops[place])}</text>')
    key = [
        f'<text x="{(n % 4) * 180 + 12}" y="{GROUND + 32 + n // 4 * 14}" fill="{colour}">■ '
        f"{escape(line['name_zh'])}</text>"
        for n, (line, colour) in enumerate(zip(lines, cycle(COLOURS), strict=False))
    ]
    return (
        "<h2>按来源和月份的收入 Income by source and month</h2>"
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="100%"'
        f' font-size="10" role="img">{"".join(bars + key)}</svg>'
    )


def _months(last: str) -> list[str]:
    """The twelve months up to this one, written as it is."""
    year, month = map(int, last.split("-"))
    numbers = range(year * 12 + month - 12, year * 12 + month)
    return [f"{number // 12}-{number % 12 + 1:02d}" for number in numbers]


def _of(line: Mapping[str, Any], month: str) -> int:
    return int(line["by_month"].get(month, 0))


def _notes(corrections: Sequence[Mapping[str, Any]]) -> str:
    if not corrections:
        return ""
    said = "".join(
        f"<li>{escape(note['published_on'])} {escape(note['reason'])}: "
        + "; ".join(
            f"{escape(f['name_zh'])} {yuan(f['before_fen'])} → {yuan(f['after_fen'])}"
            for f in note["figures"]
        )
        + f" ({escape(note['approved_by'])})</li>"
        for note in corrections
    )
    return f'<div class="note"><h2>更正说明 Corrections</h2><ul>{said}</ul></div>'


def _activities(title: str, lines: Iterable[Mapping[str, Any]]) -> str:
    heads = ("", "本月 Month", "上年同月 Last year", "本年 Year")
    return _table(
        title,
        heads,
        (
            (
                f"{line['account']} {line['name_zh']} {line['name_en']}",
                *(line[name] for name in ("month_fen", "last_year_fen", "year_fen")),
            )
            for line in lines
        ),
    )


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th{_number(n)}>{escape(said)}</th>" for n, said in enumerate(heads))
    body = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f'<td class="n">{yuan(fen)}</td>' for fen in amounts)
        + "</tr>"
        for name, *amounts in rows
    )
    return f"<h2>{escape(title)}</h2><table><tr>{head}</tr>{body}</table>"


def _number(column: int) -> str:
    return ' class="n"' if column else ""


def _percent(permille: int) -> str:
    return f"{permille // 10}.{permille % 10}%"


def _foot(figures: Mapping[str, Any]) -> str:
    objection = figures["objection"]
    approvers = ", ".join(f"{who['name']} ({who['did']})" for who in figures["approvers"])
    heads = "".join(
        f"<li>{head['book']} {head['day']} <code>{head['head']}</code></li>"
        for head in figures["heads"]
    )
    return (
        f"<h2>核对 To check</h2><p>批准 Approved by {escape(approvers)}. 凭证号至 Entries up to "
        f"{figures['entries']['last']}. 明细每组至少 {figures['detail']['least_payers']} 位缴费人，"
        f"最小一组 smallest group {escape(figures['detail']['smallest_group'])}.</p>"
        f"<p>异议期至 Objections until {objection['until']}: {escape(objection['to'])}</p>"
        f"<ul>{heads}</ul>"
    )
