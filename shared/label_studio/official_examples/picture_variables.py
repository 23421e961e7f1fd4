"""What the variables of the official examples for pictures, videos and OCR mean here."""

from shared.label_studio.official_examples import values
from shared.label_studio.official_examples.variable import OfficialVariable as Variable
from shared.label_studio.official_examples.variable import aliases, same, unused

_DINO = ("grounding_dino", "grounding_sam")
_SAM2 = (
    "segment_anything_2_image",
    "segment_anything_2_video",
    "segment_anything_video_interactive",
)
_NO_CHECKOUT = "the library is installed as a package, so no copy of its repository is needed"
_MODEL_SAYS = "the weights say it themselves"
_SAM2_VIDEO = _SAM2[1:]
_FOLLOWED = "an object is followed to the end; model_max_frames on its VideoRectangle bounds it"
_INTERACTIVE = _SAM2[2:]
_OWN_CACHES = "embeddings are kept by SEGMENT_EMBEDDING_MEMORY_MB and SEGMENT_EMBEDDING_CACHE_MB"
_TRACKING = (
    "SEGMENT_TRACKS_AT_ONCE objects are followed at once; a track that nobody asks for ends after"
    " five minutes"
)
_BY_TAGS = "the tags of the label config decide it"
_PAGES_ONLY = "the service gets pages, which this server fetches, and no addresses"

PICTURES = [
    *aliases(
        "BOX_THRESHOLD=DETECTION_SCORE_THRESHOLD TEXT_THRESHOLD=DETECTION_TEXT_THRESHOLD", _DINO
    ),
    Variable(
        "GROUNDING_DINO_CONFIG",
        ("grounding_dino",),
        "DETECTION_MODEL",
        "it needs the extra `open-vocabulary`",
        values.name_grounding_dino,
    ),
    Variable(
        "GROUNDING_DINO_WEIGHTS",
        ("grounding_dino",),
        "DETECTION_MODEL",
        "it needs the extra `open-vocabulary`",
        values.name_grounding_dino,
    ),
    *unused("GROUNDINGDINO_REPO_PATH", _DINO, _NO_CHECKOUT),
    Variable(
        "USE_SAM", ("grounding_sam",), "SEGMENT_MODEL", translate=values.choose_sam_after_boxes
    ),
    *unused("USE_MOBILE_SAM", ("grounding_sam",), "USE_SAM takes it into account"),
    *unused(
        "SAM_CHECKPOINT", ("grounding_sam",), "USE_SAM takes it into account; else SEGMENT_MODEL"
    ),
    *unused(
        "MOBILESAM_CHECKPOINT",
        ("grounding_sam", "segment_anything_model"),
        "SAM_CHOICE and USE_SAM take it into account; else SEGMENT_MODEL names a file in MODEL_DIR",
    ),
    Variable(
        "SAM_CHOICE", ("segment_anything_model",), "SEGMENT_MODEL", translate=values.choose_sam
    ),
    *unused(
        "VITH_CHECKPOINT",
        ("segment_anything_model",),
        "SAM_CHOICE takes it into account; else SEGMENT_MODEL names a file in MODEL_DIR",
    ),
    *unused(
        "ONNX_CHECKPOINT",
        ("segment_anything_model",),
        "no exported decoder is needed: on a CPU, OpenVINO makes its own",
    ),
    Variable("MODEL_CHECKPOINT", _SAM2, "SEGMENT_MODEL", translate=values.name_sam_weights),
    *unused("MODEL_CONFIG", _SAM2, _MODEL_SAYS),
    *unused("SEGMENT_ANYTHING_2_REPO_PATH", _SAM2_VIDEO, _NO_CHECKOUT),
    *unused("MAX_FRAMES_TO_TRACK", _SAM2_VIDEO, _FOLLOWED),
    *unused(
        "WINDOW_SIZE MAX_PREWARM_WINDOW MAX_BATCH_DECODE_FRAMES MAX_CACHED_FRAMES_PER_TASK"
        " MAX_TASK_CACHE_MB MAX_GLOBAL_CACHE_MB TASK_CACHE_TTL_SECONDS FRAME_ENCODER_WORKERS"
        " TRACKING_FRAME_CACHE_SIZE TRACKING_ON_DEMAND_FRAMES TRACKING_RELEASE_MEMORY",
        _INTERACTIVE,
        _OWN_CACHES,
    ),
    *aliases("MAX_TRACKING_SESSIONS=SEGMENT_TRACKS_AT_ONCE", _INTERACTIVE),
    *unused(
        "TRACKING_WORKERS TRACK_SESSION_TTL_SECONDS TRACK_SESSION_MAX_AGE_SECONDS"
        " TRACK_PROGRESS_BATCH_WINDOW_SECONDS TRACK_PROGRESS_MAX_BATCH TRACK_PROGRESS_WAIT_SECONDS",
        _INTERACTIVE,
        _TRACKING,
    ),
    *unused(
        "SAM_MAX_FOREGROUND_RATIO SAM_MIN_OBJECT_SCORE SAM_OBJECT_LOST_DEBOUNCE",
        _INTERACTIVE,
        "where a track ends is the model's own decision",
    ),
    *unused(
        "LS_FETCH_RETRY_ATTEMPTS LS_FETCH_RETRY_BASE_DELAY LS_FETCH_RETRY_MAX_DELAY",
        _INTERACTIVE,
        "a file is fetched once, within FETCH_TIMEOUT; Label Studio asks again for failed tasks",
    ),
    Variable(
        "MODEL_SCORE_THRESHOLD",
        ("yolo",),
        "DETECTION_SCORE_THRESHOLD",
        translate=values.read_fraction,
    ),
    *unused(
        "ALLOW_CUSTOM_MODEL_PATH",
        ("yolo",),
        "a label config may always name weights in MODEL_DIR, and those that Ultralytics publishes",
    ),
    *unused("DEBUG_PLOT", ("yolo",), "`prelabel show` draws predictions"),
    *unused(
        "LABEL_STUDIO_PROJECT_ID", ("yolo",), "`prelabel predict --project` and others take the ID"
    ),
    Variable(
        "SCORE_THRESHOLD",
        ("mmdetection-3",),
        "DETECTION_SCORE_THRESHOLD",
        translate=values.read_fraction,
    ),
    *unused(
        "CONFIG_FILE CHECKPOINT_FILE",
        ("mmdetection-3",),
        "MMDetection's checkpoints are not read as they are: export the network to ONNX, and set"
        " DETECTION_MODEL to it",
    ),
]

OCR = [
    Variable(
        "SCORE_THRESHOLD",
        ("easyocr", "ppocr"),
        "OCR_SCORE_THRESHOLD",
        translate=values.read_fraction,
    ),
    *same("OCR_LANG", ("ppocr",), "other scripts than Chinese and Latin need OCR_PPOCR_MODEL, too"),
    *unused("OUTPUT_TYPE INCLUDE_TRANSCRIPTION", ("ppocr",), _BY_TAGS),
    *unused(
        "PPOCR_VERSION MODEL_VARIANT",
        ("ppocr",),
        "PP-OCRv6 comes with RapidOCR; OCR_PPOCR_MODEL names a folder with others, such as v5",
    ),
    *unused(
        "DET_SCORE_THRESHOLD", ("ppocr",), "OCR_SCORE_THRESHOLD is the minimum score of a line"
    ),
    *unused(
        "USE_DOC_ORIENTATION USE_DOC_UNWARPING USE_TEXTLINE_ORIENTATION",
        ("ppocr",),
        "lines that stand upside down are turned by the engine; pages are read as they lie",
    ),
    Variable("LANG_LIST", ("easyocr",), "OCR_LANG", translate=values.read_by_easyocr()),
    Variable(
        "LANG_LIST",
        ("easyocr",),
        "OCR_ENGINE",
        "EasyOCR reads more languages than RapidOCR",
        values.read_by_easyocr("easyocr"),
    ),
    *unused("HEIGHT_THS", ("easyocr",), "words are joined to lines by the engine"),
    *unused("LABEL_MAPPINGS_FILE", ("easyocr",), "the example reads it and does not use it"),
    *aliases(
        "DOCLING_SERVICE_URL=OCR_DOCLING_URL DOCLING_SERVE_URL=OCR_DOCLING_URL"
        " DOCLING_SERVE_API_KEY=OCR_DOCLING_API_KEY DOCLING_API_KEY=OCR_DOCLING_API_KEY"
        " DOCLING_SERVE_TIMEOUT=OCR_DOCLING_TIMEOUT",
        ("docling",),
    ),
    *unused("DOCLING_HTTP_CONNECT_TIMEOUT", ("docling",), "a connection is waited for 5 seconds"),
    *unused(
        "DOCLING_CONVERT_REMOTE_URL_ONLY DOCLING_CONVERT_SOURCE_HEADERS_JSON",
        ("docling",),
        _PAGES_ONLY,
    ),
    *unused(
        "DOCLING_PAGE_NO DOCLING_PREDICT_READING_ORDER DOCLING_READING_ORDER_LEVEL"
        " DOCLING_INCLUDE_TABLE_STRUCTURE DOCLING_INCLUDE_RELATIONS DOCLING_CONTENT_LAYERS"
        " DOCLING_FROM_NAME DOCLING_TO_NAME DOCLING_TASK_DATA_KEY",
        ("docling",),
        _BY_TAGS,
    ),
    *unused(
        "VERIFY_SSL", ("docling",), "certificates are always checked; CA_FILE names a private CA"
    ),
]
