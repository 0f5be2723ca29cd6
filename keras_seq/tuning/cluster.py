"""Who does the trials: this process, or workers of a chief, over gRPC."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from concurrent import futures

import grpc
import psutil
import tensorflow as tf

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_tuner_compat import OracleClient, answer_workers
from keras_seq.train.distribution import TUNING_CLUSTER as CLUSTER

LOCAL = "KERAS_SEQ_LOCAL_WORKER"
"""Set for the workers that a chief starts on its own machine: they end with it."""
HEARTBEAT_SECONDS = 10
"""Seconds after which a worker that is training says so."""
MAX_RSS_GROWTH = 4 * 2**30
"""Bytes that trials may leave in a process before it is replaced: what XLA has compiled for one of
other sizes, it keeps as long as the process lives, up to half a gigabyte a trial."""
TRIAL_ERRORS = (ArithmeticError, MemoryError, ValueError, tf.errors.OpError)
"""Errors of values that are impossible together, or too large for the machine. Any other error is
no fault of the trial: it ends the search, which goes on when it is mended."""


def run_trials(oracle, name, trainer, restart=None):
    """Does trials until there are no more.

    Args:
        oracle: A `Search`, or a client of it.
        name: Of this worker.
        trainer: Has `train(trial, oracle)` and `clean(trial)`.
        restart: Function that goes on in a new process, called once trials have left more than
            `MAX_RSS_GROWTH`.
    """
    before = _memory()
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
                if isinstance(oracle, OracleClient):  # which does not tell the chief why
                    print(f"trial {trial.trial_id}: {trial.message}", file=sys.stderr)
        oracle.end_trial(trial)
        trainer.clean(trial)
        if restart is not None and _memory() - before > MAX_RSS_GROWTH:
            restart()


def _memory():
    """Bytes that this process holds."""
    return psutil.Process().memory_info().rss


def serve_workers(oracle, address, start=None, workers=0):
    """Answers workers until all trials have ended and all workers know.

    Args:
        oracle: A `Search`.
        address: Host and port to listen at; port 0 is any free one.
        start: Called with a number and the port, starts a worker: a `subprocess.Popen`.
        workers: How many to start.
    """
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    answer_workers(oracle, server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        raise InputError(
            f"The chief cannot listen at {address}: KERASTUNER_ORACLE_IP must be an address of "
            "its machine, KERASTUNER_ORACLE_PORT a free port."
        ) from None
    server.start()
    started = {f"worker{number}": start(number, port) for number in range(workers)}
    try:
        while not oracle.ended or oracle.ongoing_trials or oracle.tuner_ids:
            time.sleep(0.2)
            oracle.release_timed_out()
            gone = [name for name, process in started.items() if process.poll() is not None]
            for name in gone:
                oracle.release(name)
            if started and len(gone) == workers and not oracle.ended:
                raise InputError("All workers have ended; the same command goes on.")
    finally:
        server.stop(grace=2).wait()
        for process in started.values():
            process.terminate()
            process.wait()


def run_worker(oracle, trainer, restart):
    """Does the trials that the chief hands out, wherever it is; `restart` as for `run_trials`."""
    if LOCAL in os.environ:
        # The chief never writes into this pipe: it is closed when the chief is no more.
        def end_with_the_chief():
            sys.stdin.read()
            os._exit(1)

        threading.Thread(target=end_with_the_chief, daemon=True).start()
    try:
        run_trials(OracleClient(oracle), os.environ[CLUSTER[0]], trainer, restart)
    except grpc.RpcError as error:
        chief = ":".join(os.environ[name] for name in CLUSTER[1:])
        raise InputError(f"The chief at {chief} does not answer: {error.details()}") from None


def start_worker(arguments, gpus, number, port):
    """Starts a worker of a chief on this machine, on a GPU of its own if there are enough."""
    values = (f"worker{number}", "127.0.0.1", str(port))
    environment = {**os.environ, **dict(zip(CLUSTER, values)), LOCAL: "1"}
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    return subprocess.Popen(
        [sys.executable, "-m", "keras_seq.cli", "tune", *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


def visible_gpus():
    """The GPUs that TensorFlow sees, as CUDA_VISIBLE_DEVICES names them."""
    count = len(tf.config.list_physical_devices("GPU"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
    return visible.split(",")[:count] if count else []


def describe_devices(gpus):
    """What is computed on."""
    text = f"GPU {', '.join(gpus)}" if gpus else f"the CPU, {os.cpu_count()} cores"
    return f"Trials run on {text}"


@contextlib.contextmanager
def _heartbeat(oracle, trial):
    """Shows the oracle now and then that a trial is being worked on."""
    done = threading.Event()

    def beat():
        with contextlib.suppress(grpc.RpcError):  # which the worker itself will meet
            while not done.wait(HEARTBEAT_SECONDS):
                oracle.get_trial(trial.trial_id)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        done.set()
