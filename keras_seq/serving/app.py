"""Server for exported models as an ASGI application."""

import asyncio
import contextlib
import functools
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from keras_seq import __version__
from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.serving import bodies, protocol_v1, protocol_v2
from keras_seq.serving.batching import Batcher, ExecutionSlots
from keras_seq.serving.body_reader import BodyReader, content_encoding
from keras_seq.serving.limits import Limits
from keras_seq.serving.metrics import Metrics, MetricsMiddleware
from keras_seq.serving.models import Model, Signature, Version
from keras_seq.serving.responses import error_response, json_response

logger = logging.getLogger("keras_seq.serving")

Handler = Callable[[Request], Any]
"""Function of a request that returns JSON content or a coroutine of a response."""

Result = TypeVar("Result")

ALLOW_POST = {"Allow": "POST"}
"""Header fields of a response that refuses another method."""


def create_app(
    folders: Mapping[str, str | os.PathLike[str]],
    limits: Limits | None = None,
    max_versions: int = 1,
    poll_interval: float = 2.0,
) -> Starlette:
    """Return an ASGI application that serves models.

    Args:
        folders: Folder of each model by name: a SavedModel, or a folder of SavedModels named by
            their version numbers.
        limits: Limits on requests. Default: `Limits()`.
        max_versions: Number of versions served per model, the latest ones.
        poll_interval: Time between scans for new versions, in seconds.
    """
    service = Service(folders, limits or Limits(), max_versions)

    def route(path: str, function: Handler, method: str = "GET") -> Route:
        return Route(path, service.make_handler(function), methods=[method])

    def model_routes(path: str, function: Handler, method: str = "GET") -> Iterator[Route]:
        prefix, suffix = path.split("{name}")
        for model in ("{name}", "{name}/versions/{version}"):
            yield route(prefix + model + suffix, function, method)

    routes = [
        *model_routes("/v1/models/{name}:predict", service.predict, "POST"),
        *model_routes("/v1/models/{name}/metadata", service.metadata_v1),
        *model_routes("/v1/models/{name}", service.status),
        route("/v2", service.server_metadata),
        route("/v2/health/live", service.live),
        route("/v2/health/ready", service.all_ready),
        *model_routes("/v2/models/{name}/infer", service.infer, "POST"),
        *model_routes("/v2/models/{name}/ready", service.model_ready),
        *model_routes("/v2/models/{name}", service.metadata_v2),
        Route("/metrics", service.prometheus),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        polling = asyncio.create_task(service.poll_models(poll_interval))
        yield
        polling.cancel()
        service.workers.close()

    errors = (InputError, HTTPException, ClientDisconnect, Exception)
    handlers: Any = dict.fromkeys(errors, error_response)
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.router.default = service.no_route
    app.add_middleware(MetricsMiddleware, metrics=service.metrics, models=service.models)
    return app


class Service:
    """Models of a server, and handlers of its routes.

    Args:
        folders: Folder of each model by name, see `create_app`.
        limits: Limits on requests.
        max_versions: Number of versions served per model.
    """

    def __init__(
        self,
        folders: Mapping[str, str | os.PathLike[str]],
        limits: Limits,
        max_versions: int,
    ) -> None:
        self.limits, self.metrics = limits, Metrics()
        # Keep one core for the models.
        self.workers = bodies.WorkerPool(max(1, (os.cpu_count() or 1) - 1))
        self.reader = BodyReader(limits)
        slots = {name: ExecutionSlots(limits.max_concurrent_batches) for name in folders}

        def make_batcher(model: str, name: str, signature: Signature) -> Batcher:
            metrics = self.metrics.for_signature(model, name)
            return Batcher(signature, limits, metrics, slots[model])

        self.models = {
            name: Model(name, folder, max_versions, make_batcher)
            for name, folder in folders.items()
        }

    async def poll_models(self, interval: float) -> None:
        """Load new versions until cancelled.

        Args:
            interval: Time between scans, in seconds.
        """
        while True:
            for model in self.models.values():
                try:
                    await asyncio.to_thread(model.refresh)
                except Exception:
                    logger.exception("%s: the folder cannot be scanned", model.name)
            await asyncio.sleep(interval)

    def make_handler(self, function: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return a Starlette handler for a function that may return JSON content."""

        async def handle(request: Request) -> Response:
            content = function(request)
            if asyncio.iscoroutine(content):
                return await content
            return json_response(content)

        return handle

    async def no_route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raise the error for a path without content."""
        del receive, send
        models = ", ".join(sorted(self.models))
        raise HTTPException(
            404,
            f"There is no path {scope['path'][:50]!r}: requests go to /v1/models/NAME:predict or "
            f"/v2/models/NAME/infer. Models: {models}.",
        )

    def get_model(self, request: Request) -> Model:
        """Return the model in the path of a request.

        Args:
            request: Starlette request.

        Raises:
            HTTPException: If the model does not exist, or the path needs another method.
        """
        name = request.path_params["name"]
        if name.endswith(":predict") and request.method == "GET":
            raise HTTPException(
                405, 'Send a POST request with a body such as {"instances": [...]}.', ALLOW_POST
            )
        if name not in self.models:
            raise HTTPException(404, str(unknown_name("model", name[:50], self.models)))
        return self.models[name]

    def get_version(self, request: Request) -> tuple[Model, Version]:
        """Return the model and the version in the path of a request. Default: the latest version.

        Args:
            request: Starlette request.

        Raises:
            HTTPException: If the model or the version does not exist or is not loaded.
        """
        model = self.get_model(request)
        if not model.ready:
            raise HTTPException(503, model.unavailable_reason, {"Retry-After": "5"})
        number = request.path_params.get("version", str(max(model.ready)))
        for version in model.ready.values():
            if str(version.number) == number:
                return model, version
        numbers = ", ".join(map(str, sorted(model.ready)))
        raise HTTPException(
            404, f"{model.name} does not serve version {number[:50]!r}, only: {numbers}."
        )

    async def respond(
        self,
        request: Request,
        parse_request: Callable[..., Any],
        make_formatter: Callable[[Model, Version, str], Callable[..., Any]],
    ) -> Response:
        """Answer an inference request.

        Args:
            request: Starlette request.
            parse_request: `parse_request` of the protocol.
            make_formatter: Function of a model, a version and the name of a signature that returns
                the `format_response` of the protocol, as a function of the outputs and the response
                format.
        """
        self.get_model(request)
        encoding = content_encoding(request)
        async with self.reader.read(request) as raw:
            model, version = self.get_version(request)
            parsed = await self.run(
                bool(encoding) or len(raw) > bodies.MAX_INLINE_BYTES,
                *(bodies.decode_request, parse_request, raw, encoding, version.specs, self.limits),
            )
        outputs = await self.with_timeout(version.batchers[parsed.signature](parsed.arrays))
        formatter = make_formatter(model, version, parsed.signature)
        body = await self.run(
            sum(array.size for array in outputs.values()) > bodies.MAX_INLINE_VALUES,
            *(bodies.encode_response, formatter, outputs, parsed.response_format),
        )
        return Response(body, media_type="application/json")

    async def with_timeout(self, awaitable: Awaitable[Result]) -> Result:
        """Await a result within the request timeout.

        Args:
            awaitable: Awaitable that returns the result.

        Raises:
            HTTPException: If it takes longer.
        """
        try:
            async with asyncio.timeout(self.limits.request_timeout):
                return await awaitable
        except TimeoutError:
            message = f"No answer within {self.limits.request_timeout:g} seconds."
            raise HTTPException(504, message) from None

    async def run(self, is_large: bool, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function of `bodies`.

        Args:
            is_large: If True, use a worker process.
            function: Function that can be pickled.
            *arguments: Its arguments.
        """
        if not is_large:
            return function(*arguments)
        try:
            return await self.with_timeout(self.workers.run(function, *arguments))
        except bodies.WorkerEndedError as error:
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from error

    def predict(self, request: Request) -> Awaitable[Response]:
        """Answer a `:predict` request of TensorFlow Serving."""
        return self.respond(
            request, protocol_v1.parse_request, lambda *_: protocol_v1.format_response
        )

    def infer(self, request: Request) -> Awaitable[Response]:
        """Answer an `infer` request of the Open Inference Protocol."""
        if "inference-header-content-length" in request.headers:
            raise InputError(
                "Binary tensors are not supported: send JSON (in tritonclient, binary_data=False)."
            )

        def make_formatter(model: Model, version: Version, signature: str) -> Callable[..., Any]:
            return functools.partial(
                protocol_v2.format_response,
                specs=version.specs[signature].outputs,
                model=model.name,
                version=version.number,
            )

        return self.respond(request, protocol_v2.parse_request, make_formatter)

    def status(self, request: Request) -> dict[str, Any]:
        """Return the status of a model for TensorFlow Serving."""
        model, number = self.get_model(request), request.path_params.get("version")
        if number is None:
            if model.ready or model.failed:
                return protocol_v1.model_status(model)
        elif number in map(str, (*model.ready, *model.failed)):
            return protocol_v1.model_status(model, int(number))
        if model.ready:
            self.get_version(request)
        raise HTTPException(404 if model.was_scanned else 503, model.unavailable_reason)

    def metadata_v1(self, request: Request) -> dict[str, Any]:
        """Return the metadata of a model for TensorFlow Serving."""
        return protocol_v1.model_metadata(*self.get_version(request))

    def metadata_v2(self, request: Request) -> dict[str, Any]:
        """Return the metadata of a model for the Open Inference Protocol."""
        return protocol_v2.model_metadata(*self.get_version(request))

    def model_ready(self, request: Request) -> dict[str, Any]:
        """Return that a model is ready, or raise `HTTPException`."""
        model, _ = self.get_version(request)
        return {"name": model.name, "ready": True}

    def all_ready(self, _: Request) -> dict[str, Any]:
        """Return that the server is ready, or raise `HTTPException`.

        It is ready when all models have been scanned and at least one version is loaded.
        """
        models = self.models.values()
        if not (all(m.was_scanned for m in models) and any(m.ready for m in models)):
            raise HTTPException(503, " ".join(m.unavailable_reason for m in models if not m.ready))
        return {"live": True, "ready": True}

    def live(self, _: Request) -> dict[str, Any]:
        """Return that the server runs."""
        return {"live": True}

    async def prometheus(self, _: Request) -> Response:
        """Return the metrics for Prometheus."""
        return PlainTextResponse(self.metrics.render())

    def server_metadata(self, _: Request) -> dict[str, Any]:
        """Return the name and version of the server."""
        return {"name": "keras-seq", "version": __version__, "extensions": []}
