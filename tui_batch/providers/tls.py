"""Which certificate authorities to trust beyond the platform's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tui_batch.errors import UserError
from tui_batch.paths import expanded

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def ca_path(ca_file: str | None, env: Mapping[str, str]) -> str | None:
    """The file of extra authorities: the setting, else SSL_CERT_FILE, else REQUESTS_CA_BUNDLE."""
    return ca_file or env.get("SSL_CERT_FILE") or env.get("REQUESTS_CA_BUNDLE") or None


def read_certificates(path: str) -> tuple[bytes, ...]:
    """The file's certificates, each as PEM. Raises UserError when there are none."""
    try:
        data = expanded(path).read_bytes()
    except OSError as error:
        raise _unusable(path, error.strerror or "cannot be read") from error
    found = tuple(_CERTIFICATE.findall(data))
    if not found:
        raise _unusable(path, "holds no PEM certificate")
    return found


def _unusable(path: str, reason: str) -> UserError:
    return UserError(
        f"{path}: {reason}",
        remedy="Point ca_file in the settings, SSL_CERT_FILE or REQUESTS_CA_BUNDLE at a PEM file of certificates.",
    )
