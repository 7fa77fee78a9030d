"""Tables: cabinets and their compartments."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class Cabinet(Base):
    """A parcel locker; its device speaks for it."""

    __tablename__ = "cabinet"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(String, unique=True)
    name: Mapped[str]
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id"), unique=True)


class Compartment(Base):
    """One door of a cabinet; row 1 is the lowest."""

    __tablename__ = "compartment"
    __table_args__ = (
        UniqueConstraint("cabinet_id", "number"),
        CheckConstraint("size IN ('S', 'M', 'L')", name="size"),
        CheckConstraint('number > 0 AND "row" > 0', name="place"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    cabinet_id: Mapped[int] = mapped_column(ForeignKey("cabinet.id"))
    number: Mapped[int]
    size: Mapped[str]
    row: Mapped[int]
