"""The command `huilin`: `run`, and whatever the app's packages register (`db`, `sample`, …)."""

import importlib
import sys

import click
from flask import Flask
from flask.cli import FlaskGroup


def _create_app() -> Flask:
    app: Flask = importlib.import_module("wsgi").create_app()
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


if __name__ == "__main__":
    main(prog_name="huilin")
