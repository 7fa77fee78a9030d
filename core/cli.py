"""The command `huilin`: `run`, and whatever the app's packages register (`db`, `sample`, …)."""

import importlib
import sys
from datetime import datetime
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import FlaskGroup, NoAppException

from core.config import SettingsError


def _create_app() -> Flask:
    try:
        app: Flask = importlib.import_module("wsgi").create_app()
    except SettingsError as error:
        raise NoAppException(str(error)) from error
    return app


main = FlaskGroup(
    name="huilin",
    help="Huilin: shared parking, lockers and the micro-fund of a community.",
    add_default_commands=False,
    add_version_option=False,
    load_dotenv=False,
    create_app=_create_app,
)


@main.command(with_appcontext=False)
@click.option("--with-parent", is_flag=True, help="End when the process that started it ends.")
def run(*, with_parent: bool) -> None:
    """Start everything in the foreground; Ctrl-C or SIGTERM stops it."""
    from core import supervisor

    sys.exit(supervisor.main(with_parent=with_parent))


@main.command(with_appcontext=False)
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="A seed tells one story.")
@click.option("--keep", type=click.Path(path_type=Path), help="A new folder, to keep the data.")
def simulate(*, days: int, seed: int, keep: Path | None) -> None:
    """Play a community's days in a database of its own, and prove that all is sound."""
    from core.console import complain
    from core.process import CannotStartError
    from simulation.command import simulate as play

    try:
        sys.exit(play(days, seed, keep))
    except CannotStartError as error:
        complain(str(error))
        sys.exit(1)


@main.command(with_appcontext=False)
@click.option("--of", "first", type=click.DateTime(["%Y-%m"]), default="2026-10", help="Which.")
@click.option("--seed", type=int, default=1, show_default=True, help="A seed tells one story.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("var/month"), show_default=True
)
def month(*, first: datetime, seed: int, out: Path) -> None:
    """Play a month and keep its books: settle, reconcile, close, publish, correct, export."""
    from core.console import complain
    from core.process import CannotStartError
    from simulation.command import keep_books

    try:
        sys.exit(keep_books(first.date(), seed, out))
    except CannotStartError as error:
        complain(str(error))
        sys.exit(1)


@main.command(hidden=True)
@click.option("--sample/--no-sample", default=True, help="Fill in the sample community.")
@click.pass_context
def prepare(context: click.Context, *, sample: bool) -> None:
    """What `run` does before it starts the processes: `db upgrade`, then `sample`."""
    from flask_migrate import upgrade

    upgrade()
    if sample:
        context.invoke(current_app.cli.commands["sample"])


if __name__ == "__main__":
    main(prog_name="huilin")
