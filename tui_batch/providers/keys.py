"""From a pointer to a secret to the secret, at the moment it is needed and no earlier."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tui_batch.domain.endpoint import KeyKind, KeySource
from tui_batch.errors import UserError

KEYRING_SERVICE = "llmbatch-tui"


def resolve_key(source: KeySource, environment: Mapping[str, str] | None = None) -> str | None:
    """The secret; None where none is needed. May block (a keyring may ask its owner).

    Raises UserError that names the variable or the keyring entry, never a value.
    """
    match source.kind:
        case KeyKind.NONE:
            return None
        case KeyKind.ENV:
            return _from_environment(source.name, os.environ if environment is None else environment)
        case KeyKind.KEYRING:
            return _from_keyring(source.name)


def is_available(source: KeySource, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a secret can be had, without showing it."""
    try:
        resolve_key(source, environment)
    except UserError:
        return False
    return True


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "").strip()
    if not value:
        setting = f"set {name}=..." if os.name == "nt" else f"export {name}=..."
        raise UserError(f"no key: the environment variable {name} is not set", remedy=f"Set it first: {setting}")
    return _plain(value, name)


def _plain(value: str, name: str) -> str:
    """The key, when it can be sent in a header. Raises UserError, which does not repeat it."""
    if any(ord(char) < 32 or ord(char) > 126 for char in value):
        raise UserError(f"the key in {name} holds characters that no key has", remedy="Copy it again, on one line.")
    return value


def _from_keyring(name: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise UserError(
            f"the key {name} is in the OS keyring, and keyring support is not installed",
            remedy="Install it: pip install 'llmbatch-tui[keyring]'",
        ) from None
    try:
        value = (keyring.get_password(KEYRING_SERVICE, name) or "").strip()
    except KeyringError as error:
        raise UserError(
            f"the OS keyring cannot be used: {type(error).__name__}",
            remedy="Unlock it, or keep the key in an environment variable (key: env:NAME in the settings).",
        ) from None
    if not value:
        raise UserError(
            f"no key: the OS keyring has no entry {name!r} for {KEYRING_SERVICE}",
            remedy=f"Store it: python -m keyring set {KEYRING_SERVICE} {name}",
        )
    return _plain(value, f"the OS keyring, {name},")
