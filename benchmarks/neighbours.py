"""Latency of one model under load on another (noisy neighbours): `python -m benchmarks.neighbours`.

A client sends requests to a fast model: alone, then during 70 requests of 70 lengths to a slow
model, then while three clients repeatedly send 4 MB of numbers. Prints the median and the 99th
percentile in milliseconds. Both models are artificial.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np

from benchmarks.serving import Server


def save(folder: Path) -> None:
    """Write a SavedModel with a fast and a slow signature."""
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
        def fast(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"lengths": tf.strings.length(texts)}

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
        def total(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"total": tf.reduce_sum(x, 1)}

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
        def slow(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            y = tf.random.stateless_normal([400, 400], [0, 0])
            for _ in tf.range(100):
                y = tf.tanh(y @ y / 20.0)
            return {"y": tf.reduce_sum(x, 1) + tf.reduce_sum(y)}

    model = Model()
    signatures = {name: getattr(model, name) for name in ("fast", "slow", "total")}
    tf.saved_model.save(model, str(folder), signatures)


def latencies(url: str, seconds: float = 0.0, until: Sequence[threading.Thread] = ()) -> str:
    """Send requests to the fast model for some time, or until threads end; return percentiles."""
    body, times, end = {"signature_name": "fast", "instances": ["a"]}, [], time.time() + seconds
    with httpx.Client(timeout=120) as client:
        while time.time() < end or any(thread.is_alive() for thread in until):
            start = time.perf_counter()
            client.post(f"{url}/v1/models/model:predict", json=body).raise_for_status()
            times.append(1000 * (time.perf_counter() - start))
            time.sleep(0.005)
    return f"p50 {np.percentile(times, 50):.1f}  p99 {np.percentile(times, 99):.1f}"


def main() -> None:
    """Measure and print the latencies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    numbers = json.dumps(
        {"signature_name": "total", "instances": [[0.123456] * 2000] * 200}
    ).encode()

    def post(url: str, name: str, content: bytes) -> None:
        response = httpx.post(f"{url}/v1/models/{name}:predict", content=content, timeout=120)
        statuses.append(response.status_code)

    def send_numbers(url: str) -> None:
        end = time.time() + options.seconds
        while time.time() < end:
            post(url, "slow", numbers)

    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "model")
        # The same folder under two names, `model` and `slow`.
        others = [f"slow={folder}/model", "--request-timeout", "100"]
        with Server(Path(folder) / "model", others) as server:
            latencies(server.url, 2)
            statuses: list[int] = []
            print("alone:", latencies(server.url, options.seconds), flush=True)
            bodies = [
                json.dumps({"signature_name": "slow", "instances": [[0.5] * length]}).encode()
                for length in range(1, 71)
            ]
            for load, threads in {
                "70 lengths of a slow model": [
                    threading.Thread(target=post, args=(server.url, "slow", body))
                    for body in bodies
                ],
                "3 clients with 4 MB of numbers": [
                    threading.Thread(target=send_numbers, args=(server.url,)) for _ in range(3)
                ],
            }.items():
                statuses.clear()
                start = time.time()
                for thread in threads:
                    thread.start()
                result = latencies(server.url, until=threads)
                print(
                    f"{load}: {result}; {len(statuses)} responses in {time.time() - start:.1f} s,"
                    f" {set(statuses)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
