"""django-hordak 2.0.0 beside us: in an environment of its own, on the same server.

It is a peer of the bench alone and no dependency: it is installed when the bench runs. Its bulk
way is that of its own command `create_benchmark_transactions`.
"""

import subprocess
import sys
import venv
from collections.abc import Iterable

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.ground import Ground, say
from core.embedded import SUPERUSER

WANTED = ("django-hordak==2.0.0", "psycopg[binary]")
TRANSACTIONS_PER_COMMIT = 10_000

SETTINGS = """
SECRET_KEY = "bench"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "mptt", "hordak"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "hordak",
    "USER": %(user)r, "HOST": %(host)r, "PORT": %(port)r}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DEFAULT_CURRENCY = HORDAK_INTERNAL_CURRENCY = "CNY"
CURRENCIES = HORDAK_CURRENCIES = ["CNY"]
USE_TZ = True
"""

# Reads lines of transaction, account, fen; prints how many seconds it took to record them.
BULK = """
import gc, sys, time
from decimal import Decimal
from itertools import groupby
import django
django.setup()
from django.db import transaction as db_transaction
from moneyed import Money
from hordak.models import Account, Leg, Transaction

rows = [line.split() for line in open(sys.argv[1])]
for code in sorted({account for _, account, _ in rows}):
    if not Account.objects.filter(name=code).exists():
        Account.objects.create(name=code, type="AS", currencies=["CNY"])
accounts = {account.name: account for account in Account.objects.all()}
groups = [list(group) for _, group in groupby(rows, key=lambda row: row[0])]
commit = int(sys.argv[2])
gc.collect()
began = time.perf_counter()
for start in range(0, len(groups), commit):
    transactions, legs = [], []
    for group in groups[start : start + commit]:
        transaction = Transaction()
        transactions.append(transaction)
        for _, account, fen in group:
            side = "debit" if int(fen) > 0 else "credit"
            amount = Money(abs(Decimal(fen)) / 100, "CNY")
            legs.append(Leg(transaction=transaction, account=accounts[account], **{side: amount}))
    with db_transaction.atomic():
        Transaction.objects.bulk_create(transactions)
        Leg.objects.bulk_create(legs)
print(time.perf_counter() - began)
"""


class Hordak:
    """An installed hordak with a migrated database of its own."""

    def __init__(self, ground: Ground) -> None:
        self._home = ground.home / "hordak"
        self._python = self._home / "bin" / "python"
        self._ground = ground

    def install(self) -> bool:
        """Whether it could be installed and migrated; if not, a line says so."""
        venv.create(self._home, with_pip=True)
        done = self._run("-m", "pip", "install", "--quiet", *WANTED)
        if not done.returncode:
            self._write()
            done = self._run("-m", "django", "migrate", "--verbosity", "0")
        if done.returncode:
            say(f"hordak is left out: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
        return not done.returncode

    def seconds(self, legs: Iterable[tuple[int, str, int]]) -> float:
        """How long it takes to record these (transaction, account, fen), in order."""
        told = self._home / "legs.txt"
        told.write_text("\n".join(f"{entry} {account} {fen}" for entry, account, fen in legs))
        done = self._run("bulk.py", str(told), str(TRANSACTIONS_PER_COMMIT))
        if done.returncode:
            raise RuntimeError(f"hordak failed: {done.stderr[-600:]}")
        return float(done.stdout)

    def _write(self) -> None:
        where = conninfo_to_dict(self._ground.conninfo)
        with psycopg.connect(self._ground.conninfo, user=SUPERUSER, autocommit=True) as connection:
            connection.execute("CREATE DATABASE hordak")
        place = {"user": SUPERUSER, "host": where["host"], "port": where["port"]}
        (self._home / "peer_settings.py").write_text(SETTINGS % place)
        (self._home / "bulk.py").write_text(BULK)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {"DJANGO_SETTINGS_MODULE": "peer_settings", "PYTHONPATH": str(self._home)}
        command = [str(self._python if self._python.exists() else sys.executable), *arguments]
        return subprocess.run(command, cwd=self._home, env=env, capture_output=True, text=True)
