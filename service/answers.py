"""JSON the way the old service sent it."""

from starlette.responses import JSONResponse


class JsonAnswer(JSONResponse):
    media_type = "application/json; charset=UTF-8"
