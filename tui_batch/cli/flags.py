"""The options of `run`, `add`, `estimate` and `clone`, once, as a frozen value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.job import Mode
from tui_batch.figures import listed
from tui_batch.inputs.readers.registry import InputFormat
from tui_batch.report.formats import endings

F = TypeVar("F")


def _option(*names: str, help_: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help_, metavar=metavar)


@dataclass(frozen=True)
class JobFlags:
    """What a person asks for. None and empty: not said."""

    input: Annotated[
        str, typer.Argument(metavar="INPUT", help="A data file, a job file (.yaml), or - .", show_default=False)
    ] = ""
    from_job: Annotated[
        str | None,
        _option("--from-job", metavar="N", help_="The answers of job N are the input; INPUT may be a job file."),
    ] = None
    model: Annotated[
        list[str] | None, _option("--model", "-m", metavar="MODEL", help_="The model. May be given again.")
    ] = None
    output: Annotated[
        str | None,
        _option("--output", "-o", metavar="OUT", help_=f"{endings()}, or - for JSON lines."),
    ] = None
    concurrency: Annotated[
        str | None, _option("--concurrency", "-c", metavar="N|auto", help_="Requests in flight at most.")
    ] = None
    endpoint: Annotated[
        str | None, _option("--endpoint", metavar="NAME", help_="A known provider, or one of your settings.")
    ] = None
    base_url: Annotated[str | None, _option("--base-url", metavar="URL", help_="Any compatible server.")] = None
    api: Annotated[str | None, _option("--api", metavar="API", help_=f"{listed(Api)}.")] = None
    system: Annotated[
        str | None, _option("--system", metavar="TEXT", help_="System text; {{ column }} is filled in.")
    ] = None
    prompt: Annotated[
        str | None,
        _option("--prompt", metavar="TEMPLATE", help_="Prompt; {{ column }} is filled in. Default: {{ prompt }}"),
    ] = None
    param: Annotated[
        list[str] | None,
        _option(
            "--param", metavar="K=V", help_="A parameter of the request, such as temperature=0. May be given again."
        ),
    ] = None
    schema: Annotated[Path | None, _option("--schema", metavar="FILE", help_="JSON Schema that answers must meet.")] = (
        None
    )
    operation: Annotated[str | None, _option("--operation", metavar="OP", help_=f"{listed(Operation)}.")] = None
    mode: Annotated[str | None, _option("--mode", metavar="MODE", help_=f"Several models: {listed(Mode)}.")] = None
    rpm: Annotated[str | None, _option("--rpm", help_="Requests a minute at most.", metavar="N")] = None
    tpm: Annotated[
        str | None, _option("--tpm", help_="Tokens a minute at most, in and out, such as 90k.", metavar="N")
    ] = None
    budget: Annotated[str | None, _option("--budget", metavar="USD", help_="Dollars that may be spent in all.")] = None
    cap: Annotated[
        str | None, _option("--cap", metavar="WORD", help_="binding, or loose: also send what may pass the budget.")
    ] = None
    sample: Annotated[
        str | None,
        _option("--sample", metavar="N", help_="Try N rows first, spread over the file; asks before the rest."),
    ] = None
    max_attempts: Annotated[
        str | None, _option("--max-attempts", metavar="N", help_="Requests at most that count for one row.")
    ] = None
    no_cache: Annotated[bool, _option("--no-cache", help_="Neither read nor fill the response cache.")] = False
    refresh: Annotated[bool, _option("--refresh", help_="Ask anew and rewrite the response cache.")] = False
    name: Annotated[str | None, _option("--name", metavar="NAME", help_="The job's name; else the file's.")] = None
    tag: Annotated[
        list[str] | None, _option("--tag", metavar="K=V", help_="A note on the job. May be given again.")
    ] = None
    priority: Annotated[str | None, _option("--priority", metavar="N", help_="Jobs with a higher one run first.")] = (
        None
    )
    format: Annotated[
        str | None,
        _option("--format", metavar="FORMAT", help_=f"{listed(InputFormat)}; else found."),
    ] = None
    custom_id_column: Annotated[
        str | None, _option("--custom-id-column", metavar="COLUMN", help_="Identifies a row. Default: custom_id")
    ] = None
    priority_column: Annotated[
        str | None, _option("--priority-column", metavar="COLUMN", help_="Urgent rows first. Default: priority")
    ] = None
    strict: Annotated[bool, _option("--strict", help_="The first bad row stops the import.")] = False
    keep_raw: Annotated[bool, _option("--keep-raw", help_="Keep every response as received.")] = False
    stream: Annotated[
        bool, _option("--stream", help_="Receive answers piece by piece: a stalled one is noticed early.")
    ] = False
    simulate: Annotated[
        bool, _option("--simulate", help_="Ask the built-in simulator: no key, no network. Lifts RPM and TPM.")
    ] = False
    simulate_faults: Annotated[
        str, _option("--simulate-faults", metavar="SPEC", help_="Faults of the simulator, such as 429=0.05,500=2%.")
    ] = ""
    as_json: Annotated[bool, _option("--json", help_="Progress as JSON lines on standard output.")] = False
    detach: Annotated[bool, _option("--detach", help_="Run in the background.")] = False
    yes: Annotated[bool, _option("--yes", "-y", help_="Never ask. For scripts.")] = False
    db: Annotated[Path | None, _option("--db", metavar="PATH", help_="The job database. Also: LLMBATCH_DB.")] = None
    settings: Annotated[
        Path | None, _option("--settings", metavar="PATH", help_="The settings file. Also: LLMBATCH_SETTINGS.")
    ] = None


def taking(
    flags: type[F], *, without: frozenset[str] = frozenset(), instead: Mapping[str, Any] | None = None
) -> Callable[[Callable[[typer.Context, F], None]], Any]:
    """Makes a verb's options from a dataclass's fields; those in `without` keep their default and are not offered.

    `instead` gives some fields another annotation: the same field under another name and help.
    """
    hints = {**get_type_hints(flags, include_extras=True), **(instead or {})}
    needed = {"input"} & set(instead or {})  # what stands in the place of INPUT, such as JOB, cannot be left out
    offered = [field for field in fields(flags) if field.name not in without]  # type: ignore[arg-type]

    def wrap(verb: Callable[[typer.Context, F], None]) -> Any:
        def command(ctx: typer.Context, **values: Any) -> None:
            verb(ctx, flags(**values))

        command.__name__, command.__doc__ = verb.__name__, verb.__doc__
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters = [inspect.Parameter("ctx", kind, annotation=typer.Context)]
        for field in offered:
            default = inspect.Parameter.empty if field.name in needed else field.default
            parameters.append(inspect.Parameter(field.name, kind, annotation=hints[field.name], default=default))
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return wrap
