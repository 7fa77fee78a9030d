"""python check_receipt.py receipt.json figures.json: is my payment below the published heads?"""

import json
import sys
from hashlib import sha256
from pathlib import Path

receipt, figures = (json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:3])
heads = {(day["book"], day["head"]) for day in figures["heads"]}
mine, fund, paid = [receipt["number"], receipt["amount_fen"]], 0, False
for proof in receipt["proofs"]:
    book, way = proof["book"], proof["chained"] or sys.exit("an entry is not sealed yet")
    node, head = bytes.fromhex(way["leaf"]), bytes.fromhex(way["previous"])
    if proof["form"] is not None:
        entry = json.loads(proof["form"])
        sha256(b"\0" + proof["form"].encode()).digest() == node or sys.exit("an altered entry")
        entry[5:7] == [book, proof["source"]] or sys.exit("another kind of entry")
        said = [entry[7], entry[13][0][2]]
        entry[6] == "charge" or said == mine or sys.exit("somebody else's payment")
        fund += said[1] if book == "fund" and not proof["reversed"] else 0
    for step in way["path"]:
        pair = [node, bytes.fromhex(step["hash"])]
        node = sha256(b"\1" + b"".join(pair if step["side"] == "right" else pair[::-1])).digest()
    node.hex() == way["days"][0]["root"] or sys.exit("not in the tree of its day")
    for day in way["days"]:
        line = f"{book} {day['day']} {day['count']}".encode()
        head = sha256(head + line + bytes.fromhex(day["root"])).digest()
    proof["published"] == ((book, head.hex()) in heads) or sys.exit("below no published head")
    paid = paid or (proof["form"] and proof["published"] and proof["source"] == "payment")
shares = sum(charge["split"]["fund_fen"] for charge in receipt["charges"])
(paid and shares == fund) or sys.exit("not published, or the fund got another share")
print(f"{mine[1]} fen paid; of all charged {fund} went to the fund: below the published heads")
