"""Everything a person can do in the app, once: keys, hints, help, palette and keymap all come from here.

An action `items.mark` is done by the method `action_items_mark` of the place, screen or app that it belongs to. To add
one: an entry here and that method.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType

HINTS = 8
"""Key hints at most in the bottom line."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can do."""

    id: str
    """`context.name`: app, job (verbs, everywhere), a place, item, new_job or compare."""
    keys: str
    """As Textual names them, separated by commas; a person's keymap may change them."""
    label: str
    """One or two words, for hints."""
    help: str
    """A sentence."""
    rank: int = 0
    """Among the hints of its context: 1 is the first; 0 is none of them."""
    command: str = ""
    """Words of the same on the command line; empty: it is about the screen only."""

    @property
    def context(self) -> str:
        """Where it can be done."""
        return self.id.partition(".")[0]

    @property
    def method(self) -> str:
        """As Textual calls it. The verbs over jobs, and the places, share a method each."""
        context, _, name = self.id.partition(".")
        if context == "job":
            return f"job('{name}')"
        return f"place('{name}')" if self in PLACES else f"{context}_{name}"


PLACES = (
    Action("app.jobs", "1", "jobs", "Show the jobs."),
    Action("app.items", "2", "items", "Show the items of the selected job.", command="items JOB"),
    Action("app.errors", "3", "errors", "Show errors and dead letters of the selected job.", command="errors JOB"),
    Action("app.endpoints", "4", "endpoints", "Show endpoints, their limits and health.", command="endpoints"),
    Action("app.gpu", "5", "GPU", "Show the graphics cards.", command="doctor"),
    Action("app.log", "6", "log", "Show what happened, and what you did as commands."),
)
"""The six places."""

APP = (
    Action("app.new_job", "n", "new job", "Make a job from a file.", 3, command="run INPUT"),
    Action("app.pause_all", "P", "pause all", "Pause all running jobs, or resume those so paused."),
    Action("app.help", "question_mark,f1", "help", "All keys, searchable.", 90),
    Action("app.palette", "ctrl+p,colon", "palette", "Find any action, job or theme by name.", 91),
    Action("app.theme", "T", "theme", "Choose colours."),
    Action("app.stop_work", "X", "stop work", "Stop what is being written, copied or deleted."),
    Action("app.suspend", "ctrl+z", "suspend", "Back to the shell; fg there comes back. Not while jobs run here."),
    Action("app.quit", "q,ctrl+q,ctrl+c", "quit", "Leave; asks what to do with running jobs.", 92),
)

JOB = (
    Action("job.pause", "p", "pause/resume", "Pause the job, or let it go on.", 4, command="pause JOB"),
    Action("job.more", "plus,equals_sign", "more at once", "One step more in flight.", command="set JOB concurrency=N"),
    Action("job.less", "minus", "fewer", "One step fewer in flight.", command="set JOB concurrency=N"),
    Action("job.knobs", "s", "settings", "Change concurrency, limits, budget, priority.", 6, command="set JOB rpm=N"),
    Action("job.retry", "r", "retry dead", "Try the dead items again.", 7, command="retry JOB --dead"),
    Action("job.export", "x", "export", "Write results to a file.", 5, command="export JOB -o FILE"),
    Action("job.report", "R", "report", "Write a report.", command="report JOB -o FILE"),
    Action("job.clone", "c", "clone", "A new job with the same rows.", command="clone JOB"),
    Action("job.edit", "E", "new from this", "A new job that begins with this one's settings."),
    Action(
        "job.compare", "V", "compare", "Hold models, or two marked jobs, against each other.", command="compare JOB JOB"
    ),
    Action("job.chain", "N", "next step", "A new job over this one's answers.", command="run --from-job JOB"),
    Action(
        "job.worst", "W", "worst rows", "List the rows behind an alert that answers got worse.", command="items JOB"
    ),
    Action("job.cancel", "C", "cancel", "End the job; answers on their way are kept.", command="cancel JOB"),
    Action("job.delete", "D,delete", "delete", "Remove the job and all it holds.", command="delete JOB"),
)
"""Verbs over the marked jobs in the list, and everywhere else over the selected one."""

JOBS = (
    Action("jobs.open", "enter", "open", "Show the job's items.", 1, command="items JOB"),
    Action("jobs.mark", "space", "mark", "Mark the job, so that actions mean it."),
    Action("jobs.filter", "slash", "filter", "Show only some jobs.", 8),
    Action("jobs.sort", "o", "order", "Choose what the list is ordered by."),
    Action("jobs.demo", "d", "demo", "Open the demo on the simulator; your jobs stay as they are.", command="demo"),
    Action("jobs.copy", "y", "copy", "Copy the job's number, name or command."),
    Action("jobs.span", "z", "time shown", "Charts show ten minutes, an hour, or twelve."),
    Action("jobs.larger", "greater_than_sign", "taller panel", "Give the live panel more room."),
    Action("jobs.smaller", "less_than_sign", "smaller panel", "Give the list more room."),
)

NEW_JOB = (
    Action("new_job.try", "f5,ctrl+enter", "try ten", "Ask about ten rows first.", 1, "run INPUT --sample 10"),
    Action("new_job.run", "f6", "run all", "Make the job and start it.", 2, "run INPUT"),
    Action("new_job.save", "f2", "save", "Save it as a job file.", 5),
    Action("new_job.load", "f3", "load", "Load a job file.", 6),
    Action("new_job.column", "f4", "column", "Insert a column into the prompt.", 4),
    Action("new_job.back", "f7", "back", "The section before."),
    Action("new_job.next", "f8", "next", "The next section.", 3),
    Action("new_job.row_back", "f9", "row before", "Fill the row before into the prompt."),
    Action("new_job.row_next", "f10", "next row", "Fill the next row into the prompt."),
    Action("new_job.stop", "escape", "stop", "Stop what is read in, made or tried.", 1),
    Action("new_job.leave", "escape", "leave", "Back to the jobs; asks when something was typed.", 7),
    Action("new_job.help", "f1", "help", "Show these keys.", 8),
)

TURNS = (frozenset({"new_job.stop", "new_job.leave"}),)
"""Actions that are never possible at the same moment, and so may have the same key."""

LOG = (
    Action("log.filter", "slash", "filter", "Show only some lines: words, level:warning, level:you, job:3.", 1),
    Action("log.open", "enter", "whole line", "Show the line whole.", 2),
    Action("log.follow", "f", "follow", "Go to the newest line and stay there.", 3),
    Action("log.mark", "space", "mark", "Mark the line, to copy it with others."),
    Action("log.copy", "y", "copy", "Copy the line, or the marked ones.", 4),
)

ITEMS = (
    Action("items.open", "enter", "open", "Show prompt, answer, attempts and raw response.", 1, command="item ITEM"),
    Action("items.filter", "slash", "filter", "Show only some: state:dead words; ↑ recalls.", 2, command="items JOB"),
    Action("items.mark", "space", "mark", "Mark the item, so that actions mean it.", 3),
    Action("items.range", "v", "mark a range", "Mark all that the cursor passes, until v again."),
    Action("items.mark_all", "a", "mark all", "Mark all that are listed."),
    Action("items.unmark", "u", "unmark all", "Take all marks away."),
    Action("items.sort", "o", "order", "Choose what the list is ordered by.", 8),
    Action("items.columns", "w", "columns", "Show or hide a column."),
    Action("items.retry", "r", "retry", "Try the marked dead items again.", 4, command="retry JOB --item ID"),
    Action("items.edit", "E", "edit row", "Edit the item's row and try it again.", command="edit ITEM --row FILE"),
    Action("items.discard", "d", "discard", "Give up the marked dead items.", command="discard JOB --item ID"),
    Action("items.copy", "y", "copy", "Copy id, prompt, answer, error, row, curl or command.", 7),
    Action("items.editor", "e", "editor", "Open the answer in $EDITOR."),
)

ITEM = (
    Action("item.next", "n,J", "next", "The next item of the list.", 1),
    Action("item.previous", "p,K", "previous", "The item before.", 2),
    Action("item.tab_next", "right_square_bracket,right,tab", "next part", "Show the next part.", 3),
    Action("item.tab_previous", "left_square_bracket,left,shift+tab", "part before", "Show the part before."),
    Action("item.search", "slash", "search", "Look for words in what is shown.", 5),
    Action("item.search_next", "ctrl+n,f3", "next hit", "Go to the next place where the words stand."),
    Action("item.retry", "r", "retry", "Try the dead item again.", 6, command="retry JOB --item ID"),
    Action("item.edit", "E", "edit row", "Edit the row and try the item again.", command="edit ITEM --row FILE"),
    Action("item.discard", "d", "discard", "Give the dead item up.", command="discard JOB --item ID"),
    Action("item.copy", "y", "copy", "Copy id, prompt, answer, error, row, curl or command.", 7),
    Action("item.editor", "e", "editor", "Open what is shown in $EDITOR.", 8),
    Action("item.close", "escape,q", "back", "Back to the list.", 4),
)

ERRORS = (
    Action(
        "errors.open", "enter", "show items", "List the items that failed so.", 1, command="items JOB --class CLASS"
    ),
    Action("errors.mark", "space", "mark", "Mark the group, so that actions mean it.", 2),
    Action(
        "errors.retry", "r", "retry", "Try the marked groups, or this one, again.", 3, command="retry JOB --class CLASS"
    ),
    Action("errors.retry_all", "A", "retry all", "Try all dead items again.", 4, command="retry JOB --dead"),
    Action(
        "errors.edit", "E", "edit row", "Edit the example's row and try it again.", 5, command="edit ITEM --row FILE"
    ),
    Action("errors.discard", "d", "discard", "Give the marked groups up.", 6, command="discard JOB --class CLASS"),
    Action("errors.filter", "slash", "filter", "Show only some groups."),
    Action("errors.sort", "o", "order", "Choose what the list is ordered by."),
    Action("errors.example", "e", "example", "Open the first item that failed so.", 7),
    Action("errors.copy", "y", "copy", "Copy the message, the class or the command."),
)

ENDPOINTS = (
    Action("endpoints.test", "t,enter", "test", "Ask the endpoint for its models.", 1, "models --endpoint NAME"),
    Action("endpoints.switch", "o", "on/off", "Send nothing there until the app closes, or send again.", 2),
    Action("endpoints.limits", "l", "limits", "Change RPM, TPM and requests in flight until the app closes.", 3),
    Action("endpoints.all", "a", "all known", "Show known providers without a key too, or hide them.", 4),
    Action("endpoints.look", "u", "look again", "Look for keys and local servers again.", 5, "endpoints"),
)

COMPARE = (
    Action("compare.close", "escape,q", "back", "Back to where it was called from.", 1),
    Action("compare.export", "x", "export", "Write all answers side by side to a file.", 2, "compare JOB JOB -o FILE"),
)

GPU = (Action("gpu.look", "u", "look again", "Look for graphics cards now.", 1, "doctor"),)

REGISTRY: tuple[Action, ...] = (
    *PLACES,
    *APP,
    *JOB,
    *JOBS,
    *ITEMS,
    *ITEM,
    *ERRORS,
    *NEW_JOB,
    *LOG,
    *ENDPOINTS,
    *GPU,
    *COMPARE,
)
"""All of them. Another context adds its own tuple here."""


def actions_of(context: str) -> tuple[Action, ...]:
    """The actions of a place, a screen or the app."""
    return tuple(action for action in REGISTRY if action.context == context)


def by_id(action_id: str) -> Action | None:
    """The action of that id."""
    return next((action for action in REGISTRY if action.id == action_id), None)


def bindings(context: str) -> list[BindingType]:
    """For a widget's BINDINGS."""
    return [
        Binding(action.keys, action.method, action.label, id=action.id, show=action.rank > 0)
        for action in actions_of(context)
    ]
