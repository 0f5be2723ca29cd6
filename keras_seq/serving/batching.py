"""Dynamic batching of requests with similar lengths.

Every signature of a model has lanes. Instances of about the same length wait in the same lane, at
most a few milliseconds, and run as one batch, so that a long text does not pad short ones. Lanes of
a model take turns, several of them at the same time, which are counted for each model.
"""

import asyncio
import dataclasses
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from starlette.exceptions import HTTPException

STEPS = 65_536
"""Instances times length that run together at most: memory grows with it."""

SHORT = 32
"""Bytes up to which texts count as equally long."""


class Turns:
    """The runs of one model that may take place at the same time, and threads for them.

    Each model has its own, so that none takes all threads and cores from another. Those that wait
    for a turn get it in the order in which they came.

    Args:
        most: Number of runs.
    """

    def __init__(self, most: int):
        self.turn = asyncio.Semaphore(most)
        self.threads = ThreadPoolExecutor(most, "keras_seq.serving")


@dataclasses.dataclass(eq=False)
class Piece:
    """Some instances of one request, of about the same length."""

    arrays: dict
    rows: np.ndarray
    """Their places in the request."""
    answer: asyncio.Future


class Lane:
    """Pieces that may run together."""

    def __init__(self, most):
        self.most, self.pieces, self.workers = most, deque(), 0

    @property
    def full(self):
        return sum(len(piece.rows) for piece in self.pieces) >= self.most

    def take(self):
        """As many pieces as may run together, of those that somebody still waits for."""
        taken, rows = [], 0
        while self.pieces and (not taken or rows + len(self.pieces[0].rows) <= self.most):
            piece = self.pieces.popleft()
            if not piece.answer.done():
                taken.append(piece)
                rows += len(piece.rows)
        return taken


class Batcher:
    """Answers the requests to one signature.

    Args:
        signature: `keras_seq.serving.models.Signature`; called in a thread.
        limits: `Limits`.
        gauges: `keras_seq.serving.metrics.Gauges`.
        turns: `Turns` of the model.
    """

    def __init__(self, signature, limits, gauges, turns):
        self.signature, self.limits, self.gauges = signature, limits, gauges
        self.turns = turns
        self.together = signature.by_row and limits.max_batch_size > 1
        self._lanes, self._tasks, self._requests = {}, set(), 0

    async def __call__(self, arrays):
        """The outputs for the inputs of one request, both dicts of arrays.

        Raises:
            InputError: The model refused them.
            HTTPException: Too many requests wait, or the model is not what its signature says.
        """
        if self._requests >= self.limits.max_queue:
            raise HTTPException(
                429,
                f"{self._requests} requests wait already: try again later.",
                {"Retry-After": "1"},
            )
        self._requests += 1
        self.gauges.waiting.inc()
        try:
            pieces = list(self._pieces(arrays))
            outputs = await asyncio.gather(*(piece.answer for piece in pieces))
        finally:
            self._requests -= 1
            self.gauges.waiting.dec()
        if not self.together:
            return self._cut(outputs[0]) if self.signature.by_row else outputs[0]
        order = np.argsort(np.concatenate([piece.rows for piece in pieces]))
        return self._cut({k: padded([o[k] for o in outputs])[order] for k in outputs[0]})

    def _pieces(self, arrays):
        """Puts the instances of a request into lanes, piece by piece."""
        if not self.together:
            yield self._wait(None, 1, arrays, np.arange(1))
            return
        shapes, lengths = [], 1
        for array in arrays.values():
            if array.dtype == object:
                sizes = np.fromiter(map(len, array.flat), int).reshape(len(array), -1).max(axis=1)
                # To the next power of two: no text is padded to more than twice its length, but
                # for short ones, of which there would be too few of each length.
                lengths = np.maximum(lengths, 2 ** np.ceil(np.log2(np.maximum(sizes, SHORT))))
            shapes.append(array.shape[1:])
        timesteps = max((max(shape, default=1) for shape in shapes), default=1)
        lengths = np.broadcast_to(np.maximum(lengths, timesteps).astype(int), len(array))
        for length in sorted(set(lengths.tolist())):
            rows = np.flatnonzero(lengths == length)
            most = max(1, min(self.limits.max_batch_size, STEPS // length))
            for start in range(0, len(rows), most):
                some = rows[start : start + most]
                part = {name: array[some] for name, array in arrays.items()}
                yield self._wait((length, *shapes), most, part, some)

    def _wait(self, key, most, arrays, rows):
        piece = Piece(arrays, rows, asyncio.get_running_loop().create_future())
        lane = self._lanes.setdefault(key, Lane(most))
        lane.pieces.append(piece)
        # Where nothing runs together, the cores do it side by side.
        if lane.workers < (1 if self.together else os.cpu_count() or 1):
            lane.workers += 1
            task = asyncio.create_task(self._work(key, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return piece

    async def _work(self, key, lane):
        try:
            while lane.pieces:
                # A request that is the only one has nobody to wait for.
                if self.together and self._requests > 1 and not lane.full:
                    await asyncio.sleep(self.limits.batch_timeout_ms / 1000)
                # Until there is a turn, more pieces come to be answered together.
                async with self.turns.turn:
                    pieces = lane.take()
                    if pieces:
                        await self._run(pieces)
        finally:
            lane.workers -= 1
            if not lane.workers:
                del self._lanes[key]

    async def _run(self, pieces):
        """Answers the pieces; if they fail together, each by itself, so that one is to blame."""
        try:
            outputs = await self._run_together(pieces)
        except Exception as error:
            if len(pieces) > 1:
                for piece in pieces:
                    await self._run([piece])
            elif not pieces[0].answer.done():
                pieces[0].answer.set_exception(error)
            return
        for piece, output in zip(pieces, outputs):
            if not piece.answer.done():
                piece.answer.set_result(output)

    async def _run_together(self, pieces):
        arrays = pieces[0].arrays
        if len(pieces) > 1:
            arrays = {name: np.concatenate([p.arrays[name] for p in pieces]) for name in arrays}
        loop = asyncio.get_running_loop()
        outputs = await loop.run_in_executor(self.turns.threads, self.signature, arrays)
        if not self.together:
            return [outputs]
        ends = np.cumsum([len(piece.rows) for piece in pieces])
        self.gauges.batch.observe(ends[-1])
        for name, output in outputs.items():
            if len(output) != ends[-1]:
                raise HTTPException(
                    500,
                    f"The model's output {name!r} has {len(output)} rows for {ends[-1]} "
                    "instances: it must be served with --max-batch-size 1.",
                )
        split = {name: np.split(output, ends[:-1]) for name, output in outputs.items()}
        return [{name: parts[i] for name, parts in split.items()} for i in range(len(pieces))]

    def _cut(self, outputs):
        """Takes away the padding that the longest text of the batch has brought.

        Outputs that are equally long end together, where the last of them has something.
        """
        sizes = {name: outputs[name].shape[1] for name in self.signature.padded}
        for size in set(sizes.values()):
            group = [name for name in sizes if sizes[name] == size]
            seen = np.zeros(size, bool)
            for name in group:
                there = outputs[name] != (b"" if outputs[name].dtype == object else 0)
                seen |= there.any(axis=tuple(a for a in range(there.ndim) if a != 1))
            end = int(np.flatnonzero(seen).max(initial=-1)) + 1
            outputs |= {name: outputs[name][:, :end] for name in group}
        return outputs


def padded(parts):
    """Rows of several batches as one array, padded at their end with empty strings or zeros."""
    if parts[0].ndim < 2 or len({part.shape[1] for part in parts}) == 1:
        return np.concatenate(parts)
    first = parts[0]
    rows, longest = sum(map(len, parts)), max(part.shape[1] for part in parts)
    whole = np.full(
        (rows, longest, *first.shape[2:]), b"" if first.dtype == object else 0, first.dtype
    )
    start = 0
    for part in parts:
        whole[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return whole
