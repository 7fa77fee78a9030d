"""Vehicles the garage knows, for an operator who has a plate that was read wrong."""

from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row
from sqlalchemy.orm import Session

from core.db import driver
from parking import plates
from parking.misread import suggestions
from parking.plates import Plate

SOON = timedelta(hours=12)

# Whoever is inside, has booked for about now, holds a permit, or lives here.
KNOWN = """
SELECT known.plate, known.plate_color, max(known.stay_id) AS stay_id
FROM (
    SELECT plate, plate_color, id AS stay_id FROM stay WHERE status = 'open'
    UNION ALL
    SELECT plate, plate_color, NULL FROM booking
    WHERE status = 'confirmed' AND starts_at < %(now)s + %(soon)s AND ends_at > %(now)s
    UNION ALL
    SELECT pp.plate, pp.plate_color, NULL FROM permit_plate pp JOIN permit p ON p.id = pp.permit_id
    WHERE p.starts_at < %(now)s + %(soon)s AND p.ends_at > %(now)s
    UNION ALL
    SELECT plate, plate_color, NULL FROM vehicle WHERE plate_color <> 'tag'
) known
GROUP BY known.plate, known.plate_color
"""


def alike(session: Session, read: str, now: datetime) -> list[dict[str, Any]]:
    """Known plates one misread character away, the likeliest first, with the stay if inside.

    A suggestion to a person: nothing opens and nothing is billed by it.
    """
    with driver(session).cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(KNOWN, {"now": now, "soon": SOON}).fetchall()
    known = {Plate(row["plate"], row["plate_color"]): row for row in rows}
    found = suggestions(plates.normalise(read), known)
    return [{"plate": one.text, "plate_color": one.color, **known[one]} for one in found]
