"""Thin tasks: each sweeps rows that are due, in committed batches, until none are left."""

from celery import shared_task

from core import clock
from core.app import settings
from core.db import atomic
from core.idempotency import forget_before
from ledger.settlement import settle_batch
from parking import privacy

BATCH = 500


@shared_task(name="ledger.settle", queue="sweeps")
def settle() -> int:
    """Turn unsettled charges, payments and top-ups into journal entries; how many."""
    done = 0
    while handled := atomic(settle_batch, BATCH):
        done += handled
    return done


@shared_task(name="devices.expire_personal_data", queue="sweeps")
def expire_personal_data() -> int:
    """Erase pictures and plates that are older than the community's policy; how many rows."""
    policy = settings()
    done = 0
    while erased := atomic(
        privacy.expire_batch,
        now=clock.now(),
        picture_days=policy.picture_retention_days,
        plate_days=policy.retention_days,
        limit=BATCH,
    ):
        done += erased
    return done


@shared_task(name="core.expire_keys", queue="sweeps")
def expire_keys() -> int:
    """Forget answers kept for Idempotency-Keys after a week; how many."""
    return atomic(forget_before, clock.now())
