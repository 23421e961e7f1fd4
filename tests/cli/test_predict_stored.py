"""`prelabel predict` from object stores into object stores: byte for byte what files give."""

import gzip
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.bulk import stored_output
from shared.errors import SettingError
from shared.label_studio.import_file import ImportFile
from shared.media.object_address import StoreAddress
from tests.object_store import S3Bucket

from .conftest import TEXT_CONFIG, Command, start

PATTERN = ("--label-config", TEXT_CONFIG, "--backend", "pattern")


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def texts(count: int) -> list[dict[str, Any]]:
    return [{"data": {"text": f"{number}: on 3 May 2024, 10:30"}} for number in range(count)]


def parquet(tasks: list[dict[str, Any]]) -> bytes:
    import pyarrow
    from pyarrow.parquet import write_table

    file = io.BytesIO()
    write_table(pyarrow.Table.from_pylist(tasks), file)
    return file.getvalue()


def parse(text: str) -> StoreAddress:
    found = StoreAddress.parse(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("given", "out"),
    [
        ("in.jsonl", "out.jsonl"),
        ("in.json", "new/out.json.gz"),
        ("in.csv", "out.json"),
        ("in.jsonl.gz", "out.jsonl.gz"),
        ("in.parquet", "out.jsonl"),
    ],
)
def test_the_same_bytes_as_from_files(
    given: str, out: str, s3: S3Bucket, prelabel: Command, tmp_path: Path
) -> None:
    tasks = [*texts(40), {"data": {"txt": "no text"}}]
    data = {
        "in.json": json.dumps(tasks).encode(),
        "in.jsonl": lines(*tasks),
        "in.jsonl.gz": gzip.compress(lines(*tasks)),
        "in.parquet": parquet(tasks),
        "in.csv": b"text\n" + b"".join(b"on %d May\n" % day for day in range(1, 20)) + b"a,b\n",
    }[given]
    (tmp_path / given).write_bytes(data)
    s3.put(given, data)
    assert prelabel("predict", given, *PATTERN, "-o", out).status == 1
    ran = prelabel("predict", f"{s3.address}/{given}", *PATTERN, "-o", f"{s3.address}/{out}")
    assert ran.status == 1
    assert s3.get(out) == (tmp_path / out).read_bytes()
    failed = f"{out}.failures.jsonl"
    expected = (tmp_path / failed).read_bytes()
    assert s3.get(failed).replace(f"{s3.address}/".encode(), b"") == expected
    assert sorted(s3.list_keys()) == sorted([given, out, failed])  # nothing else is left


def test_what_failed_is_predicted_again(s3: S3Bucket, prelabel: Command) -> None:
    given = s3.put("in.jsonl", lines({"text": f"{s3.address}/a.txt"}, {"text": "s3://b"}))
    Path("config.xml").write_text(URL_CONFIG)
    rest = ("--label-config", "config.xml", "--backend", "pattern")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALLOWED_BUCKETS", s3.address)
        out = f"{s3.address}/out.jsonl"
        ran = prelabel("predict", given, *rest, "-o", out)
        assert f"2 tasks failed (fetch 2): see {out}.failures.jsonl" in ran.err
        assert f"{out}: 2 tasks in" in ran.out
        s3.put("a.txt", b"on 3 May 2024")
        ran = prelabel("predict", given, *rest, "-o", out, "--only", "failed", "--dry-run")
        assert "2 tasks to predict" in ran.out, ran.err
        ran = prelabel("predict", given, *rest, "-o", out, "--only", "failed")
        assert "1 task failed" in ran.err
    tasks = [json.loads(line) for line in s3.get("out.jsonl").splitlines()]
    assert [len(task["predictions"]) for task in tasks] == [1, 0]
    assert sorted(s3.list_keys())[1:] == ["in.jsonl", "out.jsonl", "out.jsonl.failures.jsonl"]


URL_CONFIG = """<View><Text name="text" value="$text" valueType="url"/>
<Labels name="label" toName="text"><Label value="Date"/></Labels></View>"""


@pytest.mark.parametrize("what", ["", "/", "/*", "/b.txt", "/**/*.txt"])
def test_media_of_a_bucket(what: str, s3: S3Bucket, prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text(URL_CONFIG)
    (tmp_path / "media" / "in ner").mkdir(parents=True)
    for name in ("b.txt", "a.png", "in ner/c?.txt"):
        (tmp_path / "media" / name).write_bytes(b"on 3 May 2024")
        s3.put(f"media/{name}", b"on 3 May 2024")
    rest = ("--label-config", "config.xml", "--backend", "pattern", "--url-prefix", "x/", "-o")
    assert prelabel("predict", f"media{what}", *rest, "here.json").status == 0
    ran = prelabel("predict", f"{s3.address}/media{what}", *rest, "there.json")
    assert ran.status == 0, ran.err
    expected = json.loads((tmp_path / "here.json").read_text())
    found = json.loads((tmp_path / "there.json").read_text())
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert found[0]["predictions"][0]["result"][0]["value"]["text"] == "3 May 2024"


def test_tasks_name_the_objects_of_a_bucket(
    s3: S3Bucket, prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they were found; and predicted again, they are read if ALLOWED_BUCKETS allows it."""
    (tmp_path / "config.xml").write_text(URL_CONFIG)
    value = s3.put("media/a b.txt", b"on 3 May 2024")
    rest = ("--label-config", "config.xml", "--backend", "pattern", "-o")
    assert prelabel("predict", f"{s3.address}/media", *rest, "one.json").status == 0
    [task] = json.loads((tmp_path / "one.json").read_text())
    assert task["data"] == {"text": value}
    ran = prelabel("predict", "one.json", *rest, "two.json")
    assert ran.status == 1
    assert "ALLOWED_BUCKETS" in ran.err
    monkeypatch.setenv("ALLOWED_BUCKETS", f"{s3.address}/media")
    assert prelabel("predict", "one.json", *rest, "two.json").status == 0
    assert json.loads((tmp_path / "two.json").read_text()) == [task]


# Being stopped


def test_killed_and_continued(s3: S3Bucket, tmp_path: Path) -> None:
    tasks = [*texts(1500), {"data": {"txt": "no text"}}, *texts(500)]
    (tmp_path / "in.jsonl").write_bytes(lines(*tasks))
    given = s3.put("in.jsonl", lines(*tasks))
    with start(tmp_path, "predict", "in.jsonl", *PATTERN, "-o", "out.json") as process:
        assert process.wait(120) == 1
    (tmp_path / "cache").mkdir()
    arguments = ("predict", given, *PATTERN, "-o", f"{s3.address}/out.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CACHE_DIR", str(tmp_path / "cache"))
        with start(tmp_path, *arguments) as process:
            wait_until(lambda: sizes(tmp_path, "out.json.part") > 100_000, process)
            process.send_signal(signal.SIGKILL)
        assert "out.json" not in s3.list_keys()
        with start(tmp_path, *arguments, stderr=-1) as process:
            assert process.wait(120) == 2
            assert process.stderr is not None
            assert b"out.json.part/ is left from an interrupted run" in process.stderr.read()
        with start(tmp_path, *arguments, "--resume", stderr=-1) as process:
            assert process.wait(120) == 1
            assert process.stderr is not None
            assert b"tasks done already" in process.stderr.read()
    assert s3.get("out.json") == (tmp_path / "out.json").read_bytes()
    assert sorted(s3.list_keys()) == ["in.jsonl", "out.json", "out.json.failures.jsonl"]
    assert not sizes(tmp_path, "*.json*", "outputs")


def sizes(folder: Path, name: str, below: str = "cache") -> int:
    return sum(path.stat().st_size for path in folder.rglob(name) if below in path.parts)


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 120
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)


def interrupt(patch: pytest.MonkeyPatch, after: int) -> None:
    """Press Ctrl+C once so many tasks are written."""
    add_task = ImportFile.add_task

    def add(file: ImportFile, task: dict[str, Any]) -> None:
        if file.done == after:
            raise KeyboardInterrupt
        add_task(file, task)

    patch.setattr(ImportFile, "add_task", add)


def test_continued_on_another_machine(
    s3: S3Bucket, prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(20), {"data": {}}, *texts(30)))
    assert prelabel("predict", "in.jsonl", *PATTERN, "-o", "out.jsonl").status == 1
    arguments = ("predict", "in.jsonl", *PATTERN, "-o", f"{s3.address}/out.jsonl")
    for number, after in enumerate((10, 30, 40)):
        monkeypatch.setenv("CACHE_DIR", str(tmp_path / f"machine {number}"))
        with pytest.MonkeyPatch.context() as patch:
            interrupt(patch, after)
            ran = prelabel(*arguments, *(["--resume"] if number else []))
        assert ran.status == 130, ran.err
        assert ("done already" in ran.err) is bool(number)
    # the first machine has a spool that others have gone beyond
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "machine 0"))
    ran = prelabel(*arguments, "--resume")
    assert ran.status == 1
    assert "40 tasks done already" in ran.err
    assert s3.get("out.jsonl") == (tmp_path / "out.jsonl").read_bytes()
    assert (
        s3.get("out.jsonl.failures.jsonl") == (tmp_path / "out.jsonl.failures.jsonl").read_bytes()
    )
    assert prelabel(*arguments, "--resume").status == 1  # finished already, with its failures
    assert len(s3.list_keys()) == 2


def test_a_killed_machine_loses_what_was_not_mirrored(
    s3: S3Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_output, "PUSH_SECONDS", 0.01)
    address = parse(f"{s3.address}/out.jsonl")
    with stored_output.StoredOutput(address, tmp_path / "a", resume=False) as first:
        with ImportFile(first.path, {"x": 1}, resume=False) as file:
            file.add_failure({"index": 0})
            file.add_task({"data": {}})
            file.flush()
            until = time.monotonic() + 60
            while len(s3.list_keys()) < 3:
                assert time.monotonic() < until
                time.sleep(0.01)
            other = stored_output.StoredOutput(address, tmp_path / "b", resume=True)
            with pytest.raises(SettingError, match=r"being written on .*, or was until \d+ s ago"):
                other.__enter__()
            monkeypatch.setattr(stored_output, "SILENT_SECONDS", 0.0)
            with (
                stored_output.StoredOutput(address, tmp_path / "b", resume=True) as second,
                ImportFile(second.path, {"x": 1}, resume=True) as continued,
            ):
                assert list(continued.read_tasks()) == [{"data": {}}]
                continued.finish()
        assert s3.get("out.jsonl") == b'{"data":{}}\n'


def test_a_run_that_sends_tasks_stays_on_its_machine(
    s3: S3Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = parse(f"{s3.address}/out.jsonl")
    with stored_output.StoredOutput(address, tmp_path / "a", resume=False, is_bound=True):
        pass
    with pytest.raises(SettingError, match="only that machine knows how far it is"):
        stored_output.StoredOutput(address, tmp_path / "b", resume=True).__enter__()
    with stored_output.StoredOutput(address, tmp_path / "a", resume=True, is_bound=True):
        pass


def test_two_runs_on_one_output(s3: S3Bucket, tmp_path: Path) -> None:
    address = parse(f"{s3.address}/out.jsonl")
    second = stored_output.StoredOutput(address, tmp_path, resume=True)
    with (
        stored_output.StoredOutput(address, tmp_path, resume=False),
        pytest.raises(SettingError, match="is being written by another process here"),
    ):
        second.__enter__()


@pytest.mark.parametrize("command", ["dataset", "evaluate", "next", "pages", "show"])
def test_other_commands_write_here_only(command: str, prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text("[]")
    config = [] if command == "pages" else ["--label-config", TEXT_CONFIG]
    ran = prelabel(command, "in.json", *config, "-o", "s3://bucket/out")
    assert ran.status == 2
    assert "writes on this machine only" in " ".join(ran.err.replace("│", " ").split())
    assert [path.name for path in tmp_path.iterdir()] == ["in.json"]


def test_a_damaged_mark_of_a_run(s3: S3Bucket, tmp_path: Path) -> None:
    s3.put("out.jsonl.part/run.json", b'{"run": ')
    output = stored_output.StoredOutput(parse(f"{s3.address}/out.jsonl"), tmp_path, resume=True)
    with pytest.raises(SettingError, match=r"run\.json is damaged: delete .*out\.jsonl\.part/ to"):
        output.__enter__()


def test_long_journals_are_copied_piece_by_piece(
    s3: S3Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_output, "MAX_PIECE_BYTES", 100)
    address = parse(f"{s3.address}/out.jsonl")
    with (
        stored_output.StoredOutput(address, tmp_path / "a", resume=False) as first,
        ImportFile(first.path, {"x": 1}, resume=False) as file,
    ):
        for task in texts(10):
            file.add_task(task)
    assert len([key for key in s3.list_keys() if "/tasks-" in key]) > 3
    with (
        stored_output.StoredOutput(address, tmp_path / "b", resume=True) as second,
        ImportFile(second.path, {"x": 1}, resume=True) as continued,
    ):
        assert list(continued.read_tasks()) == texts(10)


# Stores that fail


def test_a_store_that_fails_at_the_end_gets_the_output_later(
    s3: S3Bucket, prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(5)))
    arguments = ("predict", "in.jsonl", *PATTERN, "-o", f"{s3.address}/out.jsonl")
    finish = ImportFile.finish

    def lose_the_store(file: ImportFile) -> None:
        finish(file)
        empty(s3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImportFile, "finish", lose_the_store)
        ran = prelabel(*arguments)
    assert ran.status == 2
    assert "is not there" in ran.err
    assert "--resume uploads it" in ran.err


def empty(s3: S3Bucket) -> None:
    for key in s3.list_keys():
        s3.delete(key)
    s3.client.delete_bucket(Bucket=s3.name)


@contextmanager
def refusing(s3: S3Bucket) -> Iterator[None]:
    """Let the server refuse all credentials inside the block."""
    reset = f"{s3.url}/moto-api/reset-auth"
    before = httpx.post(reset, content="0").json()["PREVIOUS_INITIAL_NO_AUTH_ACTION_COUNT"]
    try:
        yield
    finally:
        httpx.post(reset, content=str(before))


@pytest.mark.parametrize("where", ["input", "output"])
@pytest.mark.parametrize(
    "fault", ["unreachable", "no bucket", "no driver", "no credentials", "wrong credentials"]
)
def test_stores_that_cannot_be_used(
    where: str,
    fault: str,
    s3: S3Bucket,
    prelabel: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(5)))
    bucket, words = {
        "unreachable": (s3.address, f"the store of {s3.address} cannot be reached"),
        "no bucket": ("s3://no-such-bucket", "no such bucket"),
        "no driver": ("gs://bucket", "gcsfs is not installed"),
        "no credentials": (s3.address, "cannot be opened without credentials: set AWS_ACCESS_KEY"),
        "wrong credentials": (s3.address, "refuses access: check AWS_ACCESS_KEY_ID"),
    }[fault]
    if fault == "no credentials":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if fault == "no driver":
        monkeypatch.setitem(sys.modules, "gcsfs", None)
    if fault == "unreachable":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    given = f"{bucket}/in.jsonl" if where == "input" else "in.jsonl"
    out = f"{bucket}/out.jsonl" if where == "output" else "out.jsonl"
    with refusing(s3) if fault == "wrong credentials" else nullcontext():
        ran = prelabel("predict", given, *PATTERN, "-o", out)
    assert ran.status == 2
    assert "a-secret" not in ran.err
    message = " ".join(ran.err.replace("│", " ").split())
    assert words in message or (where == "input" and "file not found" in message)


def test_an_input_that_vanishes_ends_the_run(
    s3: S3Bucket, prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken for the end of the input; what was done is continued."""
    from shared.media import object_store

    monkeypatch.setattr(object_store, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(object_store, "COPY_BYTES", 1 << 16)
    tasks = texts(5_000)
    given = s3.put("in.jsonl", lines(*tasks))
    arguments = ("predict", given, *PATTERN, "-o", "out.jsonl")
    add_task = ImportFile.add_task

    def add(file: ImportFile, task: dict[str, Any]) -> None:
        if file.done == 10:
            s3.delete("in.jsonl")
        add_task(file, task)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImportFile, "add_task", add)
        ran = prelabel(*arguments)
    assert ran.status == 2
    assert f"{given} is not there" in ran.err
    assert (tmp_path / "out.jsonl.part").exists()
    s3.put("in.jsonl", lines(*tasks))
    assert prelabel(*arguments, "--resume").status == 0
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 5_000


def test_an_address_that_is_no_store(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(1)))
    ran = prelabel("predict", "in.jsonl", *PATTERN, "-o", "ftp://host/out.json")
    assert ran.status == 2
    assert "is no address of a store" in ran.err
    assert prelabel("predict", "in.jsonl", *PATTERN, "-o", f"file://{tmp_path}/o.json").status == 0
    assert len(json.loads((tmp_path / "o.json").read_text())) == 1
