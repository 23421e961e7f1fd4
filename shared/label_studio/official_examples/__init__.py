"""What users of Label Studio's official ML backend examples have set, and what it means here.

The examples of `label_studio_ml/examples` in HumanSignal/label-studio-ml-backend, at its commit
d02cedf of 20 August 2026.
"""

EXTRAS = {
    "bert_classifier": ("text_classification", "train"),
    "deepgram": ("speech",),
    "docling": ("ocr",),
    "easyocr": ("easyocr",),
    "flair": ("ner",),
    "gliner": ("gliner", "train"),
    "grounding_dino": ("open-vocabulary",),
    "grounding_sam": ("open-vocabulary", "segment"),
    "huggingface_llm": ("prompt-local",),
    "huggingface_ner": ("ner", "train"),
    "interactive_substring_matching": ("ner",),
    "langchain_search_agent": ("prompt",),
    "llm_interactive": ("prompt",),
    "mmdetection-3": ("detection",),
    "nemo_asr": ("speech",),
    "ppocr": ("ocr",),
    "segment_anything_2_image": ("segment",),
    "segment_anything_2_video": ("segment",),
    "segment_anything_model": ("segment",),
    "segment_anything_video_interactive": ("segment",),
    "sklearn_text_classifier": ("text_classification", "train"),
    "spacy": ("spacy",),
    "tesseract": ("ocr",),
    "timeseries_segmenter": ("timeseries", "train"),
    "watsonx_llm": ("prompt",),
    "yolo": ("detection", "train"),
}
"""Each example, and the extras of prelabel that do here what it does."""

EXAMPLES = tuple(EXTRAS)
