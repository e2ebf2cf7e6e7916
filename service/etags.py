"""Etags: eight bytes, base64, derived from what changes with each change (docs/contract.md 1.4)."""

import base64
import hashlib


def etag_of(version: str) -> str:
    """The etag of what this text tells apart from all else and from its own earlier states."""
    return base64.b64encode(hashlib.sha256(version.encode()).digest()[:8]).decode()


def is_etag(given: bytes, etag: str) -> bool:
    """Whether a client's etag, decoded, is this one."""
    return given == base64.b64decode(etag)
