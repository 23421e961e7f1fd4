"""What the variables of all official examples mean here, and those of sound and stores."""

from shared.label_studio.official_examples.variable import OfficialVariable as Variable
from shared.label_studio.official_examples.variable import aliases, of_tools, same, unused

_NO_SPEECH_MADE = "nothing here turns text into speech; `speech` turns speech into text"
_OF_STORES = "the driver of the extra `s3` reads it, for the buckets in ALLOWED_BUCKETS"

COMMON = [
    Variable(
        "MODEL_ROOT",
        ("yolo",),
        "MODEL_DIR",
        "the example has its weights there, and nothing in its MODEL_DIR",
        beside=("ALLOW_CUSTOM_MODEL_PATH", "MODEL_SCORE_THRESHOLD"),
        is_first=True,
    ),
    *same("BASIC_AUTH_USER BASIC_AUTH_PASS LABEL_STUDIO_URL LABEL_STUDIO_API_KEY"),
    *same("LOG_LEVEL WORKERS PORT"),
    *aliases(
        "ML_SERVER_BASIC_AUTH_USER=BASIC_AUTH_USER ML_SERVER_BASIC_AUTH_PASS=BASIC_AUTH_PASS"
        " LABEL_STUDIO_HOST=LABEL_STUDIO_URL LABEL_STUDIO_ACCESS_TOKEN=LABEL_STUDIO_API_KEY"
    ),
    *same("DEVICE", note="gpu:0, as PaddleOCR writes it, is cuda:0"),
    *same("MODEL_DIR", note="models that are fetched by name go to CACHE_DIR"),
    *unused("THREADS", (), "threads are made as requests need them"),
    *unused("CACHE_TYPE", (), "predictions need no database; CACHE_DIR has what is kept"),
    *unused("TEST_ENV", (), "the image holds no tests"),
    *unused("ANY", (), "the examples' compose files have it to show where variables go"),
    *of_tools(
        "NVIDIA_VISIBLE_DEVICES PATH PYTHONPATH PYTHONUNBUFFERED CUDA_HOME TORCH_CUDA_ARCH_LIST"
        " PIP_CACHE_DIR CUDA_VERSION HOSTNAME",
        (),
        "of the container, the compiler or Python",
    ),
]

SOUND = [
    *unused(
        "MODEL_NAME",
        ("nemo_asr",),
        "NeMo's own checkpoints are not read: set SPEECH_MODEL to a Whisper, or with"
        " SPEECH_ENGINE=transformers to a speech recognizer on the hub",
    ),
    *unused(
        "DEEPGRAM_API_KEY DEEPGRAM_TEST_MODE S3_BUCKET S3_FOLDER", ("deepgram",), _NO_SPEECH_MADE
    ),
]

STORES = [
    *of_tools(
        "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY",
        ("deepgram", "mmdetection-3", "tesseract"),
        _OF_STORES,
    ),
    *of_tools("AWS_SESSION_TOKEN", ("deepgram", "tesseract"), _OF_STORES),
    *of_tools("AWS_DEFAULT_REGION", ("deepgram",), _OF_STORES),
    *unused(
        "AWS_ENDPOINT",
        ("tesseract",),
        "the driver of the extra `s3` reads AWS_ENDPOINT_URL, for the buckets in ALLOWED_BUCKETS",
    ),
    *of_tools(
        "MINIO_ROOT_USER MINIO_ROOT_PASSWORD MINIO_API_CORS_ALLOW_ORIGIN",
        ("tesseract",),
        "of the store beside the server, which stays as it is",
    ),
]
