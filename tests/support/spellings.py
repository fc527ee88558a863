"""The ways in which a server may write a key that it was sent."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Mapping


def spellings(key: str) -> Mapping[str, str]:
    """Each with its name. The key must be ASCII."""
    lines = [key[at : at + 7] for at in range(0, len(key), 7)]
    header = base64.b64encode(b"Bearer " + key.encode()).decode()
    return {
        "as it is": key,
        "JSON with slashes": json.dumps(key)[1:-1].replace("/", "\\/"),
        "JSON by number": "".join(f"\\u{ord(char):04x}" for char in key),
        "JSON by number, capitals": "".join(f"\\u{ord(char):04X}" for char in key),
        "JSON in JSON": "".join(f"\\\\u{ord(char):04x}" for char in key),
        "JSON here and there": "".join(char if at % 3 else f"\\u{ord(char):04x}" for at, char in enumerate(key)),
        "URL": urllib.parse.quote(key, safe=""),
        "URL, every character": "".join(f"%{ord(char):02X}" for char in key),
        "URL in URL": urllib.parse.quote("".join(f"%{ord(char):02x}" for char in key), safe=""),
        "HTML": "".join(f"&#{ord(char)};" for char in key),
        "HTML, hexadecimal": "".join(f"&#x{ord(char):x};" for char in key),
        "base64": base64.b64encode(key.encode()).decode(),
        "base64 of a header": header,
        "base64 one further": base64.b64encode(b"u:" + key.encode() + b"\n").decode(),
        "base64 for URLs": base64.urlsafe_b64encode(key.encode() + b"?").decode(),
        "over lines": "\r\n  ".join(lines),
        "over lines in JSON": "\\r\\n  ".join(lines),
    }
