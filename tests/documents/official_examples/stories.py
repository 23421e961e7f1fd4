"""What is better here than in each official example, and what is different."""

from typing import NamedTuple


class Story(NamedTuple):
    """Two cells of the page's table, in Markdown."""

    better: str
    different: str


_TRAINING = (
    "[Training](training.md) runs in a process of its own, learns from the annotations of all"
    " annotators, and serves a model only if it is better on held-out tasks"
)
_ENTITIES = (
    "neighbours stay two entities, a long text is read in windows, only labels of the label config"
    " are answered"
)
_MASKS = (
    "an image is embedded once for all clicks, before the first one where it can be; negative"
    " clicks are negative; masks go to brushes, bitmasks, polygons, ellipses or boxes, whichever"
    " tag has the label"
)
_LANGUAGE = (
    "answers fit the label config's choices by a schema, or are left out; all control tags are"
    " filled, pictures too; a changed prompt is another model version; questions run at the same"
    " time"
)
_LINES = (
    "box, label and text are one region; rotated lines keep their angle; photos are read upright;"
    " a page without text gets an empty prediction instead of emptying the batch"
)

STORIES = {
    "bert_classifier": Story(
        f"{_TRAINING}; nothing is answered at random before there is a model; long texts are cut"
        " where the model's window ends",
        "the base model is what trainings begin with (`TEXT_CLASSIFICATION_TRAIN_BASE`); its"
        " learning rate and epochs are found out",
    ),
    "deepgram": Story(
        "nothing is uploaded anywhere",
        "it makes speech of text, which nothing does here: its text area on an `Audio` gets what"
        ' `speech` hears; `model_skip="true"` leaves it to the annotator',
    ),
    "docling": Story(
        "the label config says what is boxed and read: titles, paragraphs, tables with their cells,"
        " figures, and the text of each under the same id; several pages are asked for at once, and"
        " an answer that fails costs its page alone; without a service, the extra `layout` and"
        " `OCR_LAYOUT_MODEL` find the parts of pages on this machine",
        "it answers in tags of the paid edition's Interfaces, which no label config has; here"
        " `RectangleLabels` on an `Image` whose labels have the example's names (`section_header`,"
        " `text`, `table`, `picture`, …) get the boxes; reading order and relations are not drawn;"
        " the service gets pictures of pages",
    ),
    "easyocr": Story(
        _LINES,
        "of `Rectangle` and `Polygon` beside each other the first is drawn, rotated where a line"
        ' is; `model_skip="true"` on it draws polygons; the default engine reads Chinese and'
        " Latin letters, EasyOCR (extra `easyocr`, `OCR_ENGINE`) those of `LANG_LIST`",
    ),
    "flair": Story(
        _ENTITIES,
        "Flair's taggers are pickles, and not read: a token classifier of transformers answers",
    ),
    "gliner": Story(
        f"{_ENTITIES}; {_TRAINING}",
        "it needs the extra `gliner`; a trained one is found in `MODEL_DIR`",
    ),
    "grounding_dino": Story(
        "boxes have labels; several tasks in a request; without a typed prompt the labels"
        " themselves are looked for",
        "it needs the extra `open-vocabulary` and `DETECTION_MODEL`: without it a plain detector"
        " answers, and the prompt is not read; thresholds are attributes of the tag,"
        " `model_score_threshold`, and not `Number` tags",
    ),
    "grounding_sam": Story(
        "boxes and masks have labels; each tag alone works, too",
        "it needs the extras `open-vocabulary` and `segment`, and `DETECTION_MODEL`",
    ),
    "huggingface_llm": Story(
        "chat models get their own template; any OpenAI-compatible server can answer instead",
        "the model runs here with the extra `prompt-local`; the limit of tokens is the answer's"
        " alone",
    ),
    "huggingface_ner": Story(
        f"{_ENTITIES}; {_TRAINING}",
        "its learning rate and epochs are found out; a model that the example has trained is"
        " found in `MODEL_DIR`",
    ),
    "interactive_substring_matching": Story(
        "what is marked is found as it is written, `C++` too, and what is marked already is not"
        " marked again; without a click a model finds entities",
        "`ner` answers, in whole words",
    ),
    "langchain_search_agent": Story(
        _LANGUAGE,
        "no web search: the model knows what it knows, unless its server searches",
    ),
    "llm_interactive": Story(
        _LANGUAGE,
        "the question is made of the label config: templates have no meaning, and what holds for"
        " all tasks is `PROMPT_INSTRUCTION`, without placeholders; connection parameters are"
        " variables",
    ),
    "mmdetection-3": Story(
        "batches, any number of tasks in a request; labels match by their names and by"
        " `predicted_values`, both in one label config",
        "a checkpoint has to be exported to ONNX by MMDeploy, a folder that `DETECTION_MODEL`"
        " names; without one the default detector answers",
    ),
    "nemo_asr": Story(
        "long recordings are cut at pauses; segments with times where the label config asks for"
        " them; any container and channel layout",
        "Whisper by default, or any recognizer of transformers (`SPEECH_ENGINE=transformers`);"
        " NeMo's own files are not read",
    ),
    "ppocr": Story(_LINES, "the tags of the label config say which shape and whether text"),
    "segment_anything_2_image": Story(
        _MASKS, "`SEGMENT_MODEL` names the weights; a GPU is used if there is one"
    ),
    "segment_anything_2_video": Story(
        "a drawn box is followed from any frame, several objects at once, and the whole way;"
        " without a click all objects of the label config's labels are tracked in bulk",
        "`model_max_frames` and `model_direction` on the `VideoRectangle` say how far",
    ),
    "segment_anything_model": Story(
        f"{_MASKS}; users do not get each other's masks",
        "no exported decoder is needed",
    ),
    "segment_anything_video_interactive": Story(
        "its events are answered by any worker, with labels and shapes of the tags; the open-source"
        " editor's clicks keep their sign, and its boxes on videos are followed, too",
        "caches and sessions have other bounds, or none",
    ),
    "sklearn_text_classifier": Story(
        f"{_TRAINING}; each project and tag has a model of its own",
        "a linear model on a frozen encoder (`TEXT_CLASSIFICATION_TRAIN=linear`), which needs"
        " `TEXT_CLASSIFICATION_TRAIN_BASE`",
    ),
    "spacy": Story(
        f"{_ENTITIES}; many texts at once",
        "it needs the extra `spacy`, and `SPACY_MODEL` or `NER_MODEL`: the default model knows"
        " persons, places and organizations; labels are mapped by the label config"
        " (`predicted_values`) instead of by a dictionary in the code",
    ),
    "tesseract": Story(
        "all lines are found without a drawn box; a drawn one is read, too, at its angle",
        "RapidOCR by default; `OCR_ENGINE=tesseract` with `OCR_LANG` for its languages; pictures"
        " in a store by `ALLOWED_BUCKETS`",
    ),
    "timeseries_segmenter": Story(
        "JSON and CSV, named and numbered columns, `timeFormat`; nothing is answered at random"
        f" before a training; {_TRAINING}",
        "sizes of the network are found out",
    ),
    "watsonx_llm": Story(
        _LANGUAGE, "any OpenAI-compatible server; annotations are not written to a database"
    ),
    "yolo": Story(
        "batches; two tags on an image cost one pass; scores under 0.25; labels in any spelling;"
        " a picture without objects is no error; OpenVINO on a CPU",
        "the default model is YOLO26n, and the default score 0.25 where `MODEL_SCORE_THRESHOLD` is"
        " unset; weights of one's own are files in `MODEL_DIR`",
    ),
}
