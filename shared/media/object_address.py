"""Addresses in object stores, and the buckets that tasks may name."""

import glob
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from shared.errors import SettingError, redact_url, truncate


class StoreKind(NamedTuple):
    """A kind of store: how fsspec calls it, what it needs, and where its credentials come from."""

    protocol: str
    module: str
    extra: str
    variables: str


_AWS = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL"
_S3 = StoreKind("s3", "s3fs", "s3", _AWS)
_GCS = StoreKind("gs", "gcsfs", "gcs", "GOOGLE_APPLICATION_CREDENTIALS")
_AZURE = StoreKind("abfs", "adlfs", "azure", "AZURE_STORAGE_CONNECTION_STRING")
_HDFS = StoreKind("hdfs", "pyarrow", "hdfs", "HADOOP_CONF_DIR and Kerberos")

# `gs` and `azure-blob` are also what Label Studio writes into tasks.
STORES = {
    "s3": _S3,
    "s3a": _S3,
    "gs": _GCS,
    "gcs": _GCS,
    "az": _AZURE,
    "abfs": _AZURE,
    "abfss": _AZURE,
    "azure-blob": _AZURE,
    "hdfs": _HDFS,
}

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


class StoreAddress(NamedTuple):
    """An object or folder: `s3://bucket/key`. The key is literal, without a `/` at its ends."""

    scheme: str
    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> "StoreAddress | None":
        """Return the address of a store; None if the text is none."""
        found = _SCHEME.match(text)
        if found is None or found[1].lower() not in STORES:
            return None
        bucket, _, key = text[found.end() :].partition("/")
        return cls(found[1].lower(), bucket, key.strip("/")) if bucket else None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"

    def __truediv__(self, name: str) -> "StoreAddress":
        return self._replace(key=f"{self.key}/{name}".strip("/"))

    @property
    def kind(self) -> StoreKind:
        """What is known of the store."""
        return STORES[self.scheme]

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def parent(self) -> "StoreAddress":
        """The folder that holds it."""
        return self._replace(key=self.key.rpartition("/")[0])

    @property
    def place(self) -> str:
        """The bucket, as messages name it: no user or password before it."""
        return self._redact(f"{self.scheme}://{self.bucket}/")[:-1]

    @property
    def shown(self) -> str:
        """The whole address, as messages name it."""
        return truncate(self._redact(str(self)), 200)

    def _redact(self, text: str) -> str:
        # container@account, in Azure
        return text if self.kind is _AZURE and ":" not in self.bucket else redact_url(text)

    def is_below(self, folder: "StoreAddress") -> bool:
        """Return whether it is in a folder, or the same; `..` and the like are in none."""
        if {".", ".."} & set(re.split(r"[/\\]", self.key)):
            return False
        same = self.kind == folder.kind and self.bucket == folder.bucket
        return same and (
            not folder.key or self.key == folder.key or self.key.startswith(f"{folder.key}/")
        )


def parse_place(name: str) -> StoreAddress | Path:
    """Return where a name of a command or setting leads: into a store, or to a path.

    `file:///folder/name` is the path /folder/name, read literally. SettingError for a scheme that
    is no store's.
    """
    found = _SCHEME.match(name)
    if found is None:
        return Path(name)
    if found[1].lower() == "file":
        path = Path(name[found.end() :])
        if not path.is_absolute():
            raise SettingError(f"{name} should be like file:///folder/name, with three slashes")
        return path
    address = StoreAddress.parse(name)
    if address is None:
        kinds = ", ".join(f"{scheme}://" for scheme in (*STORES, "file"))
        raise SettingError(
            f"{truncate(redact_url(name), 200)} is no address of a store: expected a path, or"
            f" {kinds} with a bucket"
        )
    return address


class AllowedBuckets:
    """The buckets of ALLOWED_BUCKETS, each with the folder in it that tasks may name, if any."""

    def __init__(self, buckets: Iterable[str]) -> None:
        """SettingError if one is no bucket."""
        self._folders = [_parse_bucket(text) for text in buckets]

    def find(self, value: str) -> StoreAddress | None:
        """Return the address that a task names, if it is allowed."""
        address = StoreAddress.parse(value)
        if address is None or not address.key:
            return None
        allowed = any(address.is_below(folder) for folder in self._folders)
        return address if allowed else None


def _parse_bucket(text: str) -> StoreAddress:
    address = StoreAddress.parse(text)
    if address is None or not address.is_below(address) or glob.has_magic(text):
        raise SettingError(
            f"ALLOWED_BUCKETS={truncate(redact_url(text), 200)}: expected buckets, or folders in"
            " them, such as s3://bucket/folder, without wildcards"
        )
    return address
