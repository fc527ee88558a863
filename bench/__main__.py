"""Lists the benches: each is one command and prints its goals beside its figures.

Run: python -m bench
"""

from __future__ import annotations

from ast import get_docstring, parse
from pathlib import Path


def main() -> None:
    """Prints the first line of every bench that is a command, with the command."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        words = (get_docstring(parse(text)) or "").splitlines()
        if path.name != "__main__.py" and "argparse" in text and words:
            print(f"python -m bench.{path.stem:12} {words[0]}")


if __name__ == "__main__":
    main()
