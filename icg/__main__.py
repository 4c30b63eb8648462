"""The command line: ``python -m icg COMMAND``. Its commands come from installed packages, the book's among them."""

import argparse
import sys
from importlib.metadata import entry_points

COMMANDS = "icg.commands"  # the entry points that bring commands: each is called with argparse's subparsers


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors are one line on stderr and code 2.

    A command's parser sets ``run``, which is called with the parsed options and the command line as one text.
    """
    for stream in (sys.stdout, sys.stderr):  # names and texts that the terminal can't encode are no errors
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    parser = _Parser(prog="python -m icg", description="Fair attribution, and the book about it.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for entry in entry_points(group=COMMANDS):
        entry.load()(commands)
    options = parser.parse_args(arguments)
    command = "python -m icg " + " ".join(sys.argv[1:] if arguments is None else arguments)
    try:
        return options.run(options, command)
    except (ValueError, FloatingPointError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


if __name__ == "__main__":
    sys.exit(main())
