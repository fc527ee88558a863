"""The documentation against the program: commands, options, fields, tables, files."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from typer.main import get_command

from tui_batch import paths
from tui_batch.cli.exits import Exit
from tui_batch.cli.main import build
from tui_batch.cli.parsing import parse_params
from tui_batch.domain.endpoint import Operation
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.request import Message, PromptRequest
from tui_batch.providers.catalog import known, owner_of
from tui_batch.providers.registry import provider_for
from tui_batch.report.results import RESULT_FIELDS
from tui_batch.settings_file import _File
from tui_batch.store.migrations import MIGRATIONS, migrate

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?<!set )llmbatch-tui ([^`\n|>]+)")
LINK = re.compile(r"\[[^\]]+\]\(([^)#]+)(#[^)]*)?\)")
FIELD = re.compile(r"^\| ((?:`[^`]+`(?:, )?)+) \|", re.MULTILINE)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def documented(text: str) -> list[str]:
    """The names in the first column of a page's tables."""
    return [name for cell in FIELD.findall(text) for name in re.findall(r"`([^`]+)`", cell)]


def commands() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for found in COMMAND.findall(page.read_text(encoding="utf-8")):
            yield page.name, shlex.split(found.rstrip(";,.:"), comments=True)


CLI: Any = get_command(build())
COMMANDS = list(commands())


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 50


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda value: value if isinstance(value, str) else value[0])
def test_a_command_in_the_docs_can_be_typed(page: str, words: list[str]) -> None:
    if words[0] in ("VERB", "--help"):
        return
    if words[0].startswith("--"):
        assert words[0] in {name for one in CLI.params for name in one.opts}
        return
    verb, rest = CLI.commands[words[0]], words[1:]
    if hasattr(verb, "commands"):
        verb, rest = verb.commands[rest[0]], rest[1:]
    whole = any(not word.startswith("-") for word in rest) or not any(
        one.param_type_name == "argument" and one.required for one in verb.params
    )
    if whole:
        verb.make_context(words[0], list(rest))
    known = {name for one in verb.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    assert {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)} <= known


SENT = re.compile(r"`POST (\S+)` gets\n\n```json\n([^\n]+)\n```")


def test_the_requests_of_the_wire_format_page_are_those_that_are_sent() -> None:
    """Each is what the first command of its section makes of its first row."""
    checked = 0
    for section in read("docs/wire-formats.md").split("\n## "):
        for path, body in SENT.findall(section):
            words = shlex.split(COMMAND.findall(section)[0])
            verb = CLI.commands[words[0]]
            said = verb.make_context(words[0], words[1:]).params
            (model,) = said["model"]
            owner = owner_of(model)
            endpoint = known(said["endpoint"] or (owner.name if owner else ""), {})
            assert endpoint is not None
            prompt = (Message("user", "Tell me about cats"),)
            request = PromptRequest(Operation.CHAT, prompt, parse_params(said["param"] or ()))
            encoded = provider_for(endpoint.api).encode(request, model)
            assert urlsplit(endpoint.base_url + encoded.path).path == path
            assert json.loads(encoded.body) == json.loads(body)
            checked += 1
    assert checked == 4, "one for each format, and Gemini"


def schema_fields(part: dict[str, Any], schema: dict[str, Any], lead: str = "") -> Iterator[str]:
    """The paths of all fields of the job file's schema, as docs/job-files.md writes them."""
    for name, field in part.get("properties", {}).items():
        yield lead + name
        for inner, marks in parts_of(field):
            yield from schema_fields(schema["$defs"][inner], schema, lead + name + marks)


def parts_of(field: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The mappings that a field may hold, and how one of their fields is written after its name."""
    for choice in (field, *field.get("anyOf", ())):
        if "$ref" in choice:
            yield choice["$ref"].rpartition("/")[2], "."
        elif "items" in choice:
            for inner, _ in parts_of(choice["items"]):
                yield inner, "[]."


def test_the_job_file_page_has_every_field_and_no_other() -> None:
    schema = json.loads((paths.shipped("sample_jobs") / "job.schema.json").read_text(encoding="utf-8"))
    fields = set(schema_fields(schema, schema))
    groups = {"limits", "retry", "timeouts"}
    assert {"input.columns", *documented(read("docs/job-files.md"))} | groups == fields


def test_the_settings_page_has_every_field() -> None:
    schema = _File.model_json_schema()
    fields = set(schema_fields(schema, schema)) - {"endpoints", "prices", "windows"}
    named = set(documented(read("docs/settings.md")))
    assert {name for name in named if not name.isupper()} == fields


def test_the_database_page_has_every_table_and_column(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as conn:
        migrate(conn, tmp_path / "x.db", now=0.0, migrations=MIGRATIONS)
        tables = [name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        real = {
            table: [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
            for table in tables
            if not table.startswith("sqlite_")
        }
    sections = re.split(r"^### `(\w+)`$", read("docs/database.md"), flags=re.MULTILINE)
    written = dict(zip(sections[1::2], map(documented, sections[2::2]), strict=True))
    assert {table: sorted(columns) for table, columns in written.items()} == {
        table: sorted(columns) for table, columns in real.items()
    }


def test_the_queries_of_the_database_page_run(tmp_path: Path) -> None:
    queries = re.findall(r'^sqlite3 jobs\.db "(.+)"$', read("docs/database.md"), re.MULTILINE)
    assert len(queries) > 3
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as conn:
        migrate(conn, tmp_path / "x.db", now=0.0, migrations=MIGRATIONS)
        for query in queries:
            conn.execute(query)


def test_result_fields_outcomes_and_exit_codes_are_documented() -> None:
    first_table = read("docs/results.md").partition("An own column")[0]
    assert documented(first_table) == list(RESULT_FIELDS)
    outcomes = read("docs/outcomes.md")
    assert set(documented(outcomes)) == set(OutcomeClass)
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", outcomes, re.MULTILINE)} == set(map(int, Exit))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, _ in LINK.findall(text):
        assert target.startswith("http") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_yaml_in_the_docs_is_yaml(page: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        yaml.safe_load(block)
