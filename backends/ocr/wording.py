"""Whether a text area asks for the text in its image, by the words around it.

What is asked stands nowhere but in words: a caption, a note on a box and a transcription are all
the same tag. So a text area is read only where a word says that it is for text.
"""

import re
from collections.abc import Iterable, Sequence

from shared.label_studio.label_config import Control


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that mean what is written there, whatever else is said.
TRANSCRIPTION = _words(
    """
    ocr htr handwriting handwritten handschrift manuscrit manuscrito manoscritto
    рукописный transcribe transcribed transcript transcripts transcription transcriptions
    transcriber transkript transkription transkribieren transcrire transcripcion
    transcripción transcribir transcricao transcrição transcrever trascrizione trascrivi
    trascrivere transcriptie transkrypcja texterkennung транскрипция транскрибировать
    распознавание
    """
)
# Words for a text, which may also be one that somebody should think of.
TEXT = _words(
    """
    text texts texte textes texto textos testo testi tekst teksty tekstas metin teks текст
    текста тексты
    """
)
# The same in scripts that do not put spaces between words.
UNSPACED = ("文字", "文本", "テキスト", "텍스트")
# Words for what is written about an image, and does not stand in it.
OTHER = _words(
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
OTHER_UNSPACED = _words("描述 说明 備註 备注 注释 説明 コメント 설명 翻译 翻訳")
# Words that make "text" in a placeholder mean what is about to be typed: "Enter text here".
HINTS = _words(
    """
    add enter fill free here input insert put type write your some any eingeben hier
    saisir ici escribe aquí введите
    """
)
# Words by which it is the text in the image all the same: "Type the text you see".
SEEN = _words("appears printed read recognised recognized see seen shown visible written")

_VARIABLE = re.compile(r"\$[\w.\[\]{}]+")
_WORD = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-zа-я])(?=[A-ZА-Я])|(?<=[A-Z])(?=[A-Z][a-z])")


def asks_for_text(area: Control, beside: Iterable[Control] = ()) -> bool:
    """Whether a TextArea is for the text in its image.

    `beside` are the control tags whose labels say what the regions are that it describes.
    """
    beside = list(beside)
    if area.attrs.get("model_backend", "").strip() or _has_options([area, *beside]):
        return True  # it is offered to nobody else, or says how it is to be read
    name = words(area.name)
    if name & OTHER:
        return False
    if name & TRANSCRIPTION:
        return True
    heading = words(area.header) | words(area.attrs.get("label", ""))
    hint = words(area.attrs.get("placeholder", ""))
    if (heading | hint) & OTHER:
        return False
    if hint & HINTS and not hint & SEEN:
        hint -= TEXT
    if (name | heading | hint) & (TEXT | TRANSCRIPTION):
        return True
    return any(_words_of_labels(control) & (TEXT | TRANSCRIPTION) for control in beside)


def words(text: str) -> set[str]:
    """The words of a name or a sentence, small: `ocrText_2` has "ocr" and "text"."""
    plain = _HUMP.sub(" ", _VARIABLE.sub(" ", text))
    found = {word.casefold() for word in _WORD.findall(plain)}
    found |= {"text" for word in UNSPACED if word in plain}
    return found | {"description" for word in OTHER_UNSPACED if word in plain}


def _has_options(controls: Sequence[Control]) -> bool:
    return any(key.lower().startswith("ocr_") for control in controls for key in control.attrs)


def _words_of_labels(control: Control) -> set[str]:
    written = (
        (label, attrs.get("value", ""), attrs.get("predicted_values", ""))
        for label, attrs in control.labels.items()
    )
    return words(" ".join(text for texts in written for text in texts))
