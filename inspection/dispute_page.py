"""The dispute file as a page to print: Chinese with English below, no scripts, nothing fetched."""

from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined

from core.money import yuan

WORDS = {
    # phases
    "expected": "待投递",
    "reserved": "投递中",
    "ready": "待取件",
    "overdue": "超期待取",
    "collected": "已取件",
    "reclaimed": "已取回",
    "returned": "已退回",
    "exception": "异常",
    # what consent rests on
    "preference": "长期授权",
    "asked": "投递前已征得同意",
    "this-parcel": "对本件的指定",
    "desk": "物业指定收件人",
    # events
    "consent.given": "同意入柜",
    "door.held": "预留格口",
    "door.released": "释放格口",
    "door.opened": "柜门打开",
    "door.closed": "柜门关闭",
    "door.left_open": "柜门未关",
    "door.fault": "柜门故障",
    "door.blocked": "格口停用",
    "door.returned": "格口恢复",
    "door.check_asked": "格口待核查",
    "parcel.announced": "预报",
    "parcel.deposited": "投入",
    "parcel.overdue": "超期",
    "parcel.excepted": "记为异常",
    "parcel.restored": "恢复待取",
    "parcel.collected": "取件",
    "parcel.refused": "拒收放回",
    "parcel.reclaimed": "取回",
    "parcel.returned": "退回",
    "parcel.extended": "延长免费存放",
    "code.issued": "生成取件码",
    "code.reissued": "重发取件码",
    "code.failed": "取件码错误",
    "code.locked": "取件码锁定",
    "deposit.charged": "计收投递服务费",
    "fee.charged": "计收保管费",
    "fee.waived": "减免保管费",
    "complaint.filed": "收件人申请核查",
    "complaint.answered": "物业答复",
    "manual.open": "人工开门",
    "audit.mismatch": "传感器与记录不符",
    "audit.corrected": "巡检更正",
    "notice.queued": "通知待发",
    "reclaim.asked": "请快递员取回",
    "removal.asked": "请物业取出",
    # money
    "fee": "费用",
    "supplement": "补收",
    "credit": "减免",
    "parcel": "保管费（收件人）",
    "deposit": "投递服务费（快递公司）",
    "balance": "余额",
    "cash": "现金",
}

PAGE = """\
{%- macro two(zh, en) -%}{{ zh }}<small lang="en">{{ en }}</small>{%- endmacro -%}
{%- macro row(zh, en, value) -%}
<tr><th scope="row">{{ two(zh, en) }}</th>
<td>{{ value if value not in (none, "") else "—" }}</td></tr>
{%- endmacro -%}
{%- macro word(slug) -%}
{%- if slug is none -%}—{%- else -%}{{ two(slug | zh, slug) }}{%- endif -%}
{%- endmacro -%}
<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>包裹争议档案 {{ parcel.tracking_number }}</title>
<style>
@page { size: A4; margin: 14mm }
body { font: 14px/1.5 "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif; color: #111;
  max-width: 60rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.4rem; margin: 0 0 .5rem } h2 { font-size: 1.1rem; margin: 1.4rem 0 .4rem }
small { display: block; font-size: .75em; color: #555; font-weight: normal }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #999; padding: .25rem .5rem; text-align: left; vertical-align: top }
thead th { background: #eee } tr { break-inside: avoid }
code { font: .72rem/1.35 ui-monospace, "Noto Sans Mono CJK SC", monospace;
  overflow-wrap: anywhere; display: block }
.verdict { border: 2px solid #111; padding: .5rem .75rem } .broken { background: #fdd }
</style>
</head>
<body>
<h1>{{ two("包裹争议档案", "Dispute file of a parcel") }}</h1>
<p>{{ made_at | when }}（{{ zone }}）</p>

<p class="verdict{{ '' if chain.ok else ' broken' }}" role="status">
{%- if chain.ok -%}
{{ two("记录完整：" ~ chain.length ~ " 条事件的哈希链核对无误",
       "The record is whole: the chain of " ~ chain.length ~ " events verifies") }}
{%- else -%}
{{ two("记录被改动：哈希链在第 " ~ chain.broken_at ~ " 条事件处断开",
       "The record was tampered with: the chain breaks at event " ~ chain.broken_at) }}
{%- endif -%}
<code>{{ chain.head or "—" }}</code></p>

<h2>{{ two("包裹", "Parcel") }}</h2>
<table>
{{ row("运单号", "tracking number", parcel.tracking_number) }}
{{ row("快递", "courier", [parcel.company, parcel.courier] | select | join(" ")) }}
{{ row("收件人手机", "recipient's phone", parcel.phone) }}
{{ row("位置", "place", [place.address, place.cabinet_name, place.compartment and
  place.compartment ~ "号格口"] | select | join(" ")) }}
<tr><th scope="row">{{ two("状态", "phase") }}</th>
<td>{{ word(parcel.phase) }}{{ parcel.reason or "" }}</td></tr>
{{ row("预留", "reserved at", parcel.reserved_at | when) }}
{{ row("投入", "deposited at", parcel.deposited_at | when) }}
{{ row("免费存放至", "free until", parcel.free_until | when) }}
{{ row("另准免费小时", "extra free hours", parcel.extra_free_hours) }}
{{ row("结束", "ended at", parcel.ended_at | when) }}
<tr><th scope="row">{{ two("入柜依据", "basis of consent") }}</th>
<td>{{ word(consent.basis) }}{{ consent.given_at | when }}
{%- if consent.preference %}<small>#{{ consent.preference.id }} {{ consent.preference.locker }}
{{ consent.preference.recorded_at | when }}</small>{% endif -%}
</td></tr>
</table>

<h2>{{ two("事件", "Events") }}</h2>
<table>
<thead><tr><th>#</th><th>{{ two("发生", "occurred at") }}</th>
<th>{{ two("记录", "recorded at") }}</th><th>{{ two("事件", "event") }}</th>
<th>{{ two("操作者", "actor") }}</th></tr></thead>
<tbody>
{% for event in events -%}
<tr{% if not event.holds %} class="broken"{% endif %}><td>{{ event.seq }}</td>
<td>{{ event.occurred_at | when }}</td><td>{{ event.recorded_at | when }}</td>
<td>{{ word(event.type) }}{% if not event.holds %}
<strong>{{ two("被改动", "tampered with") }}</strong>{% endif %}</td><td>{{ event.actor }}</td></tr>
<tr{% if not event.holds %} class="broken"{% endif %}><td></td><td colspan="4">
<code>{{ event.content }}</code><code>{{ event.previous_hash }} → {{ event.hash }}</code></td></tr>
{% endfor -%}
</tbody>
</table>

<h2>{{ two("取件码错误", "Wrong codes") }}</h2>
{% if code_attempts %}<ul>
{% for attempt in code_attempts -%}
<li>{{ attempt.occurred_at | when }} {{ word(attempt.type) }}</li>
{% endfor %}</ul>{% else %}<p>—</p>{% endif %}

<h2>{{ two("通知", "Notices") }}</h2>
{% if notices %}<table>
<thead><tr><th>{{ two("通知", "notice") }}</th><th>{{ two("送达", "deliveries") }}</th></tr></thead>
<tbody>
{% for notice in notices -%}
<tr><td>{{ notice.text }}<small>{{ notice.kind }} {{ notice.recorded_at | when }}</small></td>
<td>{% for sent in notice.deliveries -%}
<div>{{ sent.channel }}：{% if sent.sent_at %}{{ sent.sent_at | when }}
{%- elif sent.cancelled_at %}{{ two("已撤回", "taken back") }}
{%- else %}{{ two("未发出", "not sent") }}{% endif %}<small>{{ sent.error or "" }}</small></div>
{%- endfor %}
{%- if notice.read_at %}<div>{{ two("已读 " ~ (notice.read_at | when), "read") }}</div>{% endif -%}
</td></tr>
{% endfor -%}
</tbody></table>{% else %}<p>—</p>{% endif %}

<h2>{{ two("费用与付款", "Charges and payments") }}</h2>
{% if charges or credits or payments %}<table>
<thead><tr><th>{{ two("时间", "at") }}</th><th>{{ two("事项", "what") }}</th>
<th>{{ two("明细", "lines") }}</th><th>{{ two("元", "yuan") }}</th></tr></thead>
<tbody>
{% for charge in charges + credits -%}
<tr><td>{{ charge.occurred_at | when }}</td>
<td>{{ word(charge.source) }}{{ charge.kind | zh }}</td>
<td>{% for line in charge.lines %}<div>{{ line.label }} {{ line.amount_fen | yuan }}</div>
{%- endfor %}</td><td>{{ charge.amount_fen | yuan }}</td></tr>
{% endfor -%}
{% for payment in payments -%}
<tr><td>{{ payment.occurred_at | when }}</td>
<td>{{ two("付款：" ~ (payment.source | zh), "payment") }}</td>
<td>{{ word(payment.method) }}</td><td>{{ payment.amount_fen | yuan }}</td></tr>
{% endfor -%}
</tbody></table>{% else %}<p>—</p>{% endif %}

<h2>{{ two("格口", "Doors") }}</h2>
{% if door_events %}<ul>
{% for event in door_events -%}
<li>{{ event.occurred_at | when }} {{ event.compartment }}号 {{ word(event.type) }}{{ event.actor }}
{{ " " ~ event.data.get("why", "") }}</li>
{% endfor %}</ul>{% else %}<p>—</p>{% endif %}

<h2>{{ two("设备原始消息", "What devices said") }}</h2>
{% if device_events %}<table>
<thead><tr><th>#</th><th>{{ two("设备", "device") }}</th><th>{{ two("消息", "message") }}</th>
<th>{{ two("发生", "occurred at") }}</th><th>{{ two("收到", "recorded at") }}</th></tr></thead>
<tbody>
{% for said in device_events -%}
<tr><td>{{ said.id }}</td><td>{{ said.device or "—" }}</td>
<td>{{ said.type or "已过期删除" }}<small>{{ said.key or "erased" }}</small></td>
<td>{{ said.occurred_at | when }}</td><td>{{ said.recorded_at | when }}</td></tr>
{% endfor -%}
</tbody></table>{% else %}<p>—</p>{% endif %}

<p>{{ two("哈希链可自行核对：hash = SHA-256(上一条 hash + 上面的规范文本)，见 docs/dispute-file.md",
  "Verify it yourself: hash = SHA-256(previous hash + the canonical text above)") }}</p>
</body>
</html>
"""


def page(file: dict[str, Any], zone: ZoneInfo) -> str:
    """A dispute file as HTML, with the wall clock of the zone; every value in it is escaped."""
    ground = Environment(autoescape=True, undefined=StrictUndefined)
    ground.filters["when"] = partial(_when, zone)
    ground.filters["zh"] = _in_chinese
    ground.filters["yuan"] = yuan
    return ground.from_string(PAGE).render(**file, zone=zone.key)


def _in_chinese(slug: str) -> str:
    return WORDS.get(slug, slug)


def _when(zone: ZoneInfo, at: str | None) -> str:
    if at is None:
        return ""
    return f"{datetime.fromisoformat(at).astimezone(zone):%Y-%m-%d %H:%M:%S}"
