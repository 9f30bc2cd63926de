"""The command line: one command a file, loaded when it is called; a ``CitygenError`` becomes one line and an exit code."""

import logging
import os
import sys
from importlib import import_module

import click

from citygen.errors import CitygenError
from citygen.version import __version__

COMMANDS = {
    "build": "Build a city from footprints and a DEM.",
    "explain": "Say why one building is as it is.",
    "inspect": "Say what footprints and DEMs hold, and what a build would do.",
    "roofs": "List the roof shapes that can be built.",
    "sample": "Write the sample town, or a large one.",
    "selftest": "Land known control points.",
    "validate": "Check an output folder, a tileset or a GLB.",
}
"""Name to one line of help; the command stands in ``citygen.cli.<name>`` as ``command``."""


class _Lazy(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"citygen.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="citygen")
def app() -> None:
    """Turn building footprints and a DEM into a georeferenced 3D city: closed, roofed solids in glTF and 3D Tiles."""


def main() -> None:
    """Run the command line; the process's exit code is that of the design."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    try:
        code = app.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted; run the same command again to go on", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("interrupted; run the same command again to go on", err=True)
        sys.exit(130)
    except CitygenError as error:
        if os.environ.get("CITYGEN_DEBUG"):
            raise
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
