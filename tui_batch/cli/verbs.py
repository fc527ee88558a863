"""Every verb in one table, and the group that loads a verb's module when that verb is used: help starts quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from tui_batch.cli.exits import Exit


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb is written, and what lists of verbs say of it."""

    place: str
    """`module.name` within tui_batch.cli; a function, or a group of verbs (a Typer)."""
    summary: str
    """A sentence of at most 65 characters: longer ones are cut on a terminal of 80."""


VERBS: Mapping[str, Verb] = {
    "demo": Verb("app_verbs.demo", "Open the app on a sample job: no key, no network."),
    "run": Verb("run_verbs.run", "Run a file of prompts, or a job file, to its end."),
    "add": Verb("run_verbs.add", "Read a file into a job without starting it."),
    "resume": Verb("run_verbs.resume", "Go on with a job."),
    "pause": Verb("job_verbs.pause", "Pause a running job, whichever process runs it."),
    "cancel": Verb("job_verbs.cancel", "End a job and cancel its pending items."),
    "set": Verb("knob_verbs.set_knobs", "Change a job's limits, budget or priority, while it runs too."),
    "ls": Verb("job_verbs.ls", "List the jobs."),
    "show": Verb("job_verbs.show", "Show one job: its figures and settings."),
    "items": Verb("item_verbs.items", "List a job's items in input order."),
    "item": Verb("dead_letter_verbs.item", "Show one item: prompt as sent, answer, failed attempts."),
    "errors": Verb("item_verbs.errors", "Group a job's dead items by class and message."),
    "retry": Verb("job_verbs.retry", "Make dead items pending again."),
    "edit": Verb("dead_letter_verbs.edit", "Give one dead or pending item another row."),
    "discard": Verb("dead_letter_verbs.discard", "Give dead items up: they become cancelled."),
    "clone": Verb("clone_verb.clone", "Make a new job with the same rows and other options."),
    "delete": Verb("job_verbs.delete", "Delete a job with everything it holds."),
    "export": Verb("item_verbs.export", "Write a job's results to a file."),
    "report": Verb("report_verbs.report", "Write a job's report to a file."),
    "compare": Verb("report_verbs.compare", "Compare the models of a job, or two jobs over the same rows."),
    "estimate": Verb("money_verbs.estimate", "What a job will take, and which way to run it."),
    "cost": Verb("money_verbs.cost", "What was spent, over all jobs, deleted ones included."),
    "prices": Verb("money_verbs.prices", "What a model costs, and where that is from."),
    "models": Verb("place_verbs.models", "List the models that can be reached."),
    "endpoints": Verb("place_verbs.endpoints", "List the endpoints: your own and the known ones."),
    "doctor": Verb("place_verbs.doctor", "Check this machine and what it can reach."),
    "paths": Verb("place_verbs.paths", "Print every path that is used."),
    "cache": Verb("place_verbs.CACHE", "The response cache: see or clear it."),
    "simulate": Verb("simulate_verb.simulate", "Serve made-up answers until Ctrl-C."),
}


class _Quick:
    """Lets text, and options that were not given, pass as they are: Typer loads pydantic to validate even those, which
    takes longer than everything else that a short command does. Help tells arguments without the types of Python.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """The arguments and options, with `--help`."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for one in parameters:
            if not (one.multiple or "process_value" in vars(one)):
                one.process_value = partial(_process, one, one.process_value)
            if one.param_type_name == "argument":
                one.get_usage_pieces = partial(_usage, one)
                one.get_help_record = partial(_record, one)
        return parameters


def _usage(argument: Any, _ctx: Any) -> list[str]:
    """How an argument stands in the line of usage: JOB, [INPUT], NAME=VALUE..."""
    name = argument.metavar + ("" if argument.nargs == 1 else "...")
    return [name if argument.required else f"[{name}]"]


def _record(argument: Any, _ctx: Any) -> tuple[str, str]:
    """An argument and what it means, in the list of arguments."""
    return argument.metavar, argument.help or ""


def _process(parameter: Any, validate: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    missing = value is None and not parameter.required
    if not (missing or (kind is str and isinstance(value, str))):
        return validate(ctx, value)
    return value if parameter.callback is None else parameter.callback(ctx, parameter, value)


class _Command(_Quick, TyperCommand):
    """One verb."""


class Verbs(_Quick, TyperGroup):
    """The command line's verbs: each is made when it is used, and only listed otherwise."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Made()

    def invoke(self, ctx: Any) -> Any:
        """Runs the verb. Where the reader of standard output went away Typer would end with 1, as for a fault."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise SystemExit(int(Exit.BROKEN_PIPE)) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of verbs in `--help`."""
        self._listing().format_commands(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """What a shell offers for the beginning of a verb or of an option before it."""
        listing = self._listing()
        return listing.shell_complete(typer.Context(listing), incomplete)

    def _listing(self) -> TyperGroup:
        """The same verbs with nothing but their names and summaries."""
        named = {name: TyperCommand(name, help=verb.summary) for name, verb in VERBS.items()}
        return TyperGroup(name=self.name, params=self.params, commands=dict(named))


class _Made(Mapping[str, Any]):
    """The verbs as Typer's commands, each made when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _make(name, VERBS[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


def _make(name: str, verb: Verb) -> Any:
    module, attribute = verb.place.split(".")
    found = getattr(import_module(f"tui_batch.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return get_command(found)
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)
    alone.command(name, cls=_Command)(found)
    return get_command(alone)
