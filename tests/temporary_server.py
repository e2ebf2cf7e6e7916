"""A server that a test starts in a folder of its own, and of which nothing is left afterwards."""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self


class TemporaryServer:
    """Starts when entered, and answers then."""

    prefix: ClassVar[str]
    """How the name of its folder begins."""
    _home: Path

    def __enter__(self) -> Self:
        self._home = Path(tempfile.mkdtemp(prefix=self.prefix))
        try:
            self._begin()
        except BaseException:
            shutil.rmtree(self._home, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self._home, ignore_errors=True)

    def _begin(self) -> None:
        """Start for the first time, in a folder that is empty."""
        self.start()

    def start(self) -> None:
        """Start again where it was stopped."""
        raise NotImplementedError

    def stop(self) -> None:
        """Go away."""
        raise NotImplementedError
