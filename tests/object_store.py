"""A real S3 server on this machine: moto's, in a thread."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# What clients of AWS read; no other place for credentials is looked at.
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "a-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


@contextmanager
def serve_s3() -> Iterator[str]:
    """Serve S3 on a free port of the loopback address."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class S3Bucket:
    """A bucket, and the variables that open it."""

    def __init__(self, url: str) -> None:
        import boto3

        self.url = url
        self.name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.address = f"s3://{self.name}"
        self.variables = {**VARIABLES, "AWS_ENDPOINT_URL": url}
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="a-key",
            aws_secret_access_key="a-secret",
        )
        self.client.create_bucket(Bucket=self.name)

    def put(self, key: str, data: bytes) -> str:
        """Make an object; return its address."""
        self.client.put_object(Bucket=self.name, Key=key, Body=data)
        return f"{self.address}/{key}"

    def get(self, key: str) -> bytes:
        data: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def list_keys(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.name)
        return [one["Key"] for one in found.get("Contents", ())]


def open_bucket(url: str, monkeypatch: pytest.MonkeyPatch) -> S3Bucket:
    """Make a bucket, and let the environment open its server."""
    bucket = S3Bucket(url)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in bucket.variables.items():
        monkeypatch.setenv(name, value)
    return bucket
