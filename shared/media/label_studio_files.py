"""Label Studio's own address: its files, and the token that opens them."""

import base64
import re
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from shared.errors import FetchError, SettingError, escape_control, redact_url, truncate
from shared.settings import Settings

if TYPE_CHECKING:
    import httpx
    from label_studio_sdk.base_client import LabelStudioBase

# Paths of files. The token opens far more of Label Studio, which no task may reach.
_FILES = re.compile(r"/(data|storage-data)/|/(tasks|projects)/\w+/(presign|resolve)/?$")

# Addresses that only Label Studio, which holds the storage's keys, can resolve.
CLOUD_SCHEMES = ("s3", "gs", "azure-blob", "azure", "dbfs")

# Paths that only Label Studio writes, so that no file of one's own is meant.
_UPLOADS = re.compile(r"/(data/upload|storage-data)/")

# The remedy where only Label Studio can provide a file.
ACCESS_REMEDY = (
    "set LABEL_STUDIO_URL to its address as this server reaches it, and LABEL_STUDIO_API_KEY to a"
    " personal access token"
)

# What helps whoever meant a file of their own by a path.
OWN_FILE_REMEDY = (
    "for a file on this machine, write /data/local-files/?d=PATH and set LOCAL_FILES_ROOT to the"
    " folder in which PATH begins, or predict its folder: prelabel predict FOLDER"
)


class LabelStudioHost:
    """Resolves task values to URLs of Label Studio, and provides the headers for them."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.label_studio_url
        self._key = settings.label_studio_api_key
        self._client: LabelStudioBase | None = None
        self._lock = threading.Lock()

    def resolve_url(self, value: str, task_id: Any) -> str:
        """Return the URL of an upload (`/data/…`) or a cloud storage URI (`s3://…`)."""
        if self.url is None:
            raise FetchError(_describe_unreachable(value), cause="label_studio_url_missing")
        if urlsplit(value).scheme in CLOUD_SCHEMES:
            if not isinstance(task_id, int | str) or not re.fullmatch(r"\w+", str(task_id)):
                raise FetchError(
                    f'"{truncate_url(value)}" can be fetched for a task with an id only',
                    cause="invalid_address",
                )
            encoded = base64.urlsafe_b64encode(value.encode()).decode()
            return f"{self.url}/tasks/{task_id}/presign/?fileuri={encoded}"
        below = urlsplit(self.url).path  # Label Studio under a sub-path names it in values, too
        base = self.url.removesuffix(below) if value.startswith(f"{below}/") else self.url
        return f"{base}/{value.lstrip('/')}"

    def owns_url(self, url: str) -> bool:
        """Return whether an address is on Label Studio's host."""
        if self.url is None:
            return False
        ours, theirs = urlsplit(self.url), urlsplit(url)
        return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)

    def accepts_token(self, url: str) -> bool:
        """Return whether an address is a file of Label Studio: the token is sent nowhere else."""
        if self.url is None or not self.owns_url(url):
            return False
        path = unquote(urlsplit(url).path).removeprefix(urlsplit(self.url).path)
        plain = not {"..", "."} & set(re.split(r"[/\\]", path))
        return plain and _FILES.match(path) is not None

    def auth_headers(self, connections: "httpx.Client") -> dict[str, str]:
        """Return the authorization header; a personal access token is renewed when due, over these.

        What this imports, a server imports with its first download: see `MediaReader`.
        """
        import httpx

        from shared.media import egress

        if self._key is None or self.url is None:
            return {}
        with self._lock:
            try:
                client = self._sdk_client(self._key.get_secret_value(), connections)
                sent = client._client_wrapper.get_headers()
            except FetchError:
                raise
            except SettingError as error:
                raise FetchError(str(error), cause="label_studio_token") from None
            except httpx.TransportError as error:
                why = egress.describe_error(error)
                raise FetchError(f"Label Studio at LABEL_STUDIO_URL: {why}") from None
            except Exception as error:  # the SDK raises many kinds
                raise FetchError(
                    "Label Studio at LABEL_STUDIO_URL did not accept LABEL_STUDIO_API_KEY"
                    f" ({type(error).__name__}): make a personal access token in its account",
                    cause="label_studio_token",
                ) from None
        return {"Authorization": sent["Authorization"]}

    def _sdk_client(self, key: str, connections: "httpx.Client") -> "LabelStudioBase":
        if self._client is None:
            self._client = sdk_client(str(self.url), key, connections)
        return self._client


def sdk_client(url: str, key: str, connections: "httpx.Client") -> "LabelStudioBase":
    """Return the SDK's client of the Label Studio at `url`, which renews the token `key`.

    The base of its class `LabelStudio`, which imports pandas, NLTK and lxml for label configs and
    exports that nothing here asks it for: that takes 173 MB instead of 19.

    SettingError for a key that no request can have.
    """
    from label_studio_sdk.base_client import LabelStudioBase

    odd = next((place for place, one in enumerate(key, 1) if not "!" <= one <= "~"), None)
    if odd is not None:
        raise SettingError(
            f"LABEL_STUDIO_API_KEY has {len(key)} characters, of which number {odd} is none of a"
            " token: copy the token again, without blanks, line breaks or quotation marks"
        )
    # without the slash, the SDK renews tokens beside a sub-path and not below it
    return LabelStudioBase(base_url=f"{url}/", api_key=key, httpx_client=connections)


def _describe_unreachable(value: str) -> str:
    """Say what helps where a value needs Label Studio, whose address is not set."""
    file = truncate_url(value)
    if urlsplit(value).scheme in CLOUD_SCHEMES:
        own = "or name its bucket in ALLOWED_BUCKETS, and this server reads it itself"
        return f'"{file}" is a file of Label Studio: {ACCESS_REMEDY}; {own}'
    if _UPLOADS.search(value):
        return f'"{file}" is a file of Label Studio: {ACCESS_REMEDY}'
    return f'"{file}" is read as a file of Label Studio: {ACCESS_REMEDY}; {OWN_FILE_REMEDY}'


def truncate_url(value: str) -> str:
    """A value as a message shows it, on one line; query and password may hold secrets."""
    return truncate(escape_control(redact_url(value[:2000].partition("?")[0])), 80)
