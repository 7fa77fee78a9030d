"""Thin tasks: each sweeps rows that are due, in committed batches, until none are left."""

import structlog
from celery import shared_task

from channels import moves, sweeps
from core import clock
from core.app import settings
from core.db import atomic
from core.idempotency import forget_before
from ebikes import chargings
from ledger.settlement import settle_batch
from parking import privacy
from sharing import offers, waitlist, watch

BATCH = 500

log = structlog.get_logger()
moves.let_settlement_know()


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


@shared_task(name="sharing.watch", queue="sweeps")
def watch_garage() -> int:
    """Release no-shows, keep spaces for who stays on, re-place who comes next; how many."""
    now, zone = clock.now(), settings().zone
    done = sum([atomic(step, now) for step in watch.AT_ONCE])
    for step, row_id in atomic(watch.due, now):
        try:
            atomic(step, row_id, now, zone)
            done += 1
        except Exception:
            log.exception("not watched", step=step.__name__, id=row_id)
    return done


@shared_task(name="sharing.serve_waitlist", queue="sweeps")
def serve_waitlist() -> int:
    """Book for those who wait what came free; how many."""
    return atomic(waitlist.sweep, clock.now(), settings().zone)


@shared_task(name="ebikes.overlong_chargings", queue="sweeps")
def overlong_chargings() -> int:
    """Tell operators of e-bikes that charge for too long; how many are new."""
    return atomic(chargings.overlong, clock.now())


@shared_task(name="sharing.offer", queue="sweeps")
def offer() -> int:
    """Move on how far ahead spaces are offered; how many spaces."""
    return atomic(offers.refresh_all, clock.now(), settings().zone)


@shared_task(name="channels.place_orders", queue="sweeps")
def place_orders() -> int:
    """Let payment providers know of new orders; how many they took."""
    return sweeps.place_orders()


@shared_task(name="channels.watch_orders", queue="sweeps")
def watch_orders() -> int:
    """Ask about orders that stay unpaid, close those nobody wants; how many ended."""
    return sweeps.watch_orders()


@shared_task(name="channels.send_refunds", queue="sweeps")
def send_refunds() -> int:
    """Ask providers to give money back, and how it went; how many rows learned something."""
    return sweeps.send_refunds()


@shared_task(name="channels.reconcile", queue="sweeps")
def reconcile() -> int:
    """Lay our payments beside the bills again; how many differences are open."""
    return sweeps.reconcile()
