"""The Celery app: its queue, its beat schedule on one page, and nothing else.

A task carries no data: the rows are the queue. A beat tick that finds work undone does it;
one that was lost is made good by the next; two at once share it out.
"""

import gc

from celery import Celery, Task
from celery.signals import worker_process_init

from core.app import new_app
from core.config import settings_from_env

QUEUE = "sweeps"
SETTLE_SECONDS = 2.0
SEAL_SECONDS = 10.0
PROVE_SECONDS = 600.0
WATCH_SECONDS = 15.0
COLLECT_SECONDS = 5.0
DELIVER_SECONDS = 5.0
PLACE_SECONDS = 1.0

settings = settings_from_env()
flask_app = new_app(settings)


class SweepTask(Task):  # type: ignore[misc]  # Celery ships no types
    """Runs in the app's context, so that tasks reach the database as views do."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Run the task."""
        with flask_app.app_context():
            return super().__call__(*args, **kwargs)


celery = Celery(
    "huilin",
    broker=settings.redis_url,
    task_cls=SweepTask,
    include=["workers.tasks"],
)
celery.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 60},
    timezone="UTC",
    beat_schedule={
        "settle": {
            "task": "ledger.settle",
            "schedule": SETTLE_SECONDS,
            "options": {"expires": SETTLE_SECONDS},
        },
        "deliver": {
            "task": "identity.deliver",
            "schedule": DELIVER_SECONDS,
            "options": {"expires": DELIVER_SECONDS},
        },
        "seal": {
            "task": "ledger.seal",
            "schedule": SEAL_SECONDS,
            "options": {"expires": SEAL_SECONDS},
        },
        "prove": {
            "task": "ledger.prove",
            "schedule": PROVE_SECONDS,
            "options": {"expires": PROVE_SECONDS},
        },
        "watch": {
            "task": "sharing.watch",
            "schedule": WATCH_SECONDS,
            "options": {"expires": WATCH_SECONDS},
        },
        "watch-lockers": {
            "task": "lockers.watch",
            "schedule": DELIVER_SECONDS,
            "options": {"expires": DELIVER_SECONDS},
        },
        "serve-waitlist": {
            "task": "sharing.serve_waitlist",
            "schedule": WATCH_SECONDS,
            "options": {"expires": WATCH_SECONDS},
        },
        "place-orders": {
            "task": "channels.place_orders",
            "schedule": PLACE_SECONDS,
            "options": {"expires": PLACE_SECONDS},
        },
        "watch-orders": {
            "task": "channels.watch_orders",
            "schedule": WATCH_SECONDS,
            "options": {"expires": WATCH_SECONDS},
        },
        "send-refunds": {
            "task": "channels.send_refunds",
            "schedule": WATCH_SECONDS,
            "options": {"expires": WATCH_SECONDS},
        },
        "reconcile": {
            "task": "channels.reconcile",
            "schedule": 600.0,
            "options": {"expires": 600},
        },
        "overlong-chargings": {
            "task": "ebikes.overlong_chargings",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "offer": {
            "task": "sharing.offer",
            "schedule": 21600.0,
            "options": {"expires": 21600},
        },
        "collect-from-couriers": {
            "task": "couriers.collect",
            "schedule": COLLECT_SECONDS,
            "options": {"expires": COLLECT_SECONDS},
        },
        "accrue-site-contracts": {
            "task": "couriers.accrue",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
        "write-off": {
            "task": "treasury.write_off",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
        "expire-personal-data": {
            "task": "devices.expire_personal_data",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
        "expire-keys": {
            "task": "core.expire_keys",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
    },
)


@worker_process_init.connect
def keep_what_never_dies(**_: object) -> None:
    """Leave modules, tables and routes out of every collection: large batches cause many."""
    gc.freeze()
