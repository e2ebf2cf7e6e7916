"""The whole service in one process: all its parts, over a data folder of its own.

They still meet in the database alone.
"""

from cli.parts import Clock, Hands, check_object_store, claim_folder, make_door, open_database, upgrade
from settings import Settings
from worker.tasks import make_app, make_notify


class Embedded:
    """Everything of the service but its HTTP socket: database, launcher, worker and beat, in threads.

    Args:
        name: of the worker, its own while it lives.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        check_object_store(settings)
        self.database = open_database(settings)
        upgrade(self.database)
        claim_folder(settings, self.database)
        app = make_app(settings.broker_url, settings.sweep_seconds)
        self._hands = Hands(settings, self.database, app, name)
        self._clock = Clock(app)
        self.api = make_door(settings, self.database, make_notify(app))

    def start(self) -> None:
        """Begin to look after jobs, those of earlier runs first."""
        self._hands.start()
        self._clock.start()

    def stop(self) -> None:
        """Stop looking after jobs. Trials go on, and are found again by the next service on this folder."""
        self._clock.stop()
        self._hands.stop()
        self.database.close()
