"""Prometheus metrics of a server."""

import time
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SignatureMetrics(NamedTuple):
    """Metrics of one signature."""

    waiting: Gauge
    """Number of waiting requests."""
    batch_size: Histogram
    """Number of instances per batch."""


class Metrics:
    """Counts and latencies of requests, batch sizes, and numbers of waiting requests."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

        def make(
            kind: type, name: str, documentation: str, labels: Sequence[str], **options: Any
        ) -> Any:
            name = f"keras_seq_{name}"
            return kind(name, documentation, labels, registry=self._registry, **options)

        by_model, by_signature = ["model"], ["model", "signature"]
        self._requests = make(Counter, "requests_total", "Answered requests", ["model", "status"])
        self._seconds = make(
            Histogram, "request_seconds", "Seconds from the request to the response", by_model
        )
        self._batch_size = make(
            Histogram,
            "batch_instances",
            "Instances per batch",
            by_signature,
            buckets=[2**i for i in range(10)],
        )
        self._waiting = make(Gauge, "waiting_requests", "Waiting requests", by_signature)

    def for_signature(self, model: str, signature: str) -> SignatureMetrics:
        """Return the metrics of a signature."""
        labels = model, signature
        return SignatureMetrics(self._waiting.labels(*labels), self._batch_size.labels(*labels))

    def count_response(self, model: str, status: int, seconds: float) -> None:
        """Count one response.

        Args:
            model: Name of the model, or "" for other requests.
            status: HTTP status.
            seconds: Time from the request to the response, in seconds.
        """
        self._requests.labels(model, status).inc()
        self._seconds.labels(model).observe(seconds)

    def render(self) -> bytes:
        """Return the metrics in the Prometheus text format."""
        return generate_latest(self._registry)


class MetricsMiddleware:
    """ASGI middleware that counts and times responses.

    Args:
        app: ASGI application.
        metrics: Metrics of the server.
        models: Names of the models.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, models: Container[str]) -> None:
        self.app, self.metrics, self.models = app, metrics, models

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, start = 500, time.perf_counter()

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, send_and_note_status)
        finally:
            name = scope.get("path_params", {}).get("name", "")
            # Unknown names share one label, since clients can invent any number of names.
            label = name if name in self.models else ""
            self.metrics.count_response(label, status, time.perf_counter() - start)
