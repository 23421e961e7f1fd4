"""The token that opens Label Studio's files: one that no request can have is refused at once."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.errors import FetchError, SettingError
from shared.label_studio.project import Project
from shared.media.label_studio_files import LabelStudioHost
from shared.settings import Settings

REPO = Path(__file__).parents[2]

# All that the server and the commands ask the SDK's client for.
CLIENT = """
import re, sys
from pathlib import Path
for name in re.findall("^[a-z].*", Path("docker/unused-by-lite.txt").read_text(), re.M):
    sys.modules[name.replace("-", "_")] = None
import httpx
from shared.media.label_studio_files import sdk_client

client = sdk_client("http://localhost:1", "a" * 40, httpx.Client())
print(client._client_wrapper.get_headers()["Authorization"])
for name in ("annotations", "ml", "predictions", "projects", "tasks", "views"):
    getattr(client, name)
"""


@pytest.mark.parametrize("key", ["hunter2\nhunter2", "hünter2", "hunter2 hunter2"])
def test_a_key_that_no_request_can_have_is_refused_without_being_shown(key: str) -> None:
    given: Any = {"label_studio_url": "http://localhost:1", "label_studio_api_key": key}
    settings = Settings(**given)
    with pytest.raises(SettingError, match=r"LABEL_STUDIO_API_KEY has .* copy the token") as error:
        Project(7, settings)
    assert "nter2" not in str(error.value)
    with pytest.raises(FetchError, match="copy the token again"):
        LabelStudioHost(settings).auth_headers(httpx.Client())


def test_the_client_needs_no_package_that_an_image_leaves_out() -> None:
    ran = subprocess.run([sys.executable, "-c", CLIENT], capture_output=True, text=True, cwd=REPO)
    assert (ran.stdout, ran.stderr) == (f"Token {'a' * 40}\n", "")
