import re
import sys
from pathlib import Path

import pytest

from shared.backend.extras import require
from shared.backend.installation import extra_command
from shared.errors import SettingError
from tests.evaluation.cases import Said, evaluate

TEXT = "<View><Text name='t' value='$t'/><TextArea name='c' toName='t'/></View>"


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jiwer", None)
    expected = f"jiwer is not installed: install the extra, e.g. {extra_command('evaluate')}"
    with pytest.raises(SettingError, match=re.escape(expected)):
        evaluate(TEXT, [([Said(["a"])], [Said(["a"])])])


def test_what_a_library_lacks_itself_is_its_own_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lacking.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ImportError, match="no_such_library"):
        require("lacking", "evaluate")
