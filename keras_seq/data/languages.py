"""Codes and names of languages, as headers and translation memories have them."""

from __future__ import annotations

LANGUAGES = {
    "af": "Afrikaans",
    "ar": "Arabic|العربية",
    "az": "Azerbaijani|Azərbaycanca",
    "be": "Belarusian|Беларуская",
    "bg": "Bulgarian|Български",
    "bn": "Bengali|বাংলা",
    "br": "Breton|Brezhoneg",
    "ca": "Catalan|Català",
    "cs": "Czech|Čeština",
    "cy": "Welsh|Cymraeg",
    "da": "Danish|Dansk",
    "de": "German|Deutsch",
    "el": "Greek|Ελληνικά",
    "en": "English",
    "eo": "Esperanto",
    "es": "Spanish|Español|Castilian",
    "et": "Estonian|Eesti",
    "eu": "Basque|Euskara",
    "fa": "Persian|Farsi|فارسی",
    "fi": "Finnish|Suomi",
    "fr": "French|Français",
    "ga": "Irish|Gaeilge",
    "gl": "Galician|Galego",
    "gu": "Gujarati|ગુજરાતી",
    "ha": "Hausa",
    "he": "Hebrew|עברית",
    "hi": "Hindi|हिन्दी",
    "hr": "Croatian|Hrvatski",
    "hu": "Hungarian|Magyar",
    "hy": "Armenian|Հայերեն",
    "id": "Indonesian|Bahasa Indonesia",
    "ig": "Igbo",
    "is": "Icelandic|Íslenska",
    "it": "Italian|Italiano",
    "ja": "Japanese|日本語",
    "ka": "Georgian|ქართული",
    "kk": "Kazakh|Қазақша",
    "km": "Khmer|ខ្មែរ",
    "kn": "Kannada|ಕನ್ನಡ",
    "ko": "Korean|한국어",
    "la": "Latin",
    "lt": "Lithuanian|Lietuvių",
    "lv": "Latvian|Latviešu",
    "mk": "Macedonian|Македонски",
    "ml": "Malayalam|മലയാളം",
    "mn": "Mongolian|Монгол",
    "mr": "Marathi|मराठी",
    "ms": "Malay|Bahasa Melayu",
    "nb": "Norwegian Bokmål|Bokmål",
    "ne": "Nepali|नेपाली",
    "nl": "Dutch|Nederlands",
    "nn": "Norwegian Nynorsk|Nynorsk",
    "no": "Norwegian|Norsk",
    "pa": "Punjabi|ਪੰਜਾਬੀ",
    "pl": "Polish|Polski",
    "ps": "Pashto|پښتو",
    "pt": "Portuguese|Português",
    "ro": "Romanian|Română",
    "ru": "Russian|Русский",
    "sk": "Slovak|Slovenčina",
    "sl": "Slovenian|Slovene|Slovenščina",
    "so": "Somali",
    "sq": "Albanian|Shqip",
    "sr": "Serbian|Српски|Srpski",
    "sv": "Swedish|Svenska",
    "sw": "Swahili|Kiswahili",
    "ta": "Tamil|தமிழ்",
    "te": "Telugu|తెలుగు",
    "th": "Thai|ไทย",
    "tl": "Tagalog|Filipino",
    "tr": "Turkish|Türkçe",
    "uk": "Ukrainian|Українська",
    "ur": "Urdu|اردو",
    "uz": "Uzbek|Oʻzbekcha",
    "vi": "Vietnamese|Tiếng Việt",
    "xh": "Xhosa|isiXhosa",
    "yo": "Yoruba|Yorùbá",
    "zh": "Chinese|Mandarin|中文|Mandarin Chinese",
    "zu": "Zulu|isiZulu",
}
"""English and own names of languages, by ISO 639-1 code."""
ISO_639_3 = {
    "ara": "ar",
    "ces": "cs",
    "cmn": "zh",
    "dan": "da",
    "deu": "de",
    "ell": "el",
    "eng": "en",
    "epo": "eo",
    "fin": "fi",
    "fra": "fr",
    "heb": "he",
    "hin": "hi",
    "hun": "hu",
    "ind": "id",
    "ita": "it",
    "jpn": "ja",
    "kor": "ko",
    "lat": "la",
    "lit": "lt",
    "mar": "mr",
    "nld": "nl",
    "nob": "nb",
    "pes": "fa",
    "pol": "pl",
    "por": "pt",
    "ron": "ro",
    "rus": "ru",
    "spa": "es",
    "srp": "sr",
    "swe": "sv",
    "tur": "tr",
    "ukr": "uk",
    "vie": "vi",
}
"""ISO 639-1 codes by the ISO 639-3 codes that Tatoeba uses."""

_CODES = {name.casefold(): code for code, names in LANGUAGES.items() for name in names.split("|")}


def normalize_code(code: str) -> str:
    """Return a language code in lower case with hyphens.

    >>> normalize_code("en_US")
    'en-us'

    Args:
        code: Language code, perhaps with script and region.
    """
    code, hyphen, rest = code.strip().lower().replace("_", "-").partition("-")
    return ISO_639_3.get(code, code) + hyphen + rest


def base_language(code: str) -> str:
    """Return a normalized language code without script and region.

    Args:
        code: Language code.
    """
    return normalize_code(code).partition("-")[0]


def parse_language(text: str) -> str | None:
    """Return the normalized code of a language by its code or name, or None for other texts.

    >>> parse_language("Spanish"), parse_language("pt_BR"), parse_language("Save")
    ('es', 'pt-br', None)

    Args:
        text: Code, English name or own name of a language.
    """
    name = text.strip().casefold()
    if name in _CODES:
        return _CODES[name]
    code = normalize_code(name)
    base, _, region = code.partition("-")
    return code if base in LANGUAGES and len(region) <= 4 and " " not in code else None
