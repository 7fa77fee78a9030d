"""One page of what a query finds, and how much it finds in all."""

from typing import Any

from flask_smorest.pagination import PaginationParameters
from sqlalchemy import Select, func, select

from core.db import db


def page_of(query: Select[Any], wanted: PaginationParameters) -> list[Any]:
    """The first columns of one page of rows: of a query for one table, its objects."""
    return list(db.session.scalars(cut(query, wanted)))


def cut(query: Select[*tuple[Any, ...]], wanted: PaginationParameters) -> Select[Any]:
    """The query of one page; how many rows there are in all is told to `wanted`."""
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    wanted.item_count = db.session.scalar(counted)
    return query.offset(wanted.first_item).limit(wanted.page_size)
