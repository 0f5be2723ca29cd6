"""The server as an ASGI application: what is asked at which address, and errors as sentences."""

import asyncio
import contextlib
import functools
import json
import logging
import os
import time

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from keras_seq import __version__
from keras_seq._internal.errors import InputError, unknown_name
from keras_seq.serving import bodies, protocol_v1, protocol_v2
from keras_seq.serving.batching import Batcher, Turns
from keras_seq.serving.limits import Limits
from keras_seq.serving.metrics import Metrics
from keras_seq.serving.models import Model
from keras_seq.serving.reading import Reader, encoding_of

logger = logging.getLogger("keras_seq.serving")


def application(folders, limits=None, max_versions=1, poll_interval=2.0):
    """The server for any ASGI runner.

    Args:
        folders: Name of a model to its folder: a SavedModel, or one of them a version, in folders
            whose names are numbers.
        limits: `Limits`.
        max_versions: How many versions of a model answer, the latest ones.
        poll_interval: Seconds between two looks for new versions.
    """
    service = Service(folders, limits or Limits(), max_versions)

    def answer(path, function, method="GET"):
        return Route(path, service.handler(function), methods=[method])

    def both(path, function, method="GET"):
        before, after = path.split("{name}")
        for middle in ("{name}", "{name}/versions/{version}"):
            yield answer(before + middle + after, function, method)

    routes = [
        *both("/v1/models/{name}:predict", service.predict, "POST"),
        *both("/v1/models/{name}/metadata", service.metadata_v1),
        *both("/v1/models/{name}", service.status),
        answer("/v2", service.server),
        answer("/v2/health/live", service.live),
        answer("/v2/health/ready", service.all_ready),
        *both("/v2/models/{name}/infer", service.infer, "POST"),
        *both("/v2/models/{name}/ready", service.model_ready),
        *both("/v2/models/{name}", service.metadata_v2),
        Route("/metrics", service.prometheus),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_):
        watching = asyncio.create_task(service.watch(poll_interval))
        yield
        watching.cancel()
        service.workers.close()

    handlers = dict.fromkeys((InputError, HTTPException, ClientDisconnect, Exception), refused)
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.add_middleware(Observed, service=service)
    return app


class Observed:
    """Counts and times what is answered."""

    def __init__(self, app, service):
        self.app, self.service = app, service

    async def __call__(self, scope, receive, send):
        """Handles one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, begin = 500, time.perf_counter()

        async def sending(message):
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            name = scope.get("path_params", {}).get("name", "")
            # Names that clients make up are no labels: there would be no end of them.
            known = name if name in self.service.models else ""
            self.service.metrics.answered(known, status, time.perf_counter() - begin)


class Service:
    """What the addresses share, and what stands behind each.

    Args:
        folders, limits, max_versions: As in `application`.
    """

    def __init__(self, folders, limits, max_versions):
        self.limits, self.metrics = limits, Metrics()
        # One core is left to the models.
        self.workers = bodies.Workers(max(1, (os.cpu_count() or 1) - 1))
        self.reader = Reader(limits)
        turns = {name: Turns(limits.max_concurrent_runs) for name in folders}

        def answering(model, name, signature):
            return Batcher(signature, limits, self.metrics.of(model, name), turns[model])

        self.models = {
            n: Model(n, folder, max_versions, answering) for n, folder in folders.items()
        }

    async def watch(self, poll_interval):
        """Loads what is new, as long as the server lives."""
        while True:
            for model in self.models.values():
                try:
                    await asyncio.to_thread(model.refresh)
                except Exception:
                    logger.exception("%s: its folder cannot be looked at", model.name)
            await asyncio.sleep(poll_interval)

    def handler(self, function):
        """A handler of Starlette for a method that returns what JSON can hold."""

        async def handle(request):
            content = function(request)
            if asyncio.iscoroutine(content):
                return await content
            return as_json(content)

        return handle

    def model(self, request):
        """The model that the address names."""
        name = request.path_params["name"]
        if name not in self.models:
            raise HTTPException(404, str(unknown_name("model", name[:50], self.models)))
        return self.models[name]

    def version(self, request):
        """The model that the address names, and its version, the latest if it names none."""
        model = self.model(request)
        if not model.ready:
            raise HTTPException(503, model.problem, {"Retry-After": "5"})
        number = request.path_params.get("version", str(max(model.ready)))
        for version in model.ready.values():
            if str(version.number) == number:
                return model, version
        numbers = ", ".join(map(str, sorted(model.ready)))
        raise HTTPException(
            404, f"{model.name} has no version {number[:50]!r} to answer; there are: {numbers}."
        )

    async def answer(self, request, read, write):
        """Answer a request by a protocol.

        Args:
            request: Starlette's.
            read: `read` of the protocol.
            write: Function that makes, of a model, a version and the name of a signature, the
                `write` of the protocol, which takes the outputs and the form of the request.
        """
        self.model(request)
        encoding = encoding_of(request)
        async with self.reader.body(request) as raw:
            model, version = self.version(request)
            call = await self.run(
                bool(encoding) or len(raw) > bodies.INLINE_BYTES,
                *(bodies.decode, read, raw, encoding, version.interfaces, self.limits),
            )
        outputs = await self.in_time(version.signatures[call.signature](call.arrays))
        body = await self.run(
            sum(array.size for array in outputs.values()) > bodies.INLINE_VALUES,
            *(bodies.encode, write(model, version, call.signature), outputs, call.form),
        )
        return Response(body, media_type="application/json")

    async def in_time(self, awaitable):
        """Await a part of an answer within the time limit."""
        try:
            async with asyncio.timeout(self.limits.request_timeout):
                return await awaitable
        except TimeoutError:
            message = f"There was no answer within {self.limits.request_timeout:g} seconds."
            raise HTTPException(504, message) from None

    async def run(self, is_large, function, *arguments):
        """Run a function of `bodies`, in another process if there is much to do."""
        if not is_large:
            return function(*arguments)
        try:
            return await self.in_time(self.workers.run(function, *arguments))
        except bodies.WorkerEnded as error:
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from error

    def predict(self, request):
        """TensorFlow Serving's `:predict`."""
        return self.answer(request, protocol_v1.read, lambda *_: protocol_v1.write)

    def infer(self, request):
        """The Open Inference Protocol's `infer`."""
        if "inference-header-content-length" in request.headers:
            raise InputError(
                "The body holds tensors as bytes, an extension that this server does not have: "
                "send them as JSON (in tritonclient, binary_data=False)."
            )

        def write(model, version, signature):
            specs = version.interfaces[signature].outputs
            return functools.partial(
                protocol_v2.write, specs=specs, model=model.name, version=version.number
            )

        return self.answer(request, protocol_v2.read, write)

    def status(self, request):
        """TensorFlow Serving's status of a model."""
        model, number = self.model(request), request.path_params.get("version")
        if number is None and (model.ready or model.failed):
            return protocol_v1.status(model)
        if number in map(str, (*model.ready, *model.failed)):
            return protocol_v1.status(model, int(number))
        if model.ready:
            self.version(request)
        raise HTTPException(404 if model.looked else 503, model.problem)

    def metadata_v1(self, request):
        """TensorFlow Serving's description of a model."""
        return protocol_v1.metadata(*self.version(request))

    def metadata_v2(self, request):
        """The Open Inference Protocol's description of a model."""
        return protocol_v2.metadata(*self.version(request))

    def model_ready(self, request):
        """Whether a model answers."""
        model, _ = self.version(request)
        return {"name": model.name, "ready": True}

    def all_ready(self, _):
        """Whether every model has been loaded, or has failed and left others that answer."""
        models = self.models.values()
        if not (all(m.looked for m in models) and any(m.ready for m in models)):
            raise HTTPException(503, " ".join(m.problem for m in models if not m.ready))
        return {"live": True, "ready": True}

    def live(self, _):
        """That the server answers at all."""
        return {"live": True}

    async def prometheus(self, _):
        """What Prometheus reads."""
        return PlainTextResponse(self.metrics.text())

    def server(self, _):
        """What server this is."""
        return {"name": "keras-seq", "version": __version__, "extensions": []}


def as_json(content, status=200, headers=None):
    """A response; numbers that are not finite are `NaN`, `Infinity` and `-Infinity`."""
    return Response(json.dumps(content), status, headers, "application/json")


async def refused(_, error):
    """The response to a request that failed: one sentence."""
    if isinstance(error, HTTPException):
        return as_json({"error": error.detail}, error.status_code, error.headers)
    if isinstance(error, InputError):
        status = 413 if isinstance(error, bodies.TooLarge) else 400
        return as_json({"error": str(error)}, status)
    if isinstance(error, ClientDisconnect):
        return as_json({"error": "The connection ended before the body did."}, 400)
    return as_json({"error": "The server failed; its log says where."}, 500)
