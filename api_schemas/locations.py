"""Places that a request names: local paths, `file://`, and what has a scheme of its own."""

from pathlib import Path
from urllib.parse import unquote, urlsplit


def local_path(uri: str) -> Path | None:
    """The absolute local path that `/a/b`, `file:/a/b` or `file:///a/b` names; None for any other scheme.

    Raises:
        ValueError: a relative path, or a `file://` with a host.
    """
    if uri[:5].lower() == "file:":
        parts = urlsplit(uri)
        if parts.netloc not in ("", "localhost"):
            raise ValueError(f"names the host '{parts.netloc}'; a local path is written file:///path")
        path = Path(unquote(parts.path))
    elif "://" not in uri:
        path = Path(uri)
    else:
        return None
    if "\0" in str(path):
        raise ValueError("contains the character NUL, which no path can")
    if not path.is_absolute():
        raise ValueError("is relative; the service has no working directory of yours: give an absolute path")
    return path
