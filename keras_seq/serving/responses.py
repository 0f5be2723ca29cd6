"""JSON responses and error responses."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from keras_seq._internal.errors import InputError
from keras_seq.serving.bodies import BodyTooLargeError


def json_response(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON response. Non-finite numbers become `NaN`, `Infinity` and `-Infinity`.

    Args:
        content: JSON content.
        status: HTTP status.
        headers: Additional headers.
    """
    return Response(json.dumps(content), status, headers, "application/json")


async def error_response(_: Request, error: Exception) -> Response:
    """Return the response to an error, `{"error": message}`."""
    if isinstance(error, HTTPException):
        return json_response({"error": error.detail}, error.status_code, error.headers)
    if isinstance(error, InputError):
        status = 413 if isinstance(error, BodyTooLargeError) else 400
        return json_response({"error": str(error)}, status)
    if isinstance(error, ClientDisconnect):
        return json_response({"error": "The connection closed before the body was complete."}, 400)
    return json_response({"error": "Internal error; see the server log."}, 500)
