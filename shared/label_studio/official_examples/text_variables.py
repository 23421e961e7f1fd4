"""What the variables of the official examples for texts and language models mean here."""

from shared.label_studio.official_examples import values
from shared.label_studio.official_examples.variable import OfficialVariable as Variable
from shared.label_studio.official_examples.variable import aliases, same, unused

_CLASSIFIERS = ("bert_classifier", "huggingface_ner")
_LANGUAGE_MODELS = ("llm_interactive", "watsonx_llm", "langchain_search_agent")
_TRAINED_IN_JOBS = (
    "a training finds it out by itself, and stops at the best epoch; TRAIN_MAX_MINUTES bounds it"
)
_OF_TEMPLATE = (
    "a question is made of the label config and the task; PROMPT_INSTRUCTION adds to it what holds"
    " for all of them"
)
_TEXT_AREAS = "every text area beside the prompt is filled, whatever its name"
_WATSONX = (
    "watsonx.ai is asked through an OpenAI-compatible address only: set PROMPT_BASE_URL,"
    " PROMPT_MODEL and PROMPT_API_KEY"
)
_WATSONX_DATA = (
    "annotations are not copied into a database: `prelabel dataset` writes them as files"
)

TEXTS = [
    Variable(
        "FINETUNED_MODEL_NAME",
        ("huggingface_ner",),
        "NER_MODEL",
        translate=values.find_trained_folder("ner"),
    ),
    Variable(
        "FINETUNED_MODEL_NAME",
        ("bert_classifier",),
        "TEXT_CLASSIFICATION_MODEL",
        translate=values.find_trained_folder("text_classification"),
    ),
    Variable("BASELINE_MODEL_NAME", ("huggingface_ner",), "NER_MODEL"),
    Variable(
        "BASELINE_MODEL_NAME",
        ("bert_classifier",),
        "TEXT_CLASSIFICATION_TRAIN_BASE",
        "trainings begin with it; if it is a classifier already, set TEXT_CLASSIFICATION_MODEL",
    ),
    *unused("LEARNING_RATE NUM_TRAIN_EPOCHS WEIGHT_DECAY", _CLASSIFIERS, _TRAINED_IN_JOBS),
    *aliases(
        "START_TRAINING_EACH_N_UPDATES=TRAIN_EACH_N_UPDATES",
        (*_CLASSIFIERS, "sklearn_text_classifier", "timeseries_segmenter"),
    ),
    *unused(
        "LOGISTIC_REGRESSION_C",
        ("sklearn_text_classifier",),
        "a training finds the regularization out by itself; TEXT_CLASSIFICATION_TRAIN=linear trains"
        " a linear model as the example does, on a frozen encoder's output",
    ),
    Variable("FINETUNED_MODEL_PATH", ("gliner",), "NER_MODEL", translate=values.find_gliner_folder),
    Variable("GLINER_MODEL_NAME", ("gliner",), "NER_MODEL", "it needs the extra `gliner`"),
    Variable("THRESHOLD", ("gliner",), "NER_SCORE_THRESHOLD", translate=values.read_fraction),
    *unused(
        "FLAIR_MODEL_NAME",
        ("flair",),
        "Flair's taggers are pickles, which are not read: the default of NER_MODEL finds PER, ORG,"
        " LOC and MISC, and another token classifier other labels",
    ),
    Variable("SPACY_MODEL", ("spacy",), "NER_MODEL", "it needs the extra `spacy`"),
    *aliases(
        "SEQUENCE_SIZE=TIMESERIES_WINDOW USE_CLASS_WEIGHTS=TIMESERIES_CLASS_WEIGHTS",
        ("timeseries_segmenter",),
    ),
    *unused(
        "HIDDEN_SIZE TRAIN_EPOCHS BALANCED_ACCURACY_THRESHOLD MIN_CLASS_F1_THRESHOLD",
        ("timeseries_segmenter",),
        "a training chooses its network by what it finds in held-out series, and a worse model than"
        " the one that serves is not served",
    ),
]

LANGUAGE = [
    *aliases("OPENAI_API_KEY=PROMPT_API_KEY", ("llm_interactive", "langchain_search_agent")),
    *same("PROMPT_PREFIX", _LANGUAGE_MODELS),
    *aliases("DEFAULT_PROMPT=PROMPT_INSTRUCTION", ("llm_interactive", "watsonx_llm")),
    *aliases(
        "OPENAI_PROVIDER=PROMPT_PROVIDER OPENAI_MODEL=PROMPT_MODEL NUM_RESPONSES=PROMPT_SAMPLES"
        " TEMPERATURE=PROMPT_TEMPERATURE OLLAMA_ENDPOINT=PROMPT_OLLAMA_ENDPOINT"
        " AZURE_RESOURCE_ENDPOINT=PROMPT_AZURE_RESOURCE_ENDPOINT"
        " AZURE_DEPLOYMENT_NAME=PROMPT_AZURE_DEPLOYMENT"
        " AZURE_API_VERSION=PROMPT_AZURE_API_VERSION",
        ("llm_interactive",),
    ),
    *unused("PROMPT_TEMPLATE", _LANGUAGE_MODELS, _OF_TEMPLATE),
    *unused("USE_INTERNAL_PROMPT_TEMPLATE", ("llm_interactive", "watsonx_llm"), _OF_TEMPLATE),
    *unused("RESPONSE_PREFIX SNIPPETS_PREFIX", ("langchain_search_agent",), _TEXT_AREAS),
    *unused(
        "GOOGLE_API_KEY GOOGLE_CSE_ID",
        ("langchain_search_agent",),
        "nothing is looked up on the web: set PROMPT_BASE_URL to a server whose model does so",
    ),
    *unused(
        "WATSONX_API_KEY WATSONX_PROJECT_ID WATSONX_MODELTYPE WATSONX_URL",
        ("watsonx_llm",),
        _WATSONX,
    ),
    *unused(
        "WATSONX_ENG_USERNAME WATSONX_ENG_HOST WATSONX_ENG_PORT WATSONX_CATALOG WATSONX_SCHEMA"
        " WATSONX_TABLE",
        ("watsonx_llm",),
        _WATSONX_DATA,
    ),
    Variable(
        "MODEL_NAME",
        ("huggingface_llm",),
        "PROMPT_MODEL",
        "it runs here, with the extra `prompt-local`",
        values.name_local_chat_model,
        beside=("MAX_LENGTH",),
    ),
    Variable(
        "MAX_LENGTH",
        ("huggingface_llm",),
        "PROMPT_MAX_TOKENS",
        "the example counts the task's text, too",
        values.read_whole_number,
        beside=("MODEL_NAME",),
    ),
]
