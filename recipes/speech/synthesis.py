"""Digits and commands, spoken by voices of eSpeak NG in rooms, beside noise."""

import numpy as np

from keras_seq.data import audio
from keras_seq.data.datasets import espeak
from keras_seq.layers.audio.noise import babble, colored_noise

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COMMANDS = (
    *("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"),
    *("open", "close", "start", "pause", "play", "next", "back", "louder", "quieter", "help"),
)

COUNTS = {"train": 16_000, "validation": 500, "test": 1_000}

# A voice is an accent and a variant. What is heard in one split is in no other, neither accents
# nor variants; variants of one name, such as iven and iven2, are together.
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
NO_PERSONS = (
    *("Demonic", "Storm", "Tweaky", "UniRobot", "anikaRobot", "croak", "fast"),
    *("whisper", "whisperf", *(f"robosoft{number or ''}" for number in (0, *range(2, 9)))),
)

DECIBELS = 10
"""Ratio of signal to noise; what is trained on has none, the model adds some (`Config.noise`)."""

SEED = 0


def utterances(sample_rate, counts=COUNTS, seed=SEED):
    """What is said, by whom, and how it sounds.

    Args:
        sample_rate: Samples a second.
        counts: How many utterances each split has.
        seed: The same numbers give the same sound.

    Yields:
        The split, the text, the voice, and the samples, int16.
    """
    taken = {*VARIANTS["validation"], *VARIANTS["test"], *NO_PERSONS}
    variants = {"train": [v for v in espeak.list_variants() if v not in taken], **VARIANTS}
    for number, (split, count) in enumerate(counts.items()):
        random = np.random.default_rng([seed, number])
        said = [_utterance(random, ACCENTS[split], variants[split]) for _ in range(count)]
        if split == "train":
            said[::2] = [_in_a_voice_of_its_own(one, random) for one in said[::2]]
        spoken = _spoken(said, sample_rate)
        # Without noise, one is done while eSpeak makes the next.
        others = [] if split == "train" else list(spoken)
        for one, samples in zip(said, others or spoken):
            yield split, one.text, one.voice, _heard(samples, others, sample_rate, random)


def _utterance(random, accents, variants):
    """One to five digits, commands, or both."""
    words = [DIGITS, DIGITS, COMMANDS, DIGITS + COMMANDS][random.integers(4)]
    return espeak.Utterance(
        " ".join(random.choice(words, random.integers(1, 6))),
        f"{random.choice(accents)}+{random.choice(variants)}",
        words_per_minute=int(random.integers(130, 221)),
        pitch=int(random.integers(30, 71)),
        pitch_range=int(random.integers(30, 81)),
        word_gap=int(random.integers(0, 7)),
    )


def _in_a_voice_of_its_own(utterance, random):
    """The same in a voice that nobody has: a vocal tract, a pitch, and ways to stress."""

    def about(middle, factor):
        return round(middle * factor ** random.uniform(-1, 1))

    def several(*values, factor):
        return " ".join(str(about(value, factor)) for value in values)

    low, size = about(140, 2), about(100, 1.2)
    rows = [
        f"pitch {low} {about(low * 1.4, 1.25)}",
        f"voicing {about(75, 2.5)}",
        f"consonants {several(80, 80, factor=1.6)}",
        f"flutter {random.integers(0, 11)}",
        f"roughness {random.integers(0, 4)}",
        f"intonation {random.integers(1, 4)}",
        f"stressAmp {several(18, 18, 20, 20, 20, 22, 22, 20, factor=1.4)}",
    ]
    # Of each formant its frequency, height and width, in hundredths of eSpeak's. Some voices have
    # none of the highest.
    highest = random.choice([6, 9])
    for formant in range(9):
        height = about(90, 1.7) if formant < highest else 0
        rows.append(f"formant {formant} {about(size, 1.08)} {height} {about(110, 1.3)}")
    if random.random() < 0.5:
        heights = [min(255, about(middle, 2)) for middle in (240, 100, 60, 60, 40)]
        pairs = (f"{hz} {height}" for hz, height in zip((100, 600, 1200, 2000, 3000), heights))
        rows.append(f"tone {' '.join(pairs)}")
    if random.random() < 0.5:
        # To as short as can be, which eSpeak takes zero for.
        lengths = np.array([182, 140, 220, 220, 220, 240, 260, 280]) * random.uniform(0, 1.2)
        rows.append(f"stressLength {several(*lengths, factor=1.1)}")
    if random.random() < 0.4:
        rows.append(f"stressAdd {several(*[70] * 8, factor=2.5)}")
    if random.random() < 0.2:
        rows.append(f"breath {several(*[6] * 8, factor=3)}")
    return utterance._replace(voice=utterance.voice.split("+")[0], variant="\n".join(rows))


def _spoken(said, sample_rate):
    """Utterances as eSpeak makes them, each as loud as can be."""
    for rate, samples in espeak.synthesize(said):
        spoken = audio.resample(samples / np.float32(2**15), rate, sample_rate)
        yield spoken / max(np.abs(spoken).max(), 1e-6)


def _heard(spoken, others, sample_rate, random):
    """An utterance between silences, in a room or not; if there are others, beside noise."""
    before, after = random.integers(sample_rate // 20, sample_rate // 2, 2)
    sound = np.pad(spoken, (before, after))
    if random.random() < 0.6:
        seconds, direct = random.uniform(0.1, 0.5), random.uniform(0, 15)
        sound = audio.add_reverb(sound, sample_rate, seconds, direct, random)
    if others:
        if random.random() < 0.7:
            noise = colored_noise(len(sound), random.uniform(0, 2), random)
        else:
            talking = random.integers(len(others), size=random.integers(3, 7))
            noise = babble([others[number] for number in talking], len(sound), random)
        sound = audio.mix_at_snr(sound, noise, DECIBELS)
    return audio.as_int16(sound / np.abs(sound).max() * random.uniform(0.1, 0.9))
