"""Files of the person's own: themes, keys, what is remembered. Each is checked wholly, and a broken one is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.color import Color
from textual.theme import Theme
from textual.widgets import Button, Input, OptionList, Static, Tabs

from tui_batch import paths
from tui_batch.domain.job import Counters, InputSource, Job, JobSpec, JobState, Knobs
from tui_batch.domain.stored import Event
from tui_batch.errors import InputError, UserError
from tui_batch.report.formats import ResultFormat
from tui_batch.report.targets import parse_target
from tui_batch.tui.actions import REGISTRY
from tui_batch.tui.export_plan import checked_report, checked_target, usual_format, with_ending
from tui_batch.tui.finding import distance, found
from tui_batch.tui.keymap import _meet, key_name, keymap_page, keys_of, load_keymap
from tui_batch.tui.knob_form import FIELDS, read, texts_of
from tui_batch.tui.log_lines import KEPT, Level, LogFilter, LogLines, parse_log_filter
from tui_batch.tui.prefs import Prefs, Remembered, load, parse, store
from tui_batch.tui.screens.new_job.files import first_folder, recent_files
from tui_batch.tui.themes import _is_value, contrast, known_variables, load_themes, read_theme
from tui_batch.tui.tones import styles_of

NIGHT = (paths.shipped("themes") / "night.yaml").read_text()


def theme_file(folder: Path, text: str, name: str = "mine") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        (('"#6cb6ff"', "blurple"), "primary", "no colour"),
        (('"#6cb6ff"', "#6cb6ff"), "primary", "missing"),
        (("accent:", "acent:"), "acent", "no field"),
        (("dark: true", "dark: very"), "dark", "true or false"),
        (("name: mine", "name: yours"), "name", "file's name"),
        (("dark: true", "dark: true\nvariables: {border: wide}"), "variables.border", "no colour"),
        (("dark: true", "dark: true\nvariables: {boarder: red}"), "variables.boarder", "no style variable"),
        (("dark: true", "dark: true\nvariables: {block-cursor-text-style: loud}"), "variables", "no text style"),
        (("dark: true", "dark: true\nvariables: {link-style: none bold}"), "variables", "no text style"),
        (("dark: true", "dark: true\nvariables: {link-style: not}"), "variables", "no text style"),
        (("dark: true", "dark: true\nvariables: {border: auto 87%}"), "variables", "no colour"),
        (("dark: true", "dark: true\nvariables: {accent: teal 50%}"), "variables", "no colour"),
        (("dark: true", "dark: true\nvariables: {primary-lighten-1: teal 50%}"), "variables", "no colour"),
        (("dark: true", "dark: true\nvariables: {border: teal 200%}"), "variables", "no colour"),
    ],
)
def test_a_theme_with_anything_wrong_is_refused_with_its_line(
    tmp_path: Path, change: tuple[str, str], field: str, reason: str
) -> None:
    file = theme_file(tmp_path, NIGHT.replace("name: night", "name: mine").replace(*change))
    with pytest.raises(InputError) as caught:
        read_theme(file)
    assert str(file) in caught.value.message
    assert field in caught.value.message
    assert reason in caught.value.message
    assert caught.value.line is not None
    loaded = load_themes([tmp_path])
    assert loaded.loaded == ()
    (told,) = loaded.failed
    assert told.startswith(caught.value.message)
    assert told.endswith(caught.value.remedy), "the app says what to do, too"


def test_a_theme_may_set_style_variables(tmp_path: Path) -> None:
    text = NIGHT.replace("name: night", "name: mine") + "variables:\n  border: teal 50%\n  link-style: bold\n"
    assert read_theme(theme_file(tmp_path, text)).variables == {"border": "teal 50%", "link-style": "bold"}


class Dressed(App[None]):
    """Most of what Textual colours."""

    def compose(self) -> ComposeResult:
        yield from (OptionList("a"), Input(), Button("x", variant="primary"), Tabs("a", "b"), Static("x"))


@pytest.mark.parametrize("value", ["auto 87%", "teal 50%", "not bold dim"])
async def test_what_a_theme_may_say_can_be_worn(value: str) -> None:
    """A theme is taken while jobs run, as soon as its file is saved: one that ends the app then ends them too."""
    said = {name: value for name in known_variables() if _is_value(name, value)}
    assert len(said) > 5
    app = Dressed()
    async with app.run_test() as pilot:
        app.register_theme(Theme("mine", primary="#6cb6ff", variables=said))
        app.theme = "mine"
        await pilot.pause()
        styles_of(app.theme_variables)


def test_the_shipped_themes_load_and_the_terminal_s_uses_its_own_colours() -> None:
    loaded = load_themes([paths.shipped("themes")])
    assert loaded.failed == ()
    assert len(loaded.loaded) == len(list(paths.shipped("themes").glob("*.yaml")))
    assert [theme.name for theme in loaded.loaded if theme.ansi] == ["terminal"]


def test_an_own_theme_goes_before_a_shipped_one(tmp_path: Path) -> None:
    theme_file(tmp_path, NIGHT.replace("#6cb6ff", "#ff0000"), "night")
    loaded = load_themes([paths.shipped("themes"), tmp_path])
    assert next(theme for theme in loaded.loaded if theme.name == "night").primary == "#ff0000"


def test_every_word_a_screen_colours_can_be_read_in_every_shipped_theme() -> None:
    """Tones on each background a list has. The terminal's own colours cannot be measured."""
    for theme in load_themes([paths.shipped("themes")]).loaded:
        if theme.ansi:
            continue
        for ground in ("background", "surface"):
            for word in ("foreground", "primary", "success", "warning", "error", "accent"):
                ratio = contrast(Color.parse(getattr(theme, word)), Color.parse(getattr(theme, ground)))
                assert ratio >= 4.5, f"{theme.name}: {word} on {ground} is {ratio:.2f}"


def test_contrast_is_that_of_wcag() -> None:
    assert contrast(Color.parse("black"), Color.parse("white")) == pytest.approx(21)
    assert contrast(Color.parse("#777777"), Color.parse("white")) == pytest.approx(4.48, abs=0.01)


# Keys


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("job.pauze: x\n", "Did you mean job.pause"),
        ("app.log: hyperspace\n", "no key"),
        ("app.log: q\n", "is the key of app.quit"),
        ("jobs.mark: n\n", "is the key of app.new_job"),
        ("jobs.mark: j\n", "moves in lists"),
        ("app.log: [a]\n", "must be a key"),
    ],
)
def test_a_keymap_with_anything_wrong_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "keymap.yaml"
    file.write_text("# mine\n" + text)
    with pytest.raises(InputError) as caught:
        load_keymap(file)
    assert caught.value.message.startswith(f"{file}:2: ")
    assert reason in str(caught.value)


def test_keys_may_be_written_as_characters_and_swapped(tmp_path: Path) -> None:
    file = tmp_path / "keymap.yaml"
    file.write_text('app.log: "7, ?"\napp.help: f2\njob.pause: r\njob.retry: p\njobs.mark: comma\n')
    assert load_keymap(file).keys == {
        "jobs.mark": "comma",
        "app.log": "7,question_mark",
        "app.help": "f2",
        "job.pause": "r",
        "job.retry": "p",
    }
    assert load_keymap(tmp_path / "none.yaml").keys == {}


def test_no_two_actions_share_a_key_and_every_key_is_one() -> None:
    for one in REGISTRY:
        for key in one.keys.split(","):
            assert key_name(key) == key, one.id
        for other in REGISTRY:
            if one.id < other.id and _meet(one, other):
                assert not set(keys_of(one)) & set(keys_of(other)), (one.id, other.id)


# What is remembered


async def test_what_is_remembered_comes_back(tmp_path: Path) -> None:
    notes: list[tuple[str, str]] = []
    prefs = Prefs(tmp_path / "state" / "app.json", lambda *note: notes.append(note))
    prefs.set_sort("jobs", "-cost")
    prefs.set_columns("items", ("id", "state"))
    prefs.set_pane("panel", 3)
    prefs.used("/data/rows.jsonl")
    prefs.change(theme="day")
    await prefs.save()
    again = Prefs(tmp_path / "state" / "app.json", lambda *note: notes.append(note))
    await again.load()
    assert again.value == prefs.value
    assert again.value.folder == "/data"
    assert notes == []


@pytest.mark.parametrize("text", ["{", "[]", '{"panes": {"a": "wide"}}', "\xff\xfe", "[" * 100_000])
async def test_a_broken_memory_is_one_line_in_the_log(tmp_path: Path, text: str) -> None:
    file = tmp_path / "app.json"
    file.write_bytes(text.encode("latin-1"))
    notes: list[tuple[str, str]] = []
    prefs = Prefs(file, lambda *note: notes.append(note))
    await prefs.load()
    assert prefs.value == Remembered()
    assert [level for level, _ in notes] == ["warning"]
    assert str(file) in notes[0][1]


async def test_a_memory_that_cannot_be_written_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the way")
    notes: list[tuple[str, str]] = []
    prefs = Prefs(tmp_path / "state" / "app.json", lambda *note: notes.append(note))
    prefs.change(theme="day")
    await prefs.save()
    assert len(notes) == 1


@settings(max_examples=40)
@given(
    st.builds(
        Remembered,
        theme=st.text(max_size=5),
        folder=st.text(max_size=5),
        recent=st.lists(st.text(max_size=5), max_size=3).map(tuple),
        sort=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
        columns=st.dictionaries(st.text(max_size=3), st.lists(st.text(max_size=3), max_size=3).map(tuple), max_size=2),
        panes=st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
    )
)
def test_any_memory_survives_its_file(tmp_path_factory: pytest.TempPathFactory, value: Remembered) -> None:
    file = tmp_path_factory.mktemp("state") / "app.json"
    before = os.umask(0)
    try:
        store(file, value)
    finally:
        os.umask(before)
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
    assert load(file) == (value, "")


def test_fields_of_another_version_are_left_out() -> None:
    assert parse('{"theme": "day", "weather": 1}') == Remembered(theme="day")


# Knobs


def test_only_what_was_changed_is_turned() -> None:
    before = texts_of([Knobs(concurrency=8, rpm=100), Knobs(concurrency=8, rpm=200)])
    assert before["rpm"] is None
    typed = {name: text or "" for name, text in before.items()}
    assert read(before, typed).changes == {}
    reading = read(before, {**typed, "concurrency": "AUTO", "budget_nano": "$1,000.5", "tags": "a=b, c=D e"})
    assert reading.changes == {"concurrency": None, "budget_nano": 1_000_500_000_000, "tags": {"a": "b", "c": "D e"}}
    assert reading.problems == {}
    assert (reading.words[0], reading.words[-1]) == ("concurrency=auto", "tags=a=b, c=D e")


@pytest.mark.parametrize(
    ("field", "text"),
    [("concurrency", "0"), ("concurrency", "٣"), ("rpm", "-1"), ("tpm", "1e3"), ("budget_nano", "nan"),
     ("budget_nano", "-1"), ("budget_nano", "9e999999"), ("priority", "high"), ("priority", "--1"), ("tags", "red")],
)  # fmt: skip
def test_a_bad_value_is_told_at_its_field(field: str, text: str) -> None:
    before = texts_of([Knobs()])
    typed = {name: value or "" for name, value in before.items()}
    reading = read(before, {**typed, field: text})
    assert set(reading.problems) == {field}
    assert reading.changes == {}


@settings(max_examples=50)
@given(
    st.builds(
        Knobs,
        concurrency=st.none() | st.integers(1, 100_000),
        rpm=st.none() | st.integers(1, 10**9),
        tpm=st.none() | st.integers(1, 10**9),
        budget_nano=st.none() | st.integers(1, 10**15),
        priority=st.integers(-999_999, 999_999),
    )
)
def test_what_stands_in_a_field_reads_back_as_the_value(knobs: Knobs) -> None:
    texts = texts_of([knobs])
    for field in FIELDS:
        assert field.knob.read(field.tidy(texts[field.name] or "")) == getattr(knobs, field.name)


# Log


def test_lines_are_in_order_of_time_and_bounded() -> None:
    lines = LogLines()
    for number in range(KEPT + 2_000):
        lines.add(float(number), Level.YOU, str(number))
    lines.add_events([Event(7, 3, KEPT + 0.5, "error", "late"), Event(8, None, 0.0, "odd", "old")])
    kept = lines.matching(LogFilter())
    assert len(kept) == KEPT
    assert [line.at for line in kept] == sorted(line.at for line in kept)
    assert [line.text for line in lines.matching(parse_log_filter("job:3 level:warn LATE"))] == ["late"]
    assert lines.last_event == 8


@pytest.mark.parametrize("text", ["level:loud", "level:", "job:x", "job:"])
def test_a_filter_that_means_nothing_is_told(text: str) -> None:
    with pytest.raises(UserError):
        parse_log_filter(text)


# Finding, and names of files


def test_a_place_that_nobody_can_look_into_is_told_or_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    too_long = "/" + "x" * 300 + "/rows.jsonl"
    with pytest.raises(UserError, match="name too long"):
        checked_target(too_long, "rows.jsonl")
    with pytest.raises(UserError, match="name too long"):
        checked_report(too_long.replace("jsonl", "html"))
    kept = tmp_path / "rows.jsonl"
    kept.write_text("{}")
    jobs = [_job_over(path) for path in (too_long, "rows\0.jsonl", str(tmp_path), str(kept))]
    assert [entry.text for entry in recent_files(jobs)] == [str(kept)]

    def gone() -> Path:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "cwd", gone)
    assert first_folder(()) == os.path.join(Path.home(), "")


def _job_over(path: str) -> Job:
    made = JobSpec("rows", InputSource(path, "jsonl"), (), ())
    return Job(1, made, Knobs(), JobState.COMPLETED, None, "", Counters(), None, None, 0.0, None, None)


def test_the_nearest_comes_first() -> None:
    assert found("ex", ["next", "export", "complex"], str, 9) == ["export", "next", "complex"]
    assert found("xprt", ["export", "import"], str, 9) == ["export"]
    assert found("", ["b", "a"], str, 9) == ["b", "a"]
    assert distance("zz", "export") is None


@given(
    st.sampled_from(list(ResultFormat)), st.sampled_from(["a.csv", "a.jsonl.gz", "a.batch.jsonl", "a", "a.b.tsv.gz"])
)
def test_an_ending_says_the_format_it_was_made_from(form: ResultFormat, path: str) -> None:
    assert parse_target(with_ending(path, form)).format is form


def test_the_page_of_keys_lists_every_action() -> None:
    page = (paths.shipped("themes").parent / "docs" / "keymap.md").read_text(encoding="utf-8")
    assert page.endswith(keymap_page() + "\n"), "write it anew: python -m tui_batch.tui.keymap docs/keymap.md"


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("csv", ResultFormat.CSV),
        ("tsv", ResultFormat.TSV),
        ("batch", ResultFormat.BATCH),
        ("txt", ResultFormat.JSONL),
        ("", ResultFormat.JSONL),
    ],
)
def test_who_brought_a_spreadsheet_is_offered_one_back(read: str, written: ResultFormat) -> None:
    source = InputSource("rows", read)
    made = JobSpec("rows", source, (), ())
    job = Job(1, made, Knobs(), JobState.COMPLETED, None, "", Counters(), None, None, 0.0, None, None)
    assert usual_format(job) is written
