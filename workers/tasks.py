"""Thin tasks: each sweeps rows that are due, in committed batches, until none are left."""

from datetime import timedelta

import structlog
from celery import shared_task

from channels import moves, sweeps
from channels import proof as channels_proof
from core import clock
from core.app import settings
from core.db import atomic
from core.idempotency import forget_before
from couriers import accounts, contracts
from ebikes import chargings
from identity import deliveries
from identity.channels import CHANNELS
from ledger import proof_reports
from ledger.seals import close_days, seal_batch
from ledger.settlement import settle_batch
from lockers import privacy as locker_privacy
from lockers import proof as lockers_proof
from lockers import watch as locker_watch
from lockers.custody import Premises
from parking import privacy
from parking import proof as parking_proof
from publication import proof as publication_proof
from sharing import offers, waitlist, watch
from treasury import proof as treasury_proof
from treasury import sources, write_offs

BATCH = 500
ENTRIES_BATCH = 3_000  # source rows: beyond that nothing is gained, and locks are held longer
SENDS_A_SWEEP = 100
LATE_MESSAGES = timedelta(days=3)
FAILURES_A_SWEEP = 3

log = structlog.get_logger()
moves.let_settlement_know()
sources.let_settlement_know()
for package in (parking_proof, channels_proof, lockers_proof, treasury_proof, publication_proof):
    package.let_the_books_know()


@shared_task(name="ledger.settle", queue="sweeps")
def settle() -> int:
    """Turn unsettled charges, payments and top-ups into journal entries; how many."""
    done = 0
    while handled := atomic(settle_batch, ENTRIES_BATCH):
        done += handled
    return done


@shared_task(name="identity.deliver", queue="sweeps")
def deliver() -> int:
    """Bring notices that are due to people; how many."""
    return send_out()


def send_out() -> int:
    """Show notices that are due in the inboxes, send them through the other channels; how many."""
    done = 0
    while shown := atomic(deliveries.show, clock.now(), BATCH):
        done += shown
    return done + sum([_sent_through(channel) for channel in CHANNELS])


def _sent_through(channel: str) -> int:
    """Send what is due on a channel, so much that the next sweeps get their turn; how many.

    A channel that fails and fails rests until the next sweep: others need the worker.
    """
    done = failures = 0
    while done < SENDS_A_SWEEP and failures < FAILURES_A_SWEEP:
        message = atomic(deliveries.claim, channel, settings().secret_key, clock.now())
        if message is None:
            break
        try:
            CHANNELS[channel].send(message)
        except Exception as error:
            said = deliveries.why(message, error)
            log.warning("not sent", channel=channel, delivery=message.delivery_id, error=said)
            atomic(deliveries.failed, message.delivery_id, said)
            failures += 1
        else:
            atomic(deliveries.sent, message.delivery_id, clock.now())
            done += 1
    return done


@shared_task(name="ledger.prove", queue="sweeps")
def prove() -> int:
    """Prove the books once a night, and keep the report; how many reports."""
    return atomic(proof_reports.prove_tonight, clock.now(), settings().zone)


@shared_task(name="ledger.seal", queue="sweeps")
def seal() -> int:
    """Seal entries, and the days that are over; how many entries."""
    done = 0
    while sealed := atomic(seal_batch, clock.now()):
        done += sealed
    atomic(close_days, clock.now())
    return done


@shared_task(name="devices.expire_personal_data", queue="sweeps")
def expire_personal_data() -> int:
    """Erase pictures, plates and phones older than the community's policy; how many rows."""
    now, policy = clock.now(), settings()
    done = 0
    while erased := atomic(
        privacy.expire_batch,
        now=now,
        picture_days=policy.picture_retention_days,
        plate_days=policy.retention_days,
        limit=BATCH,
    ):
        done += erased
    days = policy.retention_days
    while erased := atomic(locker_privacy.expire_batch, now=now, phone_days=days, limit=BATCH):
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


@shared_task(name="lockers.watch", queue="sweeps")
def watch_lockers() -> int:
    """End holds, mark what is overdue, remind, ask for reclaims, miss silent cabinets; how many."""
    return look_after_lockers()


def look_after_lockers() -> int:
    """Do what is due at the lockers, parcel by parcel; how many."""
    now, policy = clock.now(), settings()
    ours = Premises(policy.zone, policy.secret_key)
    done = atomic(locker_watch.cabinets, now)
    for due, step in (
        (locker_watch.holds, locker_watch.release),
        (locker_watch.waiting, locker_watch.look_after),
    ):
        for parcel_id in atomic(due, now, BATCH):
            try:
                atomic(step, parcel_id, now, ours)
                done += 1
            except Exception:
                log.exception("not watched", step=step.__name__, id=parcel_id)
                atomic(locker_watch.put_off, parcel_id, now)
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


@shared_task(name="couriers.collect", queue="sweeps")
def collect_from_couriers() -> int:
    """Pay what courier companies owe out of their prepaid balances; how many charges."""
    done = 0
    while paid := atomic(accounts.collect, BATCH):
        done += paid
    return done


@shared_task(name="couriers.accrue", queue="sweeps")
def accrue_site_contracts() -> int:
    """Accrue and charge every finished month of site contracts that was not yet; how many.

    A month is given three days more, for what cabinets that were offline have to tell of it.
    """
    today = clock.now().astimezone(settings().zone).date()
    return atomic(contracts.accrue_due, today - LATE_MESSAGES)


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


@shared_task(name="treasury.write_off", queue="sweeps")
def write_off() -> int:
    """Give up what the rule in force says nobody will pay; how many receivables."""
    return write_off_by_rule()


def write_off_by_rule() -> int:
    """Write off by the rule of the community's day; how many receivables."""
    now, done = clock.now(), 0
    today = now.astimezone(settings().zone).date()
    while written := atomic(write_offs.sweep, now, today, BATCH):
        done += written
    return done
