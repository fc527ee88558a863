"""Rows to requests: templates, overrides, conversations, ready bodies; and what a template may not do."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, Endpoint, Operation
from tui_batch.domain.job import InputSource, JobSpec, ModelRef
from tui_batch.domain.request import Message
from tui_batch.errors import UserError
from tui_batch.inputs import metering
from tui_batch.inputs.sandbox import compile_template
from tui_batch.inputs.templates import MissingColumn, RenderedRow, RowError, compile_prompt

SPEC = JobSpec(
    "job",
    InputSource("rows.jsonl", "jsonl"),
    (ModelRef("m", ("e",)),),
    (Endpoint("e", Api.OPENAI, "http://localhost/v1"),),
)


def render(row: dict[str, Any], **changes: Any) -> RenderedRow:
    format_ = changes.pop("format", "jsonl")
    spec = replace(SPEC, source=InputSource("rows", format_, model_column="model"), **changes)
    return compile_prompt(spec).render(json.dumps(row).encode())


def prompt_of(row: dict[str, Any], prompt: str) -> str:
    content = render(row, prompt=prompt).request.messages[-1].content
    assert isinstance(content, str)
    return content


def test_a_plain_prompt() -> None:
    rendered = render({"prompt": "Hi\n"})
    assert rendered.request.messages == (Message("user", "Hi\n"),)
    assert (rendered.model, rendered.chars, rendered.request.body) == (None, 3, None)


def test_columns_in_prompt_and_system() -> None:
    rendered = render({"a": "x", "b": 2}, prompt="{{ a }}/{{ b }}", system="You are {{ a }}.")
    assert rendered.request.messages == (Message("system", "You are x."), Message("user", "x/2"))
    assert rendered.chars == len("You are x.x/2")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ n }}", "null:"),
        ("{{ d }}", 'null:{"k":["é",1]}'),
        ("{{ d.k[0] }}", "null:é"),
        ("{{ d|tojson }}", 'null:{"k":["é",1]}'),
        ("{{ t|truncate(5) }}", "null:ab..."),
        ("{{ row['odd name'] }}", "null:odd"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "null:012"),
        ("{{ t if missing is defined else 'none' }}", "null:none"),
        ("{{ '%.1f'|format(f) }}", "null:1.5"),
        ("{% raw %}{{ t }}{% endraw %}", "null:{{ t }}"),
        ("<b>{{ m }}</b>", "null:<b>a & b</b>"),
        ("{{ t }}\n", "null:abcdefghij"),
    ],
)
def test_what_templates_write(template: str, text: str) -> None:
    row = {"n": None, "d": {"k": ["é", 1]}, "t": "abcdefghij", "odd name": "odd", "f": 1.49999, "m": "a & b"}
    assert prompt_of(row, "null:" + template) == text


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(RowError) as caught:
        render({"question": 1, "answer": 2}, prompt="{{ questoin }}")
    assert caught.value.reason == (
        "the prompt template uses `questoin`, which this row does not have (did you mean `question`?); "
        "it has: question, answer"
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ row['Frist name'] }}",
        "{{ row['First name'] }} {{ row['Frist name']|upper }} {{ row.get('last') }}{{ row.zip }}",
    ],
)
def test_a_missing_column_whose_name_is_no_word_is_named_too(prompt: str) -> None:
    """`row["..."]` is how the docs say such a column is written."""
    with pytest.raises(MissingColumn) as raised:
        prompt_of({"First name": "Ada", "last": "L"}, prompt)
    assert raised.value.column == "Frist name"
    assert raised.value.reason == (
        "the prompt template uses `Frist name`, which this row does not have (did you mean `First name`?); "
        "it has: First name, last"
    )


def test_what_fails_on_a_row_is_told_as_it_is_where_no_column_is_missing() -> None:
    with pytest.raises(RowError, match="has no attribute 'street'"):
        prompt_of({"home": {"town": "Oslo"}}, "{{ row['home'].street }}")


@pytest.mark.parametrize("template", ["{{ a.b }}", "{{ x|tojson }}", "{{ a + 1 }}", "{{ 1 / 0 }}", "{{ a['b'] }}"])
def test_a_template_that_fails_on_a_row_is_a_row_error(template: str) -> None:
    with pytest.raises(RowError, match="template"):
        render({"a": "text"}, prompt=template)


@pytest.mark.parametrize("prompt", ["", "  \n\t"])
def test_an_empty_prompt_is_not_sent(prompt: str) -> None:
    with pytest.raises(RowError, match="the prompt is empty"):
        render({"prompt": prompt})


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("fine\n{{ a", "prompt template, line 2: "),
        ("{{ a|nonsense }}", "No filter named 'nonsense'"),
        ("{% include 'x' %}", "cannot load other templates"),
        ("{% endif %}", "line 1"),
    ],
)
def test_a_template_that_cannot_compile_names_its_line(template: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        compile_prompt(replace(SPEC, prompt=template))


@pytest.mark.parametrize(
    "template",
    [
        "{{ a.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ a.format.__globals__ }}",
        "{{ '{0.__class__}'.format(a) }}",
        "{{ range(10 ** 9) }}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ 10 ** 9 * 'x' }}",
        "{{ 9 ** 9999999 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%999999999d'|format(1) }}",
        "{{ 'x'.ljust(999999999) }}",
        "{{ 'x'|indent(999999999, true) }}",
        "{% set n = namespace(x='x' * 10000000) %}{% set n.x = n.x + n.x %}{% set n.x = n.x + n.x %}{{ n.x }}",
        "{% for i in range(9999) %}{{ 'x' * 10000 }}{% endfor %}",
        "{{ l.append(1) }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__ }}",
        "{{ dict.__subclasses__() }}",
        "{{ 1[0](2) }}",
    ],
)
def test_templates_can_reach_nothing_and_make_nothing_huge(template: str) -> None:
    with pytest.raises(RowError):
        render({"a": "x", "l": []}, prompt=template)


@pytest.mark.parametrize(
    "template",
    [
        "{% set n = namespace(x='x' * 1000000) %}{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x=a) %}{% for i in range(60) %}{% set y %}{{ n.x }}{{ n.x }}{% endset %}"
        "{% set n.x = y %}{% endfor %}",
        "{{ ('x' * 1000000)|replace('x', 'y' * 20000) }}",
        "{{ ('x' * 1000000).replace('x', 'y' * 20000) }}",
        "{{ range(10000)|join('x' * 1000000) }}",
        "{{ ('x' * 1000000).join('y' * 10000) }}",
        "{{ ('%s' * 10000)|format(*(['x' * 1000000] * 10000)) }}",
        "{{ ('%s' * 10000) % (('x' * 1000000,) * 10000) }}",
        "{{ ('\\n' * 1000000)|indent(1000) }}",
        "{{ ('x' * 200000)|wordwrap(1, wrapstring='y' * 1000000) }}",
        "{{ ('x' * 1000000)|wordwrap(1) }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ 'x'.encode() * 10 ** 10 }}",
        "{{ (1).to_bytes(10 ** 10, 'big') }}",
        "{{ ('x' * 1000000).translate({120: 'y' * 10000}) }}",
        "{{ 1|round(1000000000, 'ceil') }}",
        "{{ ([[1] * 1000] * 10000)|sum(start=[]) }}",
        "{{ [[0] * 20000000] * 20000000 }}",
        "{{ (range(10000)|list * 1000)|pprint }}",
        "{% filter replace('x', 'y' * 1000000) %}" + "x" * 10_000 + "{% endfilter %}",
        "{% for i in range(10000) %}{{ ('x' * 4000000)|wordcount }}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ ('1' * 9000000)|int(0, 2) // ('1' * 4500000)|int(0, 2) }}",
        "{% set n = namespace(x=1) %}{% for i in range(9999) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{{ ('a' * 9000000).rfind('a' * 2000000 ~ 'b' ~ 'a' * 2000000) }}",
        "{{ ('a' * 9000000).rsplit(sep='a' * 2000000 ~ 'b' ~ 'a' * 2000000) }}",
        "{{ ('ab' * 4000000).strip('c' * 4000000 ~ 'ab') }}",
        "{{ ('ab' * 4000000)|trim('c' * 4000000 ~ 'ab') }}",
        "{{ [{'a': 1}]|map(attribute='a.' * 5000000)|list }}",
        "{{ [{'a': 1}]|selectattr('a.' * 5000000)|list }}",
        "{{ [{'a': 1}]|sum('a.' * 5000000) }}",
    ],
)
def test_a_template_that_would_make_much_of_little_is_refused_before_it_does(
    template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what it would do, on any machine: the clock has no part in it."""
    monkeypatch.setattr(metering, "MAX_CPU_S", 1e9)
    with pytest.raises(RowError, match="template fails: "):
        render({"a": "x"}, prompt=template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ '%(a)900000000s' % {'a': 1} }}",
        "{{ '%(a)900000000s'|format(a=1) }}",
        "{{ '%((a)).900000000d' % {'(a)': 1} }}",
        "{{ '%l%%900000000d' % 1 }}",
        "{{ '%% %(a)s %(b)*d' % {'a': 1, 'b': 2} }}",
        "{{ '%.1000f'|format(1) }}",
    ],
)
def test_a_printf_format_pads_to_no_great_width_however_it_is_written(template: str) -> None:
    """By its words before anything is made: those with a value's name took gigabytes."""
    with pytest.raises(RowError, match="may not pad to a thousand characters"):
        render({"a": "x"}, prompt=template)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ '%(a)999s' % {'a': 1} }}", " " * 998 + "1"),
        ("{{ '%%%04d%% of 20000' % 7 }}", "%0007% of 20000"),
        ("{{ '%(in 2026)s' % {'in 2026': 'x'} }}", "x"),
        ("{{ '%ld' % 7 }}", "7"),
    ],
)
def test_printf_formats_of_usual_widths_are_written(template: str, text: str) -> None:
    assert prompt_of({"a": "x"}, template) == text


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(10000) %}{% for j in range(10000) %}{% for k in range(10000) %}{% endfor %}{% endfor %}"
        "{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}"
        "{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}",
        "{% set n = namespace(x=[1]) %}{% for i in range(40) %}{% set n.x = {'a': n.x, 'b': n.x} %}{% endfor %}"
        "{{ n.x|tojson }}",
        "{% for i in range(10000) %}{{ 'y' in l * 2 }}{% endfor %}",
    ],
)
def test_a_template_that_would_never_end_is_stopped(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "MAX_CPU_S", 0.1)
    with pytest.raises(RowError, match=r"for one row|objects at once"):
        render({"l": ["x"] * 100_000}, prompt=template)


@pytest.mark.parametrize("part", ["{{ a }}\n", "{% set a = 1 %}\n", "{{ a" + " ~ a" * 20 + " }}\n"])
def test_a_template_of_too_many_parts_is_refused_before_it_is_compiled(part: str) -> None:
    """A megabyte of them took ten seconds and 1.5 GB."""
    with pytest.raises(UserError, match=r"more than 50,000 parts") as caught:
        compile_prompt(replace(SPEC, prompt=part * 20_000))
    assert "line " in caught.value.message


def test_a_long_template_is_as_good_as_a_short_one() -> None:
    assert render({"a": "x"}, prompt="word " * 100_000 + "{{ a }}").request.messages[0].content.endswith("word x")
    assert len(render({"a": "x y " * 50_000}, prompt="{{ a|wordwrap(40) }}").request.messages[0].content) > 190_000


def test_templates_that_do_much_but_not_too_much_are_rendered() -> None:
    rows = [{"name": f"n{n}", "tags": ["a", "b"], "text": "word " * 50} for n in range(500)]
    text = (
        "{% for r in rows if r.tags|length > 1 %}{{ loop.index }}/{{ loop.length }} {{ r.name|upper ~ ':' ~ 1 }} "
        "{{ r.tags|map('upper')|join(', ') }} {{ r.text|truncate(12) }} {{ {'k': [r.name, 1]}|tojson }}"
        "{% set a, b = r.name, 'z' %}{{ a + b }}{% if r.name in ['n1', 'n2'] %}!{% endif %}\n{% endfor %}"
        "{{ 7 // 2 - 1 }} {{ (' x-y ' * 9000).strip(' ').rsplit('-', 1)|length }} "
        "{{ rows|map(attribute='name')|list|last }} {{ [1, 2, 3]|sum }} {{ '%s-%s' % ('a', 1) }} {{ 'a,b'.split(',') }}"
    )
    made = render({"rows": rows}, prompt=text).request.messages[0].content.splitlines()
    assert made[1] == '2/500 N1:1 A, B word... {"k":["n1",1]}n1z!'
    assert made[-1] == '2 2 n499 6 a-1 ["a","b"]'


def test_lists_and_objects_alone_in_a_prompt_are_written_in_every_thread_and_for_ever() -> None:
    """Rows are rendered in worker threads, a million of them in each: what one costs is not charged to the next."""
    renderer = compile_prompt(replace(SPEC, prompt="About {{ tags }}: {{ about }}"))
    rows = [json.dumps({"tags": ["a", n], "about": {"n": n}}).encode() for n in range(3)]
    with ThreadPoolExecutor(1) as pool:
        prompts = [row.request.messages[-1].content for row in pool.map(renderer.render, rows)]
        pool.submit(setattr, metering._METER, "left", 0).result()  # as after much work
        prompts.append(pool.submit(renderer.render, rows[0]).result().request.messages[-1].content)
    assert prompts == [f'About ["a",{n}]: {{"n":{n}}}' for n in (0, 1, 2, 0)]


def test_a_huge_text_from_columns_alone_is_bounded_too() -> None:
    with pytest.raises(RowError, match="20,000,000 characters"):
        render({"a": "x" * 7_000_000}, prompt="{{ a }}{{ a }}{{ a }}")


_VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    st.lists(st.sampled_from(["{{ a }}", "{{a}}", "{{- b -}}", "text\n", " ", "{{ c }}", "{# no #}"]), max_size=6),
    st.fixed_dictionaries({"a": _VALUES, "b": st.lists(_VALUES, max_size=2), "c": _VALUES}),
)
def test_the_short_way_writes_what_jinja_writes(parts: list[str], columns: dict[str, Any]) -> None:
    template = compile_template("".join(parts))
    assert template.plain is not None
    assert template.plain(columns) == template.render(columns)


def test_a_row_overrides_model_and_parameters() -> None:
    row = {"prompt": "x", "model": "other", "params": {"temperature": 1, "seed": 3}}
    rendered = render(row, params={"temperature": 0, "max_tokens": 5})
    assert rendered.model == "other"
    assert rendered.request.params == {"temperature": 1, "max_tokens": 5, "seed": 3}


def test_overrides_from_a_table_are_text() -> None:
    rendered = render({"prompt": "x", "model": "", "params": '{"seed": 3}'}, params={"n": 1})
    assert (rendered.model, rendered.request.params) == (None, {"n": 1, "seed": 3})
    assert render({"prompt": "x", "params": ""}, params={"n": 1}).request.params == {"n": 1}


@pytest.mark.parametrize("override", [{"model": 3}, {"params": "temperature=1"}, {"params": [1]}, {"params": "[1]"}])
def test_bad_overrides_are_row_errors(override: dict[str, Any]) -> None:
    with pytest.raises(RowError, match="must be"):
        render({"prompt": "x", **override})


TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]


@pytest.mark.parametrize("turns", [TURNS, json.dumps(TURNS)])
def test_a_messages_column_is_a_conversation(turns: Any) -> None:
    rendered = render({"messages": turns, "who": "clerk"}, system="You are a {{ who }}.")
    assert [m.content for m in rendered.request.messages] == ["You are a clerk.", "a", "b", "c"]
    assert rendered.chars == len("You are a clerk.abc")


def test_a_system_message_of_the_row_wins() -> None:
    own = [{"role": "system", "content": "own"}, *TURNS]
    assert render({"messages": own}, system="job's").request.messages[0] == Message("system", "own")


def test_a_prompt_template_wins_over_a_messages_column() -> None:
    assert prompt_of({"messages": TURNS}, "{{ messages[0].content }}!") == "a!"


@pytest.mark.parametrize(
    "messages", ["text", {"a": 1}, [1], [{"role": "user"}], [{**TURNS[0], "name": "x"}], [{"content": "x"}], 5]
)
def test_bad_messages_are_row_errors(messages: Any) -> None:
    with pytest.raises(RowError, match="messages"):
        render({"messages": messages})


def test_content_parts_pass_through_and_their_text_is_counted() -> None:
    parts = [{"type": "text", "text": "abcd"}, {"type": "image_url", "image_url": {"url": "data:xxxxxxxx"}}]
    rendered = render({"messages": [{"role": "user", "content": parts}]})
    assert rendered.request.messages[0].content == parts
    assert rendered.chars == 4


def test_embeddings_are_one_text_and_take_no_system() -> None:
    request = render({"t": "x"}, prompt="{{ t }}", operation=Operation.EMBED).request
    assert (request.operation, request.messages) == (Operation.EMBED, (Message("user", "x"),))
    with pytest.raises(UserError, match="no system text"):
        compile_prompt(replace(SPEC, operation=Operation.EMBED, system="x"))


BODY = {"model": "own", "messages": TURNS, "temperature": 0.5}


def test_a_batch_line_is_sent_as_it_is() -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": BODY}
    rendered = render(line, format="batch")
    assert rendered.request.body == BODY
    assert (rendered.model, rendered.chars, rendered.request.operation) == ("own", 3, Operation.CHAT)


def test_an_embeddings_body_says_what_it_is() -> None:
    rendered = render({"model": "e", "input": ["ab", "c"]}, format="bodies")
    assert (rendered.request.operation, rendered.chars) == (Operation.EMBED, 3)
    assert render({"input": [1, 2, 3]}, format="bodies").chars == 12


def test_the_job_speaks_where_a_body_is_silent() -> None:
    rendered = render(BODY, format="bodies", params={"temperature": 0, "max_tokens": 9}, system="Be brief.")
    assert rendered.request.body == {
        "model": "own",
        "temperature": 0.5,
        "max_tokens": 9,
        "messages": [{"role": "system", "content": "Be brief."}, *TURNS],
    }
    own = {"messages": [{"role": "developer", "content": "own"}, *TURNS]}
    assert render(own, format="bodies", system="Be brief.").request.body == own


def test_a_prompt_template_for_ready_requests_is_refused() -> None:
    with pytest.raises(UserError, match="whole request"):
        compile_prompt(replace(SPEC, source=InputSource("x", "batch"), prompt="{{ a }}"))


@pytest.mark.parametrize("row", [{"body": 1, "url": "/v1/embeddings"}, {"body": {}, "url": "/v1/x"}, {}])
def test_stored_rows_that_hold_no_request_are_row_errors(row: dict[str, Any]) -> None:
    with pytest.raises(RowError):
        render(row, format="batch")
