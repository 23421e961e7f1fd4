"""Tells by the words around a text area whether it asks for the text in its image.

Only words tell: a caption, a note on a box and a transcription are all the same tag. So a text area
is filled only where a word says that it is for text.
"""

import re
from collections.abc import Iterable, Sequence

from shared.backend import Control


def _word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words for what is written in the image, whatever the words beside them.
TRANSCRIPTION_WORDS = _word_set(
    """
    ocr htr handwriting handwritten handschrift manuscrit manuscrito manoscritto
    рукописный transcribe transcribed transcript transcripts transcription transcriptions
    transcriber transkript transkription transkribieren transcrire transcripcion
    transcripción transcribir transcricao transcrição transcrever trascrizione trascrivi
    trascrivere transcriptie transkrypcja texterkennung транскрипция транскрибировать
    распознавание
    """
)
# Words for a text, which may also be one for people to compose.
TEXT_WORDS = _word_set(
    """
    text texts texte textes texto textos testo testi tekst teksty tekstas metin teks текст
    текста тексты
    """
)
# The same in scripts without spaces between words.
UNSPACED_TEXT_WORDS = ("文字", "文本", "テキスト", "텍스트")
# Words for what people write about an image; it is not in the image.
OTHER_WORDS = _word_set(
    """
    alt alternative answer answers caption captions captioning comment comments commentary
    desc describe describes description descriptions descriptive explain explanation
    explanations feedback free freetext instruction instructions justification justify
    keyword keywords language languages note notes observation observations opinion
    paraphrase prompt prompts question questions rationale reason reasons reasoning remark
    remarks response responses review reviews rewrite sentiment summarize summarise
    summary tone translate translated translation translations why anmerkung bemerkung
    beschreibe beschreibung bildunterschrift frage kommentar notiz zusammenfassung
    übersetzung commentaire décrire description légende remarque traduction résumé
    comentario comentarios comentário descripción descrição nota notas pregunta respuesta
    traducción tradução resumen resumo commento descrizione didascalia traduzione описание
    комментарий заметка вопрос ответ перевод подпись
    """
)
UNSPACED_OTHER_WORDS = _word_set("描述 说明 備註 备注 注释 説明 コメント 설명 翻译 翻訳")
# Beside these in a placeholder, "text" is what is about to be typed: "Enter text here".
INVITATION_WORDS = _word_set(
    """
    add enter fill free here input insert put type write your some any eingeben hier
    saisir ici escribe aquí введите
    """
)
# Beside these it is the text in the image after all: "Type the text you see".
VISIBLE_WORDS = _word_set(
    "appears printed read recognised recognized see seen shown visible written"
)

_VARIABLE = re.compile(r"\$[\w.\[\]{}]+")
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL_CASE = re.compile(r"(?<=[a-zа-я])(?=[A-ZА-Я])|(?<=[A-Z])(?=[A-Z][a-z])")


def asks_for_text(area: Control, labeled: Iterable[Control] = ()) -> bool:
    """Return whether a TextArea is for the text in its image.

    `labeled` are the control tags whose labels name the regions that it describes. Its own name
    decides before its header and placeholder, and these before the labels.
    """
    labeled = list(labeled)
    if area.attrs.get("model_backend", "").strip() or _has_ocr_attribute([area, *labeled]):
        return True
    name = split_words(area.name)
    if name & OTHER_WORDS:
        return False
    if name & TRANSCRIPTION_WORDS:
        return True
    heading = split_words(area.header) | split_words(area.attrs.get("label", ""))
    placeholder = split_words(area.attrs.get("placeholder", ""))
    if (heading | placeholder) & OTHER_WORDS:
        return False
    if placeholder & INVITATION_WORDS and not placeholder & VISIBLE_WORDS:
        placeholder -= TEXT_WORDS
    asking = TEXT_WORDS | TRANSCRIPTION_WORDS
    if (name | heading | placeholder) & asking:
        return True
    return any(_label_words(control) & asking for control in labeled)


def split_words(text: str) -> set[str]:
    """Return the words of a name or sentence in lower case: "ocr" and "text" of `ocrText_2`."""
    plain = _CAMEL_CASE.sub(" ", _VARIABLE.sub(" ", text))
    words = {word.casefold() for word in _WORD.findall(plain)}
    # One English word stands for all those that cannot be split off.
    words |= {"text" for word in UNSPACED_TEXT_WORDS if word in plain}
    return words | {"description" for word in UNSPACED_OTHER_WORDS if word in plain}


def _has_ocr_attribute(controls: Sequence[Control]) -> bool:
    return any(key.lower().startswith("ocr_") for control in controls for key in control.attrs)


def _label_words(control: Control) -> set[str]:
    names = (
        (label, attrs.get("value", ""), attrs.get("predicted_values", ""))
        for label, attrs in control.labels.items()
    )
    return split_words(" ".join(name for group in names for name in group))
