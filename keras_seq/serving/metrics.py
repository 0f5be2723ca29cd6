"""What Prometheus may know."""

from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector


class Gauges(NamedTuple):
    """What one signature reports."""

    waiting: Any
    batch: Any


class Metrics:
    """Counts requests, their time, batches, and what waits."""

    def __init__(self):
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

        def make(kind, name, text, labels, **options):
            return kind(f"keras_seq_{name}", text, labels, registry=self._registry, **options)

        of_model, of_signature = ["model"], ["model", "signature"]
        self._requests = make(
            Counter, "requests_total", "Requests that were answered", ["model", "status"]
        )
        self._seconds = make(
            Histogram, "request_seconds", "From the request to the answer", of_model
        )
        self._batch = make(
            Histogram,
            "batch_instances",
            "Instances that ran together",
            of_signature,
            buckets=[2**i for i in range(10)],
        )
        self._waiting = make(
            Gauge, "waiting_requests", "Requests that are not yet answered", of_signature
        )

    def of(self, model, signature):
        """The `Gauges` of a signature."""
        return Gauges(self._waiting.labels(model, signature), self._batch.labels(model, signature))

    def answered(self, model, status, seconds):
        """Notes one answer; `model` is empty if it was about none."""
        self._requests.labels(model, status).inc()
        self._seconds.labels(model).observe(seconds)

    def text(self):
        """What Prometheus reads."""
        return generate_latest(self._registry)
