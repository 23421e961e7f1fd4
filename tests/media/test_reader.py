import base64
import logging
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from PIL import Image as Pillow

from shared.errors import DecodeError, FetchError, TaskError
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.media.reader import MediaReader
from shared.settings import Settings
from tests.media.web import (
    Visit,
    Web,
    drips,
    hangs_up,
    keeps_silent,
    leads_to,
    pours,
    promises,
    says,
    web,
)

LOOPBACK = "127.0.0.0/8"
SECRET = "signature=hunter2"


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Web]:
    with web() as server:
        yield server


_open: list[MediaReader] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


def media(**settings: Any) -> MediaReader:
    _open.append(MediaReader(Settings(**settings)))
    return _open[-1]


def shown_text(value: str, **attrs: str) -> str:
    return Task(1, {"t": value}).read_text(ObjectTag("Text", "t", "t", attrs), media())


def refused(where: MediaReader, value: str, task_id: Any = 1) -> str:
    """The message with which an address is refused; it is one line and no secret is in it."""
    with pytest.raises(FetchError) as caught:
        where.fetch(value, task_id)
    message = str(caught.value)
    assert "\n" not in message
    assert "hunter2" not in message
    assert len(message) < 400
    return message


# Data URLs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("data:text/plain;base64,SGk=", b"Hi"),
        ("DATA:text/plain;base64,SGk=", b"Hi"),
        ("data:;base64,", b""),
        ("data:,Hi%20you", b"Hi you"),
        ("data:text/plain;charset=utf-8,%C3%A9", "é".encode()),
        ("data:image/png;base64,%2B/8%3D", b"\xfb\xff"),
        ("data:image/png;base64,+/8=", b"\xfb\xff"),
    ],
)
def test_data_url(url: str, expected: bytes) -> None:
    assert media().fetch(url) == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,####", "not valid base64"),
        ("data:image/png;base64,SGk", "not valid base64"),
        ("data:image/png;base64,é", "not valid base64"),
        ("data:image/png;base64," + "A" * 20_000, "over MAX_MEDIA_MB=0.01"),
        ("data:," + "A" * 20_000, "over MAX_MEDIA_MB=0.01"),
    ],
    ids=["no-comma", "no-base64", "no-padding", "not-ascii", "too-large", "too-large-plain"],
)
def test_data_url_refused(url: str, words: str) -> None:
    assert words in refused(media(max_media_mb=0.01), url)


def test_data_urls_are_not_kept_in_memory() -> None:
    from urllib.parse import urlsplit

    cached = getattr(urlsplit, "cache_info", None)
    if cached is None:
        pytest.skip("this Python's urlsplit keeps nothing")
    where = media()
    urlsplit.cache_clear()
    for number in range(5):
        where.fetch(f"data:;base64,{'A' * 400}{number}AAA")
    assert cached().currsize == 0


# Local files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a b+c.txt").write_bytes(b"inside")
    (folder / "empty.txt").touch()
    (folder / "large.bin").write_bytes(bytes(20_000))
    (tmp_path / "outside.txt").write_bytes(b"outside")
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "x.txt").write_bytes(b"outside")
    (folder / "link-out").symlink_to(tmp_path / "outside.txt")
    (folder / "link-in").symlink_to(folder / "sub" / "a b+c.txt")
    (folder / "loop").symlink_to(folder / "loop")
    return folder


def local(name: str) -> str:
    return f"/data/local-files/?d={quote(name)}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(local("sub/a b+c.txt"), b"inside", id="quoted"),
        pytest.param("/data/local-files/?d=sub/a+b%2Bc.txt", b"inside", id="plus-is-a-blank"),
        pytest.param(local("/sub/a b+c.txt"), b"inside", id="leading-slash"),
        pytest.param(local("sub/../sub/a b+c.txt"), b"inside", id="dots-that-stay-inside"),
        pytest.param(local("link-in"), b"inside", id="link-that-stays-inside"),
        pytest.param(local("empty.txt"), b"", id="empty-file"),
        pytest.param("http://localhost:8080" + local("sub/a b+c.txt"), b"inside", id="with-a-host"),
        pytest.param("/label/data/local-files/?d=empty.txt", b"", id="under-a-sub-path"),
    ],
)
def test_local_file(value: str, expected: bytes, root: Path) -> None:
    assert media(local_files_root=root).fetch(value) == expected


def test_local_file_without_its_root() -> None:
    said = refused(media(), local("data set\\2.png"))
    assert said.startswith('"data set\\2.png" is in a local storage of Label Studio: set')
    assert "LOCAL_FILES_ROOT" in said
    assert "LABEL_STUDIO_URL" in said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../outside.txt", "lies outside LOCAL_FILES_ROOT"),
        ("sub/../../outside.txt", "lies outside LOCAL_FILES_ROOT"),
        ("../root2/x.txt", "lies outside LOCAL_FILES_ROOT"),
        ("link-out", "lies outside LOCAL_FILES_ROOT"),
        ("/etc/passwd", "is no file in LOCAL_FILES_ROOT"),
        ("gone.txt", "is no file in LOCAL_FILES_ROOT"),
        ("sub", "is no file in LOCAL_FILES_ROOT"),
        ("", "is no file in LOCAL_FILES_ROOT"),
        ("loop", "cannot be read in LOCAL_FILES_ROOT"),
        ("a\0b", "cannot be read in LOCAL_FILES_ROOT"),
        ("x" * 5000, "cannot be read in LOCAL_FILES_ROOT"),
        ("large.bin", "over MAX_MEDIA_MB=0.01"),
    ],
    ids=lambda text: text[:21],
)
def test_local_file_refused(name: str, words: str, root: Path) -> None:
    message = refused(media(local_files_root=root, max_media_mb=0.01), local(name))
    assert words in message
    assert str(root) not in message


def test_local_file_that_may_not_be_read(root: Path) -> None:
    (root / "closed.txt").write_bytes(b"closed")
    (root / "closed.txt").chmod(0)
    try:
        (root / "closed.txt").read_bytes()
        pytest.skip("this user may read everything")
    except PermissionError:
        assert "cannot be read" in refused(media(local_files_root=root), local("closed.txt"))


def test_local_files_are_closed_without_a_root(root: Path) -> None:
    assert "set LABEL_STUDIO_URL" in refused(media(), local("empty.txt"))


# Over the network


def test_public_file(site: Web) -> None:
    site.pages["/a.txt"] = says(b"Hi")
    assert media(allowed_networks=LOOPBACK).fetch(f"{site.url}/a.txt?{SECRET}") == b"Hi"
    assert site.visits == [(f"/a.txt?{SECRET}", None)]


def test_private_address_is_refused(site: Web) -> None:
    assert "set ALLOWED_NETWORKS" in refused(media(), f"{site.url}/a.txt?{SECRET}")
    assert site.visits == []


@pytest.mark.parametrize(
    ("address", "found", "wrong"),
    [
        ("http:/127.0.0.1/x.png?{}", "http:/127.0.0.1/x.png", "no host follows //"),
        ("http:x.png#{}", "http:x.png", "no host follows //"),
        ("https:///x.png", "https:///x.png", "no host follows //"),
        ("http://?{}", "http://", "no host follows //"),
        ("http:/ann:hunter2@127.0.0.1/x.png", "http:…", "no host follows //"),
        ("http://ann:hunter2/3@127.0.0.1/x.png", "http:…", "its host or port cannot be read"),
        ("http://127.0.0.1:hunter2", "http:…", "its host or port cannot be read"),
        ("http://[hunter2/x.png", "http:…", "its host or port cannot be read"),
    ],
)
def test_what_is_no_address_is_shown_as_found(address: str, found: str, wrong: str) -> None:
    message = refused(media(allowed_networks=LOOPBACK), address.format(SECRET))
    assert message.startswith(f'"{found}" is not a valid URL: {wrong}')
    assert "None" not in message


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500, 503, 304])
def test_status_is_told(status: int, site: Web) -> None:
    site.pages["/a"] = says(b"hunter2", status)
    message = refused(media(allowed_networks=LOOPBACK), f"{site.url}/a?{SECRET}")
    assert message == f"{site.url}/a answered {status}"


@pytest.mark.parametrize("status", [401, 403])
def test_label_studios_refusal_hints_at_the_key(status: int, site: Web) -> None:
    site.pages["/data/upload/1/a.png"] = says(b"", status)
    message = refused(media(label_studio_url=site.url), "/data/upload/1/a.png")
    assert (
        message == f"{site.url}/data/upload/1/a.png answered {status}: check LABEL_STUDIO_API_KEY"
    )


def test_redirect_is_followed(site: Web, elsewhere: Web) -> None:
    site.pages["/a"] = leads_to(f"{elsewhere.url}/b")
    elsewhere.pages["/b"] = says(b"Hi")
    assert media(allowed_networks=LOOPBACK).fetch(f"{site.url}/a") == b"Hi"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("http://127.0.0.2:{port}/b", "set ALLOWED_NETWORKS"),
        ("http://localhost:{port}/b", "set ALLOWED_NETWORKS"),
        ("http://10.0.0.1/b", "set ALLOWED_NETWORKS"),
        ("http://[::ffff:127.0.0.1]:{port}/b", "set ALLOWED_NETWORKS"),
        ("http://169.254.169.254/latest/meta-data", "never fetched"),
        ("http://[::ffff:a9fe:a9fe]/latest", "never fetched"),
        ("file:///etc/passwd", "UnsupportedProtocol"),
        ("ftp://127.0.0.1/", "UnsupportedProtocol"),
        ("http://[bad", "cannot be resolved"),
        ("/a", "TooManyRedirects"),
    ],
)
def test_redirect_refused(target: str, words: str, site: Web, elsewhere: Web) -> None:
    site.pages["/a"] = leads_to(target.format(port=elsewhere.server_port))
    elsewhere.pages["/b"] = says(b"Hi")
    assert words in refused(media(label_studio_url=site.url), f"{site.url}/a?{SECRET}")
    assert elsewhere.visits == []


@pytest.mark.parametrize("networks", ["0.0.0.0/0,::/0", "169.254.0.0/16"])
def test_metadata_is_refused_whatever_is_allowed(networks: str, site: Web) -> None:
    site.pages["/a"] = leads_to("http://169.254.169.254/latest")
    where = media(allowed_networks=networks, label_studio_url=site.url)
    assert "never fetched" in refused(where, f"{site.url}/a")
    assert "never fetched" in refused(where, "http://169.254.169.254/latest")


def test_allowed_hosts_hold_for_redirects(site: Web, elsewhere: Web) -> None:
    site.pages["/a"] = leads_to(elsewhere.url.replace("127.0.0.1", "localhost") + "/b")
    where = media(allowed_networks=f"{LOOPBACK},::1", allowed_hosts="127.0.0.1")
    assert "localhost is not in ALLOWED_HOSTS" in refused(where, f"{site.url}/a")


def test_too_large_by_the_head(site: Web) -> None:
    site.pages["/a"] = promises(20_000, 30.0)
    where = media(max_media_mb=0.01, allowed_networks=LOOPBACK, fetch_timeout=60)
    start = time.monotonic()
    message = refused(where, f"{site.url}/a?{SECRET}")
    assert message == f"{site.url}/a is over MAX_MEDIA_MB=0.01"
    assert time.monotonic() - start < 20


def test_too_large_by_the_stream(site: Web) -> None:
    site.pages["/a"] = pours(1000)
    where = media(max_media_mb=0.01, allowed_networks=LOOPBACK)
    assert "is over MAX_MEDIA_MB=0.01" in refused(where, f"{site.url}/a?{SECRET}")


def test_as_large_as_allowed(site: Web) -> None:
    site.pages["/a"] = pours(1)
    assert len(media(max_media_mb=0.01, allowed_networks=LOOPBACK).fetch(f"{site.url}/a")) == 10_000


def _drip_head(visit: Visit) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 600:
        visit.wfile.write(bytes([byte]))
        time.sleep(0.1)


@pytest.mark.parametrize(
    "page",
    [keeps_silent(60), promises(100, 60), drips(b"x" * 600, 0.1), _drip_head],
    ids=["silent", "silent-after-the-head", "byte-for-byte", "head-byte-for-byte"],
)
def test_slow_server_is_left_after_fetch_timeout(page: Any, site: Web) -> None:
    site.pages["/a"] = page
    where = media(fetch_timeout=0.3, allowed_networks=LOOPBACK)
    start = time.monotonic()
    assert "FETCH_TIMEOUT=0.3 s" in refused(where, f"{site.url}/a?{SECRET}")
    assert time.monotonic() - start < 20


def test_timeout_is_for_all_redirects_together(site: Web) -> None:
    def slowly(visit: Visit) -> None:
        time.sleep(0.2)
        leads_to("/a")(visit)

    site.pages["/a"] = slowly
    start = time.monotonic()
    where = media(fetch_timeout=0.3, allowed_networks=LOOPBACK)
    assert "FETCH_TIMEOUT=0.3 s" in refused(where, f"{site.url}/a")
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("page", "words"),
    [(hangs_up, "cannot be fetched: RemoteProtocolError"), (promises(9, 0), "cannot be fetched")],
    ids=["before-the-head", "before-the-end"],
)
def test_server_hangs_up(page: Any, words: str, site: Web) -> None:
    site.pages["/a"] = page
    assert words in refused(media(allowed_networks=LOOPBACK), f"{site.url}/a?{SECRET}")


def test_broken_compression(site: Web) -> None:
    site.pages["/a"] = says(b"no gzip at all", Content_Encoding="gzip")
    assert "DecodingError" in refused(media(allowed_networks=LOOPBACK), f"{site.url}/a")


def test_closed_port_is_told() -> None:
    with web() as gone:
        url = gone.url
    assert "cannot be fetched" in refused(media(allowed_networks=LOOPBACK), f"{url}/a?{SECRET}")


@pytest.mark.parametrize(
    "value",
    [
        "http://",
        "http:///a",
        "http://[bad/a",
        "http://host:port/a",
        "http://host:99999/a",
        "http://a b/c",
        "http://\u2100.com/",
        "http://127.0.0.1:1/\x00",
        "https://nowhere.invalid/a",
    ],
)
def test_address_that_is_none(value: str) -> None:
    refused(media(allowed_networks=LOOPBACK), value)


@pytest.mark.parametrize(
    ("value", "scheme"),
    [
        ("ftp://host/a", "ftp"),
        ("file:///etc/passwd", "file"),
        ("FILE:///etc/passwd", "file"),
        ("file:/etc/passwd", "file"),
        ("gopher://host/", "gopher"),
        ("unix:///run/docker.sock", "unix"),
    ],
)
def test_scheme_that_is_not_fetched(value: str, scheme: str) -> None:
    message = refused(media(label_studio_url="http://127.0.0.1:1"), value)
    assert message.startswith(f'Addresses that begin with "{scheme}:" are not fetched')


# Label Studio's own files


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("/data/upload/1/a%20b.png", "/data/upload/1/a%20b.png"),
        ("data/upload/1/a.png", "/data/upload/1/a.png"),
        ("//evil.example.org/a.png", "/evil.example.org/a.png"),
        ("@evil.example.org/a.png", "/@evil.example.org/a.png"),
        ("s3://bucket/a b.png", "/tasks/7/presign/?fileuri=czM6Ly9idWNrZXQvYSBiLnBuZw=="),
        ("azure-blob://c/a.png", "/tasks/7/presign/?fileuri=YXp1cmUtYmxvYjovL2MvYS5wbmc="),
    ],
)
def test_label_studios_own_address(value: str, path: str, site: Web) -> None:
    site.pages[path.partition("?")[0]] = says(b"Hi")
    assert media(label_studio_url=f"{site.url}/").fetch(value, 7) == b"Hi"
    assert site.visits == [(path, None)]


@pytest.mark.parametrize(
    ("sub_path", "value", "path"),
    [
        ("/studio", "/data/upload/1/a.png", "/studio/data/upload/1/a.png"),
        ("/studio", "/studio/data/upload/1/a.png", "/studio/data/upload/1/a.png"),
        ("/studio", "/studio2/a.png", "/studio/studio2/a.png"),
        ("/data", "/data/upload/1/a.png", "/data/upload/1/a.png"),
        ("", "/data/upload/1/a.png", "/data/upload/1/a.png"),
    ],
)
def test_label_studio_under_a_sub_path(sub_path: str, value: str, path: str, site: Web) -> None:
    site.pages[path] = says(b"Hi")
    assert media(label_studio_url=site.url + sub_path).fetch(value) == b"Hi"


def test_cloud_file_without_a_task() -> None:
    where = media(label_studio_url="http://127.0.0.1:1")
    assert "for a task with an id only" in refused(where, "gs://bucket/a.png", None)


def test_label_studios_file_without_its_address() -> None:
    message = refused(media(), "/data/upload/1/" + "a" * 500)
    assert "set LABEL_STUDIO_URL" in message
    assert "LABEL_STUDIO_API_KEY" in message


def test_token_is_sent_to_label_studio_only(site: Web, elsewhere: Web) -> None:
    site.pages["/data/a"] = elsewhere.pages["/data/a"] = says(b"Hi")
    where = media(
        label_studio_url=site.url, label_studio_api_key="hunter2", allowed_networks=LOOPBACK
    )
    where.fetch("/data/a")
    where.fetch(f"{site.url}/data/a")
    where.fetch(f"{elsewhere.url}/data/a")
    where.fetch(f"http://127.0.0.1:{site.server_port}@127.0.0.1:{elsewhere.server_port}/data/a")
    assert site.visits == [("/data/a", "Token hunter2")] * 2
    assert elsewhere.visits[0] == ("/data/a", None)
    assert "hunter2" not in str(elsewhere.visits)


@pytest.mark.parametrize("sub_path", ["", "/studio"])
@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/data/upload/1/a.png", True),
        ("/data/local-files/?d=a.png", True),
        ("/storage-data/uploaded/?filepath=a.png", True),
        ("/tasks/7/presign/?fileuri=x", True),
        ("/projects/7/resolve/?fileuri=x", True),
        ("/api/current-user/token", False),
        ("/api/projects/2/export?exportType=JSON", False),
        ("/user/account/", False),
        ("/data/../api/users/", False),
        ("/data/%2e%2e/api/users/", False),
        ("/data/..%2fapi/users/", False),
        ("/tasks/7/presign/../../../api/users/", False),
        ("/database/", False),
        ("/tasks/7/", False),
    ],
)
def test_token_opens_files_of_label_studio_and_nothing_else(
    path: str, sent: bool, sub_path: str, site: Web
) -> None:
    """Whoever can add a task could otherwise have everything read that the token may read."""
    where = media(label_studio_url=site.url + sub_path, label_studio_api_key="hunter2")
    refused(where, path)
    refused(where, f"{site.url}{sub_path}{path}")
    assert [header for _, header in site.visits] == ["Token hunter2" if sent else None] * 2


@pytest.mark.parametrize("task_id", [None, "7/../../api/users", "", 7.5, ["7"], "7?x="])
def test_cloud_file_of_a_task_whose_id_is_none(task_id: Any, site: Web) -> None:
    where = media(label_studio_url=site.url, label_studio_api_key="hunter2")
    assert "for a task with an id only" in refused(where, "s3://key:hunter2@b/a.png", task_id)
    assert site.visits == []


def test_token_is_not_sent_after_a_redirect_elsewhere(site: Web, elsewhere: Web) -> None:
    site.pages["/data/a"] = leads_to(f"{elsewhere.url}/b")
    site.pages["/data/c"] = leads_to("/data/d")
    site.pages["/data/d"] = elsewhere.pages["/b"] = says(b"Hi")
    where = media(
        label_studio_url=site.url, label_studio_api_key="hunter2", allowed_networks=LOOPBACK
    )
    assert where.fetch("/data/a") == where.fetch("/data/c") == b"Hi"
    assert elsewhere.visits == [("/b", None)]
    assert site.visits[-1] == ("/data/d", "Token hunter2")


def token(kind: str, minutes: float) -> str:
    ends = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    return jwt.encode({"token_type": kind, "exp": ends}, "k" * 32)


@pytest.mark.parametrize("sub_path", ["", "/studio"])
def test_personal_access_token_is_exchanged_once(sub_path: str, site: Web) -> None:
    access = token("access", 5)
    site.pages[f"{sub_path}/api/token/refresh/"] = says(
        b'{"access": "%s"}' % access.encode(), Content_Type="application/json"
    )
    site.pages[f"{sub_path}/data/a"] = says(b"Hi")
    where = media(label_studio_url=site.url + sub_path, label_studio_api_key=token("refresh", 60))
    assert where.fetch("/data/a") == where.fetch("/data/a") == b"Hi"
    assert [path for path, _ in site.visits].count(f"{sub_path}/api/token/refresh/") == 1
    assert site.visits[-1] == (f"{sub_path}/data/a", f"Bearer {access}")


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        pytest.param(token("refresh", -1), None, id="expired"),
        pytest.param(token("refresh", 60), says(b'{"detail": "hunter2"}', 401), id="refused"),
        pytest.param(token("refresh", 60), says(b"<html>hunter2", 502), id="no-json"),
        pytest.param(token("refresh", 60), None, id="no-such-page"),
    ],
)
def test_personal_access_token_that_is_not_accepted(key: str, answer: Any, site: Web) -> None:
    if answer:
        site.pages["/api/token/refresh/"] = answer
    where = media(label_studio_url=site.url, label_studio_api_key=key)
    message = refused(where, "/data/upload/1/a.png")
    assert "did not accept LABEL_STUDIO_API_KEY" in message
    assert key not in message


def test_log_has_no_query(site: Web, caplog: pytest.LogCaptureFixture) -> None:
    site.pages["/a"] = says(b"Hi")
    with caplog.at_level(logging.INFO, "shared"):
        media(allowed_networks=LOOPBACK).fetch(f"{site.url}/a?{SECRET}")
    assert "hunter2" not in "".join(r.getMessage() for r in caplog.records if "shared" in r.name)


# Texts and images


def test_text_is_the_value_itself() -> None:
    assert shown_text("http://not.fetched/") == "http://not.fetched/"


@pytest.mark.parametrize(
    ("body", "expected"),
    [("Ж é".encode(), "Ж é"), (b"\xef\xbb\xbfHi", "Hi"), (b"", "")],
    ids=["utf-8", "byte-order-mark", "empty"],
)
def test_text_at_an_address(body: bytes, expected: str) -> None:
    url = f"data:;base64,{base64.b64encode(body).decode()}"
    assert shown_text(url, valueType="url") == expected


def test_text_that_is_none() -> None:
    with pytest.raises(DecodeError, match="The text is not UTF-8: byte 1 is not"):
        shown_text("data:;base64,QYA=", valueType="url")


def test_image(root: Path) -> None:
    Pillow.new("RGB", (3, 2), "red").save(root / "a.png")
    where = media(local_files_root=root, max_megapixels=1)
    assert where.read_image(local("a.png")).size == (3, 2)
    with pytest.raises(TaskError, match="Not a readable image"):
        where.read_image(local("sub/a b+c.txt"))


def test_close() -> None:
    where = media(allowed_networks=LOOPBACK)
    where.close()
    with web() as server, pytest.raises((FetchError, RuntimeError)):
        where.fetch(f"{server.url}/a")


# What is not an address, or is written in another way


@pytest.mark.parametrize("around", [" {}", "{} ", "\t{}\n", "\u0000{}\x1f"], ids=repr)
def test_blanks_around_an_address_are_dropped(around: str, root: Path, site: Web) -> None:
    site.pages["/a.txt"] = says(b"Hi")
    where = media(local_files_root=root, allowed_networks=LOOPBACK)
    assert where.fetch(around.format(local("sub/a b+c.txt"))) == b"inside"
    assert where.fetch(around.format(f"{site.url}/a.txt")) == b"Hi"
    assert where.fetch(around.format("data:,Hi")) == b"Hi"


@pytest.mark.parametrize(
    "value",
    [
        r"/data/local-files/?d=sub\a b%2Bc.txt",
        r"/data/local-files/?d=sub%5Ca b%2Bc.txt",
        r"\data\local-files\?d=\sub\a b%2Bc.txt",
        r"http:\\localhost:8080\data\local-files\?d=sub\a b%2Bc.txt",
    ],
)
def test_backslashes_are_slashes(value: str, root: Path) -> None:
    assert media(local_files_root=root).fetch(value) == b"inside"


def test_backslashes_lead_out_of_no_root(root: Path) -> None:
    message = refused(media(local_files_root=root), r"/data/local-files/?d=..\outside.txt")
    assert "lies outside LOCAL_FILES_ROOT" in message


def test_a_file_with_a_backslash_in_its_name(root: Path) -> None:
    (root / r"sub\b.txt").write_bytes(b"odd")
    assert media(local_files_root=root).fetch(r"/data/local-files/?d=sub\b.txt") == b"odd"


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_an_empty_address(value: str) -> None:
    assert refused(media(label_studio_url="http://127.0.0.1:1"), value) == "The address is empty"


@pytest.mark.parametrize(
    ("format", "kind"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif")]
)
def test_base64_without_its_type(format: str, kind: str) -> None:  # noqa: A002
    import io

    made = io.BytesIO()
    Pillow.new("RGB", (30, 20)).save(made, format)
    message = refused(media(), base64.b64encode(made.getvalue()).decode())
    assert f'base64 without its type: write "data:{kind};base64," before it' in message


@pytest.mark.parametrize("value", [r"C:\photos\a.png", "c:/photos/a.png"])
def test_a_path_of_windows(value: str) -> None:
    assert "is a path of Windows" in refused(media(label_studio_url="http://127.0.0.1:1"), value)


def test_a_text_in_the_place_of_its_address() -> None:
    with pytest.raises(FetchError) as caught:
        shown_text("Laura met Paul.", valueType="url")
    assert 'Text "t" shows is not an address, but the tag says valueType="url"' in str(caught.value)


@pytest.mark.parametrize(
    ("value", "own"),
    [
        ("sign.jpg", True),
        ("/home/me/sign.jpg", True),
        ("/data/upload/1/sign.jpg", False),
        ("/sub/data/upload/1/sign.jpg", False),
        ("s3://bucket/sign.jpg", False),
    ],
)
def test_whoever_means_a_file_of_their_own_is_told_how(value: str, own: bool) -> None:
    with pytest.raises(FetchError) as refusal:
        media().fetch(value, 1)
    said = str(refusal.value)
    assert refusal.value.cause == "label_studio_url_missing"
    assert f'"{value}" is ' in said
    assert "set LABEL_STUDIO_URL" in said
    ways = ("/data/local-files/?d=", "LOCAL_FILES_ROOT", "prelabel predict FOLDER")
    assert [way in said for way in ways] == [own] * 3
