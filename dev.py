#!/usr/bin/env python3
"""Sets up the project with nothing but Python 3.11+, and runs it: `python3 dev.py demo`, `test` or `check`.

Everything is installed into .venv beside this file, once, and again only when pyproject.toml has changed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
PIP = BIN / ("pip.exe" if os.name == "nt" else "pip")
DEVELOP = "dev,clients"


def call(*command: str | Path) -> int:
    """Runs a command in the project's folder and returns its exit code."""
    return subprocess.call([str(part) for part in command], cwd=ROOT)


def install(extras: str) -> None:
    """Brings .venv up to what pyproject.toml asks for; a stamp file remembers that it was done."""
    stamp = VENV / f".installed-{extras.replace(',', '-') or 'plain'}"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    if not PYTHON.exists():
        print(f"Making {VENV.name} with Python {sys.version.split()[0]} ...", flush=True)
        venv.create(VENV, with_pip=True)
    elif not PIP.exists() and (code := call(PYTHON, "-m", "ensurepip", "--default-pip")):
        sys.exit(code)  # a first try may have ended before pip was there: Ctrl-C, or Debian without python3-venv
    print("Installing (once; takes a minute) ...", flush=True)
    code = call(PYTHON, "-m", "pip", "install", "--quiet", "--editable", f".[{extras}]" if extras else ".")
    if code:
        sys.exit(code)
    stamp.write_text(wanted, encoding="utf-8")


def demo(arguments: list[str]) -> int:
    """The app on a sample job that the built-in simulator answers; without a terminal the job alone."""
    install("")
    if sys.stdin.isatty() and sys.stdout.isatty():
        return call(PYTHON, "-m", "tui_batch", "demo", *arguments)
    job = Path("sample_jobs") / "support_tickets.yaml"
    return call(PYTHON, "-m", "tui_batch", "run", job, "--simulate", "--no-cache", "--yes", *arguments)


def test(arguments: list[str]) -> int:
    """The whole test suite, with a process more than there are cores, as many tests wait for other processes."""
    install(DEVELOP)
    return call(PYTHON, "-m", "pytest", "-n", str((os.cpu_count() or 1) + 1), *arguments)


def check(arguments: list[str]) -> int:
    """Format, lint, types (also as on Windows: no POSIX call may stand without its twin) and import contracts."""
    install(DEVELOP)
    steps = (
        (PYTHON, "-m", "ruff", "format", "--check", "."),
        (PYTHON, "-m", "ruff", "check", "."),
        (PYTHON, "-m", "mypy"),
        (PYTHON, "-m", "mypy", "--platform", "win32", "--cache-dir", ".mypy_cache/win32", "tui_batch"),
        (BIN / "lint-imports",),
    )
    return max(call(*step) for step in steps)


COMMANDS = {"demo": demo, "test": test, "check": check}


def main() -> int:
    """Runs the command named on the command line."""
    if sys.version_info < (3, 11):
        print(f"llmbatch-tui needs Python 3.11 or newer; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(f"usage: python3 dev.py {'|'.join(COMMANDS)} [arguments]", file=sys.stderr)
        return 2
    return COMMANDS[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
