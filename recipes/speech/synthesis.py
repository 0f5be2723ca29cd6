"""Digits and commands by eSpeak NG, Hibari and Pico, with room reverberation and noise."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from keras_seq.data import audio
from keras_seq.data.datasets import espeak, hibari, pico
from keras_seq.layers.audio.noise import babble, colored_noise

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COMMANDS = (
    *("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"),
    *("open", "close", "start", "pause", "play", "next", "back", "louder", "quieter", "help"),
)

COUNTS = {"train": 16_000, "validation": 500, "test": 1_000, "new_voice": 420}
"""Number of utterances of each split. Those of "new_voice" are by Pico, others by eSpeak and, in
"train" only, by Hibari."""
HIBARI_PART = 6
"""One of this many training utterances is by Hibari."""
CODECS: tuple[audio.Codec, ...] = ("ULAW", "ALAW", "GSM610")
"""Codecs of telephone lines."""
TELEPHONE_PROB = 0.1
"""Probability that a training utterance was sent over a telephone line."""

# A voice of eSpeak is an accent with a variant. Neither is in two splits. Variants that share a
# name, such as iven and iven2, are in the same split.
ACCENTS = {
    "train": ("en-us", "en", "en-gb-scotland", "en-gb-x-gbclan", "en-029"),
    "validation": ("en-gb-x-rp",),
    "test": ("en-us-nyc", "en-gb-x-gbcwmd"),
}
VARIANTS = {
    "validation": ("Andy", "Annie", "Lee", "adam", "anika", "aunty", "f2", "m4", "max", "michel"),
    "test": (
        *("Alicia", "Jacky", "belinda", "f3", "iven", "iven2", "iven3", "iven4"),
        *("linda", "m7", "pablo", "robert", "victor"),
    ),
}
"""Voice variants of the held-out splits; the training split has the others."""
NON_HUMAN_VARIANTS = (
    *("Demonic", "Storm", "Tweaky", "UniRobot", "anikaRobot", "croak", "fast"),
    *("whisper", "whisperf", *(f"robosoft{number or ''}" for number in (0, *range(2, 9)))),
)

SNR_DB = 10
"""Signal-to-noise ratio of validation and test. The training split is clean, because the model
adds noise during training (`ADD_NOISE` in `model.py`)."""

SEED = 0


def synthesize_utterances(
    sample_rate: int, counts: Mapping[str, int] = COUNTS, seed: int = SEED
) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Yield split, text, voice, and samples `(samples,)`, int16, of each utterance.

    Systems without Pico have no split "new_voice".

    Args:
        sample_rate: Sampling rate in Hz.
        counts: Number of utterances of each split.
        seed: Random seed; equal arguments give equal audio by eSpeak.
    """
    excluded = {*VARIANTS["validation"], *VARIANTS["test"], *NON_HUMAN_VARIANTS}
    variants = {"train": [v for v in espeak.list_variants() if v not in excluded], **VARIANTS}
    for number, (split, count) in enumerate(counts.items()):
        rng = np.random.default_rng([seed, number])
        if split == "new_voice":
            if pico.is_available():
                yield from _synthesize_new_voice(sample_rate, count, rng)
            continue
        num_hibari = count // HIBARI_PART if split == "train" else 0
        utterances = [
            _draw_utterance(rng, ACCENTS[split], variants[split]) for _ in range(count - num_hibari)
        ]
        if split == "train":
            utterances[::2] = [_with_random_variant(u, rng) for u in utterances[::2]]
        speech = _resample(espeak.synthesize(utterances), sample_rate)
        # The training split needs no babble, so that each utterance is used as soon as it is done.
        talkers = [] if split == "train" else list(speech)
        telephone_prob = TELEPHONE_PROB if split == "train" else 0
        for utterance, samples in zip(utterances, talkers or speech):
            recording = _record(samples, talkers, sample_rate, rng, telephone_prob=telephone_prob)
            yield split, utterance.text, utterance.voice, recording
        if num_hibari:
            yield from _synthesize_hibari(sample_rate, num_hibari, rng)


def _synthesize_hibari(
    sample_rate: int, count: int, rng: np.random.Generator
) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Yield training utterances by Hibari as `synthesize_utterances` does.

    Half of them are single words, each word in turn. The others are of two to five words.
    """
    texts, utterances = [], []
    for number in range(count):
        words = _draw_words(number, rng)
        texts.append(" ".join(words))
        formant_factor = rng.uniform(0.78, 1.2)
        utterances.append(
            hibari.Utterance(
                _punctuate(words, rng),
                speed=rng.uniform(0.7, 1.4),
                pitch_factor=formant_factor**1.5 * rng.uniform(0.75, 1.3),
                formant_factor=formant_factor,
                seed=number,
            )
        )
    speech = _resample(hibari.synthesize(utterances), sample_rate)
    for text, samples in zip(texts, speech, strict=True):
        recording = _record(samples, [], sample_rate, rng, telephone_prob=TELEPHONE_PROB)
        yield "train", text, "hibari", recording


def _synthesize_new_voice(
    sample_rate: int, count: int, rng: np.random.Generator
) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Yield utterances by Pico as `synthesize_utterances` does, without reverberation and noise.

    Every second utterance is a single word, each word in turn. The others are of two to five words.
    """
    texts, utterances = [], []
    for number in range(count):
        words = _draw_words(number, rng)
        voice = str(rng.choice(pico.VOICES))
        text = _punctuate(words, rng)
        speed, pitch_factor = rng.uniform(0.8, 1.25), rng.uniform(0.6, 1.5)
        texts.append(" ".join(words))
        utterances.append(pico.Utterance(text, voice, speed, pitch_factor))
    speech = _resample(pico.synthesize(utterances), sample_rate)
    for text, utterance, samples in zip(texts, utterances, speech, strict=True):
        recording = _record(samples, [], sample_rate, rng, in_room=False)
        yield "new_voice", text, f"pico {utterance.voice}", recording


def _draw_words(number: int, rng: np.random.Generator) -> list[str]:
    """Return a single word for an even number, each word in turn, and else two to five words."""
    words = DIGITS + COMMANDS
    if number % 2:
        return list(rng.choice(words, rng.integers(2, 6)))
    return [words[number // 2 % len(words)]]


def _punctuate(words: Sequence[str], rng: np.random.Generator) -> str:
    """Return words as a sentence, at random with commas, which synthesizers read as pauses."""
    return (", " if rng.random() < 0.3 else " ").join(words) + "."


def _draw_utterance(
    rng: np.random.Generator, accents: Sequence[str], variants: Sequence[str]
) -> espeak.Utterance:
    """Return one to five random digits, commands, or both."""
    words = [DIGITS, DIGITS, COMMANDS, DIGITS + COMMANDS][rng.integers(4)]
    return espeak.Utterance(
        " ".join(rng.choice(words, rng.integers(1, 6))),
        f"{rng.choice(accents)}+{rng.choice(variants)}",
        words_per_minute=int(rng.integers(130, 221)),
        pitch=int(rng.integers(30, 71)),
        pitch_range=int(rng.integers(30, 81)),
        word_gap=int(rng.integers(0, 7)),
    )


def _with_random_variant(utterance: espeak.Utterance, rng: np.random.Generator) -> espeak.Utterance:
    """Return the utterance with a random voice: formants, pitch, stress and vowel lengths."""

    def scatter(center: float, factor: float) -> int:
        """Return `center` times a random factor from 1/factor to factor."""
        return round(center * factor ** rng.uniform(-1, 1))

    def scatter_all(*centers: float, factor: float) -> str:
        return " ".join(str(scatter(center, factor)) for center in centers)

    low, size = scatter(140, 2), scatter(100, 1.2)
    rows = [
        f"pitch {low} {scatter(low * 1.4, 1.25)}",
        f"voicing {scatter(75, 2.5)}",
        f"consonants {scatter_all(80, 80, factor=1.6)}",
        f"flutter {rng.integers(0, 11)}",
        f"roughness {rng.integers(0, 4)}",
        f"intonation {rng.integers(1, 4)}",
        f"stressAmp {scatter_all(18, 18, 20, 20, 20, 22, 22, 20, factor=1.4)}",
    ]
    # Frequency, height and width of each formant, in percent of eSpeak's own. Some voices lack the
    # highest formants.
    num_formants = rng.choice([6, 9])
    for formant in range(9):
        height = scatter(90, 1.7) if formant < num_formants else 0
        rows.append(f"formant {formant} {scatter(size, 1.08)} {height} {scatter(110, 1.3)}")
    if rng.random() < 0.5:
        heights = [min(255, scatter(center, 2)) for center in (240, 100, 60, 60, 40)]
        pairs = (f"{hz} {height}" for hz, height in zip((100, 600, 1200, 2000, 3000), heights))
        rows.append(f"tone {' '.join(pairs)}")
    if rng.random() < 0.5:
        # eSpeak takes a length of zero as the shortest possible vowel.
        lengths = np.array([182, 140, 220, 220, 220, 240, 260, 280]) * rng.uniform(0, 1.2)
        rows.append(f"stressLength {scatter_all(*lengths, factor=1.1)}")
    if rng.random() < 0.4:
        rows.append(f"stressAdd {scatter_all(*[70] * 8, factor=2.5)}")
    if rng.random() < 0.2:
        rows.append(f"breath {scatter_all(*[6] * 8, factor=3)}")
    return utterance._replace(voice=utterance.voice.split("+")[0], variant="\n".join(rows))


def _resample(speech: Iterable[tuple[int, np.ndarray]], sample_rate: int) -> Iterator[np.ndarray]:
    """Yield speech `(samples,)` with a peak of 1, from sampling rates and int16 samples."""
    for rate, samples in speech:
        resampled = audio.resample(samples / np.float32(2**15), rate, sample_rate)
        yield resampled / max(np.abs(resampled).max(), 1e-6)


def _record(
    speech: np.ndarray,
    talkers: Sequence[np.ndarray],
    sample_rate: int,
    rng: np.random.Generator,
    in_room: bool = True,
    telephone_prob: float = 0,
) -> np.ndarray:
    """Return speech between silences, reverberated at random, and noisy if there are talkers.

    Args:
        speech: Floats `(samples,)`.
        talkers: Speech to make babble of; empty for no noise.
        sample_rate: Sampling rate in Hz.
        rng: Random number generator.
        in_room: Whether there can be reverberation.
        telephone_prob: Probability that a telephone line follows.

    Returns:
        int16 `(samples,)`.
    """
    before, after = rng.integers(sample_rate // 20, sample_rate // 2, 2)
    sound = np.pad(speech, (before, after))
    if in_room and rng.random() < 0.6:
        reverb_seconds, direct_to_reverb_db = rng.uniform(0.1, 0.5), rng.uniform(0, 15)
        sound = audio.add_reverb(sound, sample_rate, reverb_seconds, direct_to_reverb_db, rng)
    if talkers:
        if rng.random() < 0.7:
            noise = colored_noise(len(sound), rng.uniform(0, 2), rng)
        else:
            talker_ids = rng.integers(len(talkers), size=rng.integers(3, 7))
            noise = babble([talkers[number] for number in talker_ids], len(sound), rng)
        sound = audio.mix_at_snr(sound, noise, SNR_DB)
    if telephone_prob and rng.random() < telephone_prob:
        level = rng.uniform(0.1, 0.9) / np.abs(sound).max()
        codec = CODECS[rng.integers(len(CODECS))]
        sound = audio.simulate_telephone(sound * level, sample_rate, codec)
    return audio.as_int16(sound / np.abs(sound).max() * rng.uniform(0.1, 0.9))
