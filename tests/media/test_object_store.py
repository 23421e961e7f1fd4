"""Object stores, against a real S3 server: what is read, and what each failure says."""

import hashlib
import socket
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.errors import FetchError, SettingError
from shared.media.object_address import AllowedBuckets, StoreAddress, parse_place
from shared.media.object_store import ObjectStore, StoreError
from shared.media.reader import MediaReader
from shared.settings import Settings
from tests.media.web import says, web
from tests.object_store import S3Bucket


def address(text: str) -> StoreAddress:
    found = StoreAddress.parse(text)
    assert found is not None
    return found


def reader(**settings: Any) -> MediaReader:
    return MediaReader(Settings(**settings))


# Addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/a/b.png", ("s3", "bucket", "a/b.png")),
        ("S3://bucket/a b?c#d%20.png", ("s3", "bucket", "a b?c#d%20.png")),
        ("gs://bucket/folder/", ("gs", "bucket", "folder")),
        ("abfs://box@account.host/a", ("abfs", "box@account.host", "a")),
        ("hdfs://node:8020/a", ("hdfs", "node:8020", "a")),
        ("s3://bucket", ("s3", "bucket", "")),
        ("s3:///a.png", None),
        ("s3:bucket/a.png", None),
        ("https://host/a.png", None),
        ("file:///etc/passwd", None),
        ("a/s3://bucket/b", None),
    ],
)
def test_addresses_are_parsed(text: str, expected: Any) -> None:
    assert StoreAddress.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tasks.json", Path("tasks.json")),
        ("file:///data/tasks 1.json", Path("/data/tasks 1.json")),
        ("s3://bucket/tasks.json", StoreAddress("s3", "bucket", "tasks.json")),
    ],
)
def test_places_of_a_command(text: str, expected: Any) -> None:
    assert parse_place(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file://data/a.json", "file:///folder/name"),
        ("ftp://host/a.json", "is no address of a store"),
        ("ftp://user:hunter2@host/a.json", "ftp://host/a.json is no address"),
        ("s3://", "with a bucket"),
    ],
)
def test_places_that_are_none(text: str, words: str) -> None:
    with pytest.raises(SettingError, match=words) as caught:
        parse_place(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("s3://open/a.png", True),
        ("s3a://open/a.png", True),  # the same store by another name
        ("s3://open", False),  # no object
        ("s3://opened/a.png", False),
        ("s3://Open/a.png", False),
        ("gs://open/a.png", False),
        ("s3://user@open/a.png", False),
        ("s3://part/folder/a.png", True),
        ("s3://part/folder/b/a.png", True),
        ("s3://part/folders/a.png", False),
        ("s3://part/a.png", False),
        ("s3://part/folder/../a.png", False),
        ("s3://part/folder/./a.png", False),
        ("s3://part/folder\\..\\a.png", False),
        ("s3://part/folder/..%2fa.png", True),  # the key itself: nothing decodes it
        ("s3://part//folder/a.png", True),  # read as folder/a.png
        ("file:///etc/passwd", False),
    ],
)
def test_buckets_that_tasks_may_name(value: str, allowed: bool) -> None:
    buckets = AllowedBuckets(["s3://open", "s3://part/folder/"])
    assert (buckets.find(value) is not None) is allowed


@pytest.mark.parametrize(
    "text", ["bucket", "file:///data", "https://host", "s3://b/../a", "s3://*"]
)
def test_settings_that_name_no_bucket(text: str) -> None:
    with pytest.raises(SettingError, match="ALLOWED_BUCKETS="):
        reader(allowed_buckets=text)


# The store


def test_objects_are_found_read_and_listed(s3: S3Bucket, tmp_path: Path) -> None:
    for key in ("b.txt", "a/[1] ?.txt", "a/z/c.txt", ".hidden/d.txt", "a/.e.txt"):
        s3.put(key, key.encode())
    s3.put("empty", b"")
    store, root = ObjectStore(address(s3.address)), address(s3.address)
    found = store.find(root / "b.txt")
    assert found is not None
    assert (found.size, found.tag) == (5, hashlib.md5(b"b.txt").hexdigest())
    assert store.find(root / "c.txt") is None
    assert store.find(root / "a") is None
    assert store.read(root / "a/[1] ?.txt", 100, 20) == b"a/[1] ?.txt"
    assert store.read(root / "empty", 100, 20) == b""
    assert [one.address.key for one in store.walk(root)] == [
        "b.txt",
        "empty",
        "a/[1] ?.txt",
        "a/z/c.txt",
    ]
    assert [one.address.key for one in store.glob(root / "a/**/*.txt")][:2] == [
        "a/.e.txt",
        "a/[1] ?.txt",
    ]
    store.download(root / "b.txt", tmp_path / "b.txt")
    assert (tmp_path / "b.txt").read_bytes() == b"b.txt"
    store.upload(tmp_path / "b.txt", root / "copies/b.txt")
    assert s3.get("copies/b.txt") == b"b.txt"
    store.remove(root / "b.txt")
    store.remove(root / "b.txt")
    assert store.find(root / "b.txt") is None


def test_an_object_that_changes_or_vanishes_while_it_is_read(s3: S3Bucket) -> None:
    root, size = address(s3.address), 17 << 20
    s3.put("changes", b"a" * size)
    s3.put("vanishes", b"a" * size)
    store = ObjectStore(root)
    with store.open(root / "changes") as file:
        assert file.read(1) == b"a"
        s3.put("changes", b"b" * size)
        with pytest.raises(StoreError, match="changed while it was read"):
            file.read()
    with store.open(root / "vanishes") as file:
        assert file.read(1) == b"a"
        s3.delete("vanishes")
        with pytest.raises(StoreError, match="is not there"):
            file.read()


def test_an_extra_that_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)  # as if it were not installed
    with pytest.raises(SettingError, match='gcsfs is not installed: install the extra "gcs"'):
        ObjectStore(address("gs://bucket/a"))


# Media of tasks


def test_media_are_read_from_allowed_buckets_only(s3: S3Bucket) -> None:
    inside, outside = s3.put("open/a.txt", b"inside"), s3.put("secret/a.txt", b"outside")
    media = reader(allowed_buckets=f"{s3.address}/open")
    assert media.fetch(inside) == b"inside"
    with pytest.raises(FetchError, match="ALLOWED_BUCKETS") as caught:
        media.fetch(outside)
    assert caught.value.cause == "label_studio_url_missing"
    with pytest.raises(FetchError, match="ALLOWED_BUCKETS") as caught:
        media.fetch("hdfs://node/a.txt")
    assert caught.value.cause == "bucket_not_allowed"
    with pytest.raises(FetchError, match="ALLOWED_BUCKETS"):
        reader().fetch(inside)


def test_a_file_is_never_read_for_a_task(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(FetchError, match='begin with "file:" are not fetched'):
        reader(allowed_buckets="s3://b").fetch(f"file://{tmp_path}/a.txt")


def test_what_is_not_allowed_goes_through_label_studio(s3: S3Bucket) -> None:
    with web() as site:
        site.pages["/tasks/7/presign/"] = says(b"from Label Studio")
        media = reader(label_studio_url=site.url, allowed_buckets=f"{s3.address}/open")
        assert media.fetch(f"{s3.address}/a.txt", 7) == b"from Label Studio"


def test_media_have_a_limit(s3: S3Bucket) -> None:
    large = s3.put("large", b"a" * 1001)
    media = reader(allowed_buckets=s3.address, max_media_mb=0.001)
    with pytest.raises(FetchError, match=r"/large is over MAX_MEDIA_MB=0\.001") as caught:
        media.fetch(large)
    assert caught.value.cause == "too_large"
    assert media.fetch(s3.put("small", b"a" * 1000)) == b"a" * 1000


def test_media_that_are_not_there(s3: S3Bucket) -> None:
    media = reader(allowed_buckets=f"{s3.address},s3://no-such-bucket")
    for missing in (f"{s3.address}/a.png", "s3://no-such-bucket/a.png"):
        with pytest.raises(FetchError, match=f"{missing} is not there"):
            media.fetch(missing)


def test_wrong_credentials(s3: S3Bucket) -> None:
    value = s3.put("a.txt", b"a")
    before = httpx.post(f"{s3.url}/moto-api/reset-auth", content="0").json()
    try:
        with pytest.raises(FetchError, match=f"{s3.address} refuses access: check AWS_ACC") as one:
            reader(allowed_buckets=s3.address).fetch(value)
    finally:
        limit = before["PREVIOUS_INITIAL_NO_AUTH_ACTION_COUNT"]
        httpx.post(f"{s3.url}/moto-api/reset-auth", content=str(limit))
    assert "a-key" not in str(one.value)
    assert "a-secret" not in str(one.value)


def test_no_credentials(s3: S3Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(FetchError, match="cannot be opened without credentials: set AWS_ACC"):
        reader(allowed_buckets=s3.address).fetch(f"{s3.address}/a.txt")


def test_a_store_that_is_not_there(s3: S3Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=f"the store of {s3.address} cannot be reached"):
        reader(allowed_buckets=s3.address).fetch(f"{s3.address}/a.txt")


def test_a_store_that_keeps_silent(s3: S3Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # nobody accepts
        port = silent.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        begun = time.monotonic()
        with pytest.raises(FetchError, match=f"{s3.address} did not answer in 0.3 s"):
            reader(allowed_buckets=s3.address, fetch_timeout=0.3).fetch(f"{s3.address}/a.txt")
        assert time.monotonic() - begun < 60  # not retried for minutes
