"""The languages of speech models by their codes, and the names under which labels have them."""


def _parse_names(text: str) -> dict[str, str]:
    """Read pairs of a code and a name."""
    words = text.replace(",", " ").split()
    return dict(zip(words[::2], words[1::2], strict=True))


# ISO 639 codes and English names, as Whisper has them; other codes are matched as they are.
LANGUAGE_NAMES = _parse_names(
    """
    af Afrikaans, ar Arabic, az Azerbaijani, be Belarusian, bg Bulgarian, bn Bengali, ca Catalan,
    cs Czech, cy Welsh, da Danish, de German, el Greek, en English, es Spanish, et Estonian,
    eu Basque, fa Persian, fi Finnish, fr French, gl Galician, gu Gujarati, ha Hausa, he Hebrew,
    hi Hindi, hr Croatian, hu Hungarian, hy Armenian, id Indonesian, is Icelandic, it Italian,
    ja Japanese, ka Georgian, kk Kazakh, km Khmer, kn Kannada, ko Korean, lo Lao, lt Lithuanian,
    lv Latvian, mk Macedonian, ml Malayalam, mr Marathi, ms Malay, my Burmese, ne Nepali, nl Dutch,
    no Norwegian, pa Punjabi, pl Polish, ps Pashto, pt Portuguese, ro Romanian, ru Russian,
    si Sinhala, sk Slovak, sl Slovenian, so Somali, sq Albanian, sr Serbian, sv Swedish,
    sw Swahili, ta Tamil, te Telugu, th Thai, tl Tagalog, tr Turkish, uk Ukrainian, ur Urdu,
    uz Uzbek, vi Vietnamese, yo Yoruba, yue Cantonese, zh Chinese
    """
)
# Other names by which people call them in labels.
OTHER_NAMES = {"zh": ("Mandarin",), "fa": ("Farsi",)}
LANGUAGE_ALIASES = {
    code: (name, *OTHER_NAMES.get(code, ())) for code, name in LANGUAGE_NAMES.items()
}
