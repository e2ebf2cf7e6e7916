"""The servers that benchmarks/api.py measures: `python -m benchmarks.api_server URL PORT [FILE]`.

The service: its application over the database at URL, and Celery's in-process broker to tell of new jobs, but
no worker, whose trials would be measured too. With FILE the peer instead: routes that do no more than FastAPI
and the database must. `GET /bytes/NAME` sends what FILE, a JSON object, has under that name; `POST /rows`
stores the body in one durable statement and sends it back.
"""

import json
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import text

from service.app import make_api
from service.config import DoorConfig
from store.database import Database
from worker.tasks import make_app, make_notify


def service(database: Database) -> FastAPI:
    """As `vernier serve` makes it."""
    config = DoorConfig(
        max_body_bytes=10 * 2**20,
        allowed_hosts=frozenset({"127.0.0.1"}),
        local_paths=None,
        runs_containers=False,
    )
    return make_api(database, config, make_notify(make_app("memory://localhost", 0.5)))


def peer(database: Database, answers: dict[str, bytes]) -> FastAPI:
    """What FastAPI and the database take by themselves."""
    app = FastAPI()
    with database.write() as session:
        session.execute(text("CREATE TABLE IF NOT EXISTS bare_rows (content TEXT)"))

    @app.get("/bytes/{name}")
    def send(name: str) -> Response:
        return Response(answers[name], media_type="application/json")

    @app.post("/rows")
    async def keep(request: Request) -> Response:
        content = await request.body()
        return await run_in_threadpool(store, content)

    def store(content: bytes) -> Response:
        connection = database.engine.raw_connection()
        try:
            cursor = connection.cursor()
            mark = "?" if database.engine.dialect.name == "sqlite" else "%s"
            cursor.execute(f"INSERT INTO bare_rows VALUES ({mark})", (content.decode(),))
            connection.commit()
        finally:
            connection.close()
        return Response(content, media_type="application/json")

    return app


def main(url: str, port: str, answers: str | None = None) -> None:
    database = Database(url)
    if answers is None:
        app = service(database)
    else:
        held = json.loads(Path(answers).read_text())
        app = peer(database, {name: content.encode() for name, content in held.items()})
    uvicorn.run(app, port=int(port), log_config=None, access_log=False, lifespan="off")


if __name__ == "__main__":
    main(*sys.argv[1:])
