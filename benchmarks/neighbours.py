"""One model's requests beside another's: `python -m benchmarks.neighbours`.

A client asks a fast model all the time: alone, then while 70 requests of 70 lengths to a slow model
run, then while three clients send 4 MB of numbers each, again and again. Prints its median and 99th
percentile in milliseconds. Both models are made on the spot.
"""

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np

from benchmarks.serving import Server


def save(folder):
    """Write a SavedModel of a fast and a slow signature."""
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
        def fast(self, texts):
            return {"lengths": tf.strings.length(texts)}

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
        def total(self, x):
            return {"total": tf.reduce_sum(x, 1)}

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
        def slow(self, x):
            y = tf.random.stateless_normal([400, 400], [0, 0])
            for _ in tf.range(100):
                y = tf.tanh(y @ y / 20.0)
            return {"y": tf.reduce_sum(x, 1) + tf.reduce_sum(y)}

    model = Model()
    signatures = {name: getattr(model, name) for name in ("fast", "slow", "total")}
    tf.saved_model.save(model, str(folder), signatures)


def latencies(url, seconds=0.0, until=None):
    """Ask the fast model for some time, or until threads end; return milliseconds."""
    body, times, end = {"signature_name": "fast", "instances": ["a"]}, [], time.time() + seconds
    with httpx.Client(timeout=120) as client:
        while time.time() < end or any(thread.is_alive() for thread in until or ()):
            begin = time.perf_counter()
            client.post(f"{url}/v1/models/model:predict", json=body).raise_for_status()
            times.append(1000 * (time.perf_counter() - begin))
            time.sleep(0.005)
    return f"p50 {np.percentile(times, 50):.1f}  p99 {np.percentile(times, 99):.1f}"


def main():
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    numbers = json.dumps(
        {"signature_name": "total", "instances": [[0.123456] * 2000] * 200}
    ).encode()

    def post(url, name, content):
        answer = httpx.post(f"{url}/v1/models/{name}:predict", content=content, timeout=120)
        statuses.append(answer.status_code)

    def send_numbers(url):
        end = time.time() + options.seconds
        while time.time() < end:
            post(url, "slow", numbers)

    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "model")
        # The same folder under two names, `model` and `slow`.
        others = [f"slow={folder}/model", "--request-timeout", "100"]
        with Server(Path(folder) / "model", others) as server:
            latencies(server.url, 2)
            statuses: list = []
            print("alone:", latencies(server.url, options.seconds), flush=True)
            bodies = [
                json.dumps({"signature_name": "slow", "instances": [[0.5] * length]}).encode()
                for length in range(1, 71)
            ]
            for what, threads in {
                "70 lengths of a slow model": [
                    threading.Thread(target=post, args=(server.url, "slow", body))
                    for body in bodies
                ],
                "3 clients with 4 MB of numbers": [
                    threading.Thread(target=send_numbers, args=(server.url,)) for _ in range(3)
                ],
            }.items():
                statuses.clear()
                begin = time.time()
                for thread in threads:
                    thread.start()
                measured = latencies(server.url, until=threads)
                print(
                    f"{what}: {measured}; {len(statuses)} answers in {time.time() - begin:.1f} s,"
                    f" {set(statuses)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
