"""Google's client for Python, unmodified, as its users build it."""

from typing import Any

from google.auth.credentials import AnonymousCredentials
from googleapiclient import discovery  # type: ignore[import-untyped]


def build_ml(address: str) -> Any:
    """The client that the static discovery document makes, told only where to ask; close it."""
    return discovery.build(
        "ml",
        "v1",
        client_options={"api_endpoint": address},
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        cache_discovery=False,
    )
