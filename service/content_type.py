"""What a Content-Type says, read in time that grows with its length.

Not with `email`: its parser takes seconds for a header of 64 KiB of semicolons, and decodes parameters by
whatever codec they name.
"""

import re

_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))')
_ESCAPE = re.compile(r"\\(.)")


def media_type_and_boundary(header: str) -> tuple[str, str]:
    """The type in small letters, without parameters, and the one called boundary; empty if there is none."""
    media_type = header.partition(";")[0].strip().lower()
    at = header.find(";")
    while at >= 0:
        found = _PARAMETER.match(header, at)
        if found and found[1].lower() == "boundary":
            return media_type, found[3].strip() if found[2] is None else _ESCAPE.sub(r"\1", found[2])
        at = header.find(";", found.end() if found else at + 1)
    return media_type, ""
