"""`LabelStudioMLBase`, imported without PyTorch.

Release 1.0.9 of label-studio-ml imports torch wherever it is installed, for training jobs that
nobody here starts: 600 MB of memory and seconds, also for a backend that has no use for it.
Backends that do import it themselves.
"""

import sys

_blocked = "torch" not in sys.modules
if _blocked:
    sys.modules["torch"] = None  # type: ignore[assignment]  # importing it fails, and is let go
try:
    from label_studio_ml.model import LabelStudioMLBase
finally:
    if _blocked:
        del sys.modules["torch"]

__all__ = ["LabelStudioMLBase"]
