"""python check_receipt.py receipt.json figures.json: is my payment below the published heads?"""

import json
import sys
from hashlib import sha256
from pathlib import Path

receipt, figures = (json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:3])
heads = {(day["book"], day["head"]) for day in figures["heads"]}
fund, below = 0, set[str]()
for proof in receipt["proofs"]:
    book, way = proof["book"], proof["chained"] or sys.exit("an entry is not sealed yet")
    node, head = bytes.fromhex(way["leaf"]), bytes.fromhex(way["previous"])
    if proof["form"] is not None:
        entry = json.loads(proof["form"])
        sha256(b"\0" + proof["form"].encode()).digest() == node or sys.exit("an altered entry")
        entry[5:7] == [book, proof["source"]] or sys.exit("another kind of entry")
        fund += entry[13][0][2] if book == "fund" else 0
        if proof["source"] == "payment":
            entry[7] == receipt["number"] or sys.exit("the payment of somebody else")
            entry[13][0][2] == receipt["amount_fen"] or sys.exit("a payment of another amount")
    for step in way["path"]:
        pair = [node, bytes.fromhex(step["hash"])]
        node = sha256(b"\1" + b"".join(pair if step["side"] == "right" else pair[::-1])).digest()
    node.hex() == way["days"][0]["root"] or sys.exit("not in the tree of its day")
    for day in way["days"]:
        line = f"{book} {day['day']} {day['count']}".encode()
        head = sha256(head + line + bytes.fromhex(day["root"])).digest()
    below |= {f"{proof['source']} of {book}"} if (book, head.hex()) in heads else set()
"payment of owners" in below or sys.exit("the payment is below no published head")
fund == sum(charge["split"]["fund_fen"] for charge in receipt["charges"]) or sys.exit("other share")
print(f"{receipt['amount_fen']} fen, {fund} for the fund; below published heads: {sorted(below)}")
