"""Cabinets as they stand: which compartments there are."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.orm import Session

from devices.models import Device
from lockers.models import Cabinet, Compartment


def add_cabinet(
    session: Session,
    device: Device,
    *,
    code: str,
    name: str,
    compartments: Sequence[dict[str, Any]],
) -> Cabinet:
    """A cabinet with its compartments, each `{"number", "size", "row"}`."""
    cabinet = Cabinet(code=code, name=name, device_id=device.id)
    session.add(cabinet)
    session.flush()
    session.execute(insert(Compartment), [{"cabinet_id": cabinet.id, **c} for c in compartments])
    return cabinet


def cabinets(session: Session) -> Sequence[RowMapping]:
    """Every cabinet with how many compartments of each size it has."""
    query = (
        select(
            Cabinet.code,
            Cabinet.name,
            func.count(Compartment.id).label("compartments"),
            *(
                func.count(Compartment.id).filter(Compartment.size == size).label(size)
                for size in ("S", "M", "L")
            ),
        )
        .outerjoin(Compartment, Compartment.cabinet_id == Cabinet.id)
        .group_by(Cabinet.id)
        .order_by(Cabinet.code)
    )
    return session.execute(query).mappings().all()
