"""The command `huilin`: `run`, and whatever the app's packages register (`db`, `sample`, …)."""

import importlib
import sys

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
