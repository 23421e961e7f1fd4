"""Tells by its words whether a text area on a recording asks for what is said in it."""

import re

from shared.backend import Control


def _word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words for what is said, whatever the words beside them.
TRANSCRIPT_WORDS = _word_set(
    """
    asr stt transcribe transcribed transcript transcripts transcription transcriptions transcriber
    subtitle subtitles speech spoken said utterance dictation transkript transkription
    transkribieren transcrire transcripción transcribir transcrição transcrever trascrizione
    trascrivere transcriptie transkrypcja транскрипция транскрибировать распознавание субтитры
    """
)
# Words for what people write about a recording; nobody says it there.
OTHER_WORDS = _word_set(
    """
    answer answers caption captions comment comments commentary corrected correction desc describe
    describes description explain explanation explanations feedback instruction instructions
    justification keyword keywords note notes observation observations opinion question questions
    rationale reason reasons reasoning remark remarks response responses review rewrite sentiment
    speaker speakers summarize summarise summary title tone topic topics translate translated
    translation translations why anmerkung bemerkung beschreibung kommentar notiz zusammenfassung
    übersetzung commentaire description remarque traduction résumé comentario comentarios
    comentário descripción nota notas traducción tradução resumen resumo commento descrizione
    traduzione описание комментарий заметка перевод
    """
)
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL_CASE = re.compile(r"(?<=[a-zа-я])(?=[A-ZА-Я])")


def asks_for_speech(area: Control, object_tag: str) -> bool:
    """Return whether a TextArea is for what is said.

    Its name decides before its header and placeholder. Where no word tells: on a recording it is,
    on a video it is not.
    """
    if area.attrs.get("model_backend", "").strip() == "speech" or area.attrs.get("model_task"):
        return True
    heading = " ".join(
        (area.header, *(area.attrs.get(key, "") for key in ("label", "placeholder")))
    )
    for text in (area.name, heading):
        words = {word.casefold() for word in _WORD.findall(_CAMEL_CASE.sub(" ", text))}
        if words & TRANSCRIPT_WORDS:
            return True
        if words & OTHER_WORDS:
            return False
    return object_tag != "Video"
