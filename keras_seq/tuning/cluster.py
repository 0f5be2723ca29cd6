"""Processes of a search: a single one, or workers that a chief serves over gRPC."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any, Protocol

import grpc
import psutil
import tensorflow as tf
from keras_tuner.engine.trial import Trial

from keras_seq._internal import machine
from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_tuner_compat import OracleClient, answer_workers
from keras_seq.train.distribution import KERASTUNER_VARIABLES
from keras_seq.tuning.search import Search

LOCAL_WORKER = "KERAS_SEQ_LOCAL_WORKER"
"""Environment variable of workers that a chief starts on its own machine. They end with it."""
HEARTBEAT_SECONDS = 10
"""Seconds between two messages of a worker that is training."""
MAX_RSS_GROWTH = 4 * 2**30
"""Growth of the memory of a process, in bytes, after which it is replaced. XLA never frees its
compiled programs, up to half a gigabyte per trial with new layer sizes."""
TRIAL_ERRORS = (ArithmeticError, MemoryError, ValueError, tf.errors.OpError)
"""Errors of invalid combinations of values, or of models too large for the machine. Only the trial
fails. Any other error ends the search, which can be resumed after it is fixed."""


class TrialTrainer(Protocol):
    """Object that trains trials."""

    def train(self, trial: Trial, oracle: Any) -> None:
        """Train a trial and report its progress to the oracle."""

    def clean(self, trial: Trial) -> None:
        """Remove files of a trial that has ended."""


class WorkerProcess(Protocol):
    """Process of a worker, such as a `subprocess.Popen`."""

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""

    def terminate(self) -> None:
        """Ask the process to end."""

    def wait(self) -> Any:
        """Wait until the process has ended."""


def run_trials(
    oracle: Any,
    name: str,
    trainer: TrialTrainer,
    restart: Callable[[], None] | None = None,
) -> None:
    """Run trials until the search has ended.

    Args:
        oracle: `Search` or a client of it.
        name: Name of this worker.
        trainer: Object that trains the trials.
        restart: Function that replaces this process. It is called once memory has grown by
            `MAX_RSS_GROWTH`. Default: the process is never replaced.
    """
    initial_memory = _memory()
    while (trial := oracle.create_trial(name)).status != "STOPPED":
        if trial.status == "IDLE":
            time.sleep(1)
            continue
        with _heartbeat(oracle, trial):
            try:
                trainer.train(trial, oracle)
                trial.status = "COMPLETED"
            except TRIAL_ERRORS as error:
                trial.status, trial.message = "FAILED", " ".join(str(error).split())[:500]
                if isinstance(oracle, OracleClient):  # the chief does not get the message
                    print(f"trial {trial.trial_id}: {trial.message}", file=sys.stderr)
        oracle.end_trial(trial)
        trainer.clean(trial)
        if restart is not None and _memory() - initial_memory > MAX_RSS_GROWTH:
            restart()


def _memory() -> int:
    """Return the resident memory of this process in bytes."""
    return psutil.Process().memory_info().rss


def serve_workers(
    oracle: Search,
    address: str,
    start: Callable[[int, int], WorkerProcess] | None = None,
    num_workers: int = 0,
) -> None:
    """Serve the workers of a search until all trials have ended and all workers know it.

    Args:
        oracle: Search.
        address: Host and port to listen on. Port 0 selects a free one.
        start: Function from the index of a worker and the port to a new worker process.
        num_workers: Number of workers to start.

    Raises:
        InputError: If the address cannot be used, or all started workers have ended too early.
    """
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    answer_workers(oracle, server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        raise InputError(
            f"The chief cannot listen at {address}. KERASTUNER_ORACLE_IP must be an address of "
            "its machine, KERASTUNER_ORACLE_PORT a free port."
        ) from None
    server.start()
    processes: dict[str, WorkerProcess] = {}
    if start is not None:
        processes = {f"worker{index}": start(index, port) for index in range(num_workers)}
    try:
        while not oracle.ended or oracle.ongoing_trials or oracle.tuner_ids:
            time.sleep(0.2)
            oracle.release_timed_out()
            dead = [name for name, process in processes.items() if process.poll() is not None]
            for name in dead:
                oracle.release(name)
            if processes and len(dead) == num_workers and not oracle.ended:
                raise InputError("All workers have ended. Re-run the same command to resume.")
    finally:
        server.stop(grace=2).wait()
        for process in processes.values():
            process.terminate()
            process.wait()


def run_worker(oracle: Search, trainer: TrialTrainer, restart: Callable[[], None] | None) -> None:
    """Run the trials that the chief assigns to this worker.

    Args:
        oracle: Search without a file, for the client of the chief.
        trainer: Object that trains the trials.
        restart: As for `run_trials`.

    Raises:
        InputError: If the chief does not respond.
    """
    if LOCAL_WORKER in os.environ:
        # The chief never writes to this pipe. It is closed when the chief ends.
        def end_with_chief() -> None:
            sys.stdin.read()
            os._exit(1)

        threading.Thread(target=end_with_chief, daemon=True).start()
    try:
        run_trials(OracleClient(oracle), os.environ[KERASTUNER_VARIABLES[0]], trainer, restart)
    except grpc.RpcError as error:
        chief = ":".join(os.environ[name] for name in KERASTUNER_VARIABLES[1:])
        raise InputError(f"The chief at {chief} does not respond: {error.details()}") from None


def start_worker(
    arguments: Sequence[str], gpus: Sequence[str], index: int, port: int
) -> "subprocess.Popen[bytes]":
    """Start a worker of a chief on this machine.

    Args:
        arguments: Words after `keras-seq tune`.
        gpus: Visible GPUs. Worker i uses GPU i modulo their number.
        index: Index of the worker.
        port: Port of the chief.
    """
    values = (f"worker{index}", "127.0.0.1", str(port))
    environment = {
        **os.environ,
        **dict(zip(KERASTUNER_VARIABLES, values, strict=True)),
        LOCAL_WORKER: "1",
    }
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[index % len(gpus)]
    return subprocess.Popen(
        [sys.executable, "-m", "keras_seq.cli", "tune", *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


def visible_gpus() -> list[str]:
    """Return the GPUs that Keras's backend uses, as CUDA_VISIBLE_DEVICES names them."""
    count = machine.count_gpus()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
    return visible.split(",")[:count] if count else []


def describe_devices(gpus: Sequence[str]) -> str:
    """Return a description of the devices of a search, without a period."""
    devices = f"GPU {', '.join(gpus)}" if gpus else f"the CPU, {os.cpu_count()} cores"
    return f"Trials run on {devices}"


@contextlib.contextmanager
def _heartbeat(oracle: Any, trial: Trial) -> Iterator[None]:
    """Tell the oracle at regular intervals that this worker is alive."""
    done = threading.Event()

    def beat() -> None:
        with contextlib.suppress(grpc.RpcError):  # the main thread raises it too
            while not done.wait(HEARTBEAT_SECONDS):
                oracle.get_trial(trial.trial_id)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        done.set()
