"""Dynamic batching, which must not change the outputs."""

import asyncio
import threading

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from keras_seq._internal.errors import InputError
from keras_seq.serving import Limits
from keras_seq.serving.batching import Batcher, ExecutionSlots
from keras_seq.serving.metrics import Metrics


class Letters:
    """Signature that pads like exported models, and records its batches.

    Its outputs are the characters of a text and their positions from 1. A text with "?" is invalid.
    """

    is_rowwise, padded_outputs = True, ["letters", "places"]

    def __init__(self):
        self.ran = []

    def __call__(self, arrays):
        texts = [text.decode() for text in arrays["texts"]]
        self.ran.append(texts)
        if "?" in "".join(texts):
            raise InputError("What is that?")
        longest = max(map(len, texts))
        padded = [[*text, *[""] * (longest - len(text))] for text in texts]
        letters = np.array([[c.encode() for c in row] for row in padded], object)
        places = np.where(letters != b"", np.arange(1, longest + 1), 0)
        return {"letters": letters, "places": places, "length": (places > 0).sum(1)}


def inputs(*texts):
    return {"texts": np.array([text.encode() for text in texts], object)}


def batcher(signature, slots=None, **limits):
    metrics = Metrics().for_signature("toy", "letters")
    return Batcher(signature, Limits(**limits), metrics, slots or ExecutionSlots(4))


def ask_all(signature, requests, **limits):
    async def together():
        batch = batcher(signature, **limits)
        return await asyncio.gather(*map(batch, requests), return_exceptions=True)

    return asyncio.run(together())


def listed(outputs):
    return {name: output.tolist() for name, output in outputs.items()}


REQUESTS = [
    inputs("abc"),
    inputs("a"),
    inputs("x" * 40, "", "yz"),
    inputs("de", "fgh"),
    inputs("z" * 35),
    inputs(""),
]


def test_outputs_equal_those_of_each_request_alone():
    answers = ask_all(Letters(), REQUESTS)
    for request, answer in zip(REQUESTS, answers):
        assert listed(answer) == listed(Letters()(request))


def test_different_lengths_do_not_share_a_batch():
    signature = Letters()
    ask_all(signature, REQUESTS)
    assert sorted(map(sorted, signature.ran)) == sorted(
        [["", "", "a", "abc", "de", "fgh", "yz"], ["x" * 40, "z" * 35]]
    )


def test_a_single_request_does_not_wait():
    async def alone():
        batch = batcher(Letters(), batch_timeout_ms=600_000)
        return await asyncio.wait_for(batch(inputs("ab", "c" * 50)), 60)

    assert asyncio.run(alone())["length"].tolist() == [2, 50]


def test_batch_sizes_are_limited():
    signature = Letters()
    ask_all(signature, [inputs("ab")] * 5 + [inputs(*["cd"] * 7)], max_batch_size=3)
    assert sorted(map(len, signature.ran)) == [1, 2, 3, 3, 3]
    signature = Letters()
    ask_all(signature, [inputs("a" * 9_000)] * 6)
    assert sorted(map(len, signature.ran)) == [2, 4], "65,536 characters, padded"


def test_without_batching_each_request_runs_alone():
    signature = Letters()
    answers = ask_all(signature, REQUESTS, max_batch_size=1)
    assert sorted(map(len, signature.ran)) == [1, 1, 1, 1, 2, 3]
    for request, answer in zip(REQUESTS, answers):
        assert listed(answer) == listed(Letters()(request))


def test_an_invalid_request_does_not_affect_others():
    answers = ask_all(Letters(), [inputs("ab"), inputs("?!"), inputs("cd")])
    assert isinstance(answers[1], InputError)
    assert [a["letters"].tolist() for a in (answers[0], answers[2])] == [
        [[b"a", b"b"]],
        [[b"c", b"d"]],
    ]


def test_a_long_text_does_not_delay_short_ones():
    short_is_answered = threading.Event()

    class Slow(Letters):
        def __call__(self, arrays):
            if len(arrays["texts"][0]) > 100:
                assert short_is_answered.wait(60)
            return super().__call__(arrays)

    async def both():
        batch = batcher(Slow())
        long = asyncio.create_task(batch(inputs("a" * 1000)))
        while not batch.signature.ran and not long.done():
            await batch(inputs("ab"))
        assert not long.done()
        short_is_answered.set()
        assert (await long)["length"].tolist() == [1000]

    asyncio.run(both())


def test_the_queue_is_limited_and_cancelled_requests_do_not_run():
    begun, go = threading.Event(), threading.Event()

    class Stuck(Letters):
        def __call__(self, arrays):
            begun.set()
            assert go.wait(60)
            return super().__call__(arrays)

    async def crowd():
        signature = Stuck()
        batch = batcher(signature, max_queue=3, batch_timeout_ms=0)
        tasks = [asyncio.create_task(batch(inputs(c * 2))) for c in "abc"]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException, match="3 requests are waiting") as caught:
            await batch(inputs("dd"))
        assert caught.value.status_code == 429 and caught.value.headers["Retry-After"] == "1"
        assert await asyncio.to_thread(begun.wait, 60)
        late = asyncio.create_task(batch(inputs("ee")))
        tasks[0].cancel()
        await asyncio.gather(late, return_exceptions=True)
        waiting = asyncio.create_task(batch(inputs("ff")))
        await asyncio.sleep(0)
        waiting.cancel()
        go.set()
        await asyncio.gather(*tasks[1:])
        assert (await batch(inputs("gg")))["length"].tolist() == [2], "the queue is free again"
        assert signature.ran == [["aa", "bb", "cc"], ["gg"]]

    asyncio.run(crowd())


def test_signatures_that_are_not_rowwise_are_not_batched():
    class Whole(Letters):
        is_rowwise = False

    signature = Whole()
    answers = ask_all(signature, [inputs("a", "bcd"), inputs("a")])
    assert sorted(signature.ran) == [["a"], ["a", "bcd"]]
    assert answers[0]["letters"].shape == (2, 3)


def test_outputs_that_are_not_rowwise_raise_an_error():
    class Flat(Letters):
        padded_outputs = []

        def __call__(self, arrays):
            return {"letters": np.array(list("".join(map(bytes.decode, arrays["texts"]))))}

    (error,) = ask_all(Flat(), [inputs("ab")])
    assert isinstance(error, HTTPException) and "--max-batch-size 1" in error.detail


@pytest.mark.parametrize("name", ["spell", "total"])
def test_a_saved_model_gives_the_same_outputs_in_batches(toy, name):
    import tensorflow as tf

    from keras_seq.serving.models import Signature

    loaded = tf.saved_model.load(str(toy))
    signature = Signature(loaded, loaded.signatures[name])
    assert signature.is_rowwise
    rng = np.random.default_rng(0)
    if name == "spell":
        requests = [
            inputs(*("江" * n for n in rng.integers(1, 30, rng.integers(1, 5)))) for _ in range(20)
        ]
    else:
        shapes = rng.integers(1, 4, (20, 2))
        requests = [{"x": rng.random((*shape, 2), "float32")} for shape in shapes]
    for request, answer in zip(requests, ask_all(signature, requests)):
        alone = signature(request)
        assert answer.keys() == alone.keys()
        for key, value in alone.items():
            if value.dtype == object:
                assert answer[key].tolist() == value.tolist()
            else:
                np.testing.assert_allclose(answer[key], value, rtol=1e-6)


def test_signatures_that_are_not_rowwise_are_detected(toy):
    import tensorflow as tf

    from keras_seq.serving.models import Signature

    loaded = tf.saved_model.load(str(toy))
    signature = Signature(loaded, loaded.signatures["make"])
    assert not signature.is_rowwise, "the length of all texts is one number"
    assert Signature(loaded, loaded.signatures["spell"]).padded_outputs == ["numbers", "tokens"]
