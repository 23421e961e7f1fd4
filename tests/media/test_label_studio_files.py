"""The token that opens Label Studio's files: one that no request can have is refused at once."""

from typing import Any

import httpx
import pytest

from shared.errors import FetchError, SettingError
from shared.label_studio.project import Project
from shared.media.label_studio_files import LabelStudioHost
from shared.settings import Settings


@pytest.mark.parametrize("key", ["hunter2\nhunter2", "hünter2", "hunter2 hunter2"])
def test_a_key_that_no_request_can_have_is_refused_without_being_shown(key: str) -> None:
    given: Any = {"label_studio_url": "http://localhost:1", "label_studio_api_key": key}
    settings = Settings(**given)
    with pytest.raises(SettingError, match=r"LABEL_STUDIO_API_KEY has .* copy the token") as error:
        Project(7, settings)
    assert "nter2" not in str(error.value)
    with pytest.raises(FetchError, match="copy the token again"):
        LabelStudioHost(settings, httpx.Client()).auth_headers()
