"""Large files, on each engine that must keep them."""

import urllib.request
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError
from moto import mock_aws

from chalicelib.adapters.aws import make_client
from chalicelib.adapters.memory.files import MemoryFiles
from chalicelib.adapters.s3 import S3Files
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ports import Files
from local.cloud import REGION

PLACE = {"LocationConstraint": REGION}


@pytest.fixture(params=["twin", "moto", "emulator"])
def files(request: pytest.FixtureRequest) -> Iterator[Files]:
    """An empty place for files."""
    if request.param == "twin":
        yield MemoryFiles()
    elif request.param == "moto":
        with mock_aws():
            boto3.client("s3", REGION).create_bucket(
                Bucket="files", CreateBucketConfiguration=PLACE
            )
            yield S3Files("files", REGION)
    else:
        yield on_emulator(request.getfixturevalue("emulator"))


def on_emulator(endpoint: str) -> S3Files:
    bucket = f"files-{uuid4().hex}"
    client = make_client("s3", REGION, endpoint)
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration=PLACE)
    return S3Files(bucket, REGION, endpoint)


def test_what_is_written_is_read_in_ranges(files: Files) -> None:
    files.write("a/b", bytes(range(10)))
    assert files.size("a/b") == 10
    assert files.read("a/b", 0, 99) == bytes(range(10))
    assert files.read("a/b", 3, 4) == bytes([3, 4, 5, 6])
    assert files.read("a/b", 8, 4) == bytes([8, 9])
    assert files.read("a/b", 10, 4) == b""
    files.write("a/b", b"new")
    assert files.read("a/b", 0, 99) == b"new"


def test_an_empty_file_is_one(files: Files) -> None:
    files.write("empty", b"")
    assert files.size("empty") == 0
    assert files.read("empty", 0, 4) == b""


def test_what_is_not_there_has_no_size_and_is_not_read(files: Files) -> None:
    assert files.size("a/b") is None
    with pytest.raises(Unavailable):
        files.read("a/b", 0, 1)
    files.remove("a/b")
    files.write("a/b", b"x")
    files.remove("a/b")
    assert files.size("a/b") is None


def test_addresses_are_signed_for_one_file_and_one_thing(emulator: str) -> None:
    files = on_emulator(emulator)
    put = files.upload_url("uploads/ä b", 60)
    ask(put, "PUT", b"content")
    assert files.read("uploads/ä b", 0, 99) == b"content"
    assert ask(files.download_url("uploads/ä b", 60), "GET") == b"content"
    assert "X-Amz-Expires=60" in put
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in put
    assert "X-Amz-SignedHeaders=host&" in put, "the caller may send any type"


def ask(url: str, method: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, body, method=method)) as answer:
        content: bytes = answer.read()
    return content


def test_where_nobody_answers_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    files = S3Files("files", REGION, "http://127.0.0.1:9")

    def lost(*_: Any) -> None:
        raise ConnectionClosedError(endpoint_url="x")

    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(files._client._endpoint.http_session, "send", lost)
    for work in (
        lambda: files.size("a"),
        lambda: files.read("a", 0, 1),
        lambda: files.write("a", b""),
        lambda: files.remove("a"),
    ):
        with pytest.raises(Unavailable):
            work()
