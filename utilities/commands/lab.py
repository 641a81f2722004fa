"""The `lab` command: its subcommands, each imported only when it is called."""

import argparse
import importlib
import sys

COMMANDS = {
    "start": ("utilities.commands.start", "open JupyterLab on the notebooks (what `lab` alone does)"),
    "data": ("utilities.commands.data", "download the full CIFAR-10 and CIFAR-100"),
    "new": ("utilities.grading.new", "make a course, or an exercise, of one's own"),
    "check": ("utilities.grading.check", "tell what is wrong with an assignment before release"),
    "grade": ("utilities.grading.command", "grade an assignment in a sandbox, in parallel"),
    "collect": ("utilities.grading.collect", "put a learning platform's bulk download in its place"),
    "report": ("utilities.grading.report", "show how a class has solved an assignment"),
    "similar": ("utilities.grading.similar", "show which submissions are unusually alike"),
    "models": ("utilities.commands.models", "list, evaluate or download the pre-trained models"),
    "doctor": (
        "utilities.commands.doctor",
        "tell whether this machine is ready, and what to do if not",
    ),
    "energy": ("utilities.commands.energy", "table the energy reports that runs have saved"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return its exit status.

    A subcommand is a module with `add_arguments(parser)` and `run(options) -> int`.
    """
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    parser.add_argument(
        "command",
        nargs="?",
        default="start",
        choices=COMMANDS,
        metavar="command",
        help="; ".join(f"{name}: {purpose}" for name, (_, purpose) in COMMANDS.items()),
    )
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    module_name, purpose = COMMANDS[options.command]
    try:
        module = importlib.import_module(module_name)
        subparser = argparse.ArgumentParser(prog=f"lab {options.command}", description=purpose)
        module.add_arguments(subparser)
        return module.run(subparser.parse_args(options.rest))
    except ModuleNotFoundError as missing:
        if not module_name.startswith("utilities.grading"):
            raise
        print(_without_grader(options.command, module_name, missing), file=sys.stderr)
        return 2


def _without_grader(command: str, module_name: str, missing: ModuleNotFoundError) -> str:
    """Return what to do where a command of the instructor's is not there, or its libraries are not."""
    if missing.name is None or module_name.startswith(missing.name):
        return f"lab {command} is not part of the hand-out for students."
    return (
        f"lab {command} needs {missing.name}, which students do without: `make grader` in a clone "
        'of the kit, or pip install "attention-lab-kit[grader]".'
    )


if __name__ == "__main__":
    raise SystemExit(main())
