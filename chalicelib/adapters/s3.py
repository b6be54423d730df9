"""Large files on Amazon S3.

Addresses are signed by the rights of whoever makes them, and end with his credentials at the latest
(docs.aws.amazon.com/AmazonS3, "Download and upload objects with presigned URLs"). A signed PUT
cannot say how large a file may become, so whoever reads it looks at its size first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.aws import make_client
from chalicelib.domain.errors import Unavailable


class S3Files:
    """Keeps the port `Files` in one bucket."""

    def __init__(self, bucket: str, region: str, endpoint: str | None = None) -> None:
        self._client = make_client("s3", region, endpoint, Config(signature_version="s3v4"))
        self._bucket = bucket

    def upload_url(self, name: str, expires_in_seconds: int) -> str:
        return self._signed("put_object", name, expires_in_seconds)

    def download_url(self, name: str, expires_in_seconds: int) -> str:
        return self._signed("get_object", name, expires_in_seconds)

    def size(self, name: str) -> int | None:
        with _translated():
            try:
                return int(self._client.head_object(**self._at(name))["ContentLength"])
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                    return None
                raise

    def read(self, name: str, start: int, length: int) -> bytes:
        """A range that begins behind the end is empty (RFC 9110, section 15.5.17)."""
        wanted = f"bytes={start}-{start + length - 1}"
        with _translated():
            try:
                answer = self._client.get_object(**self._at(name), Range=wanted)
                content: bytes = answer["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] == "InvalidRange":
                    return b""
                raise
        return content

    def write(self, name: str, content: bytes) -> None:
        with _translated():
            self._client.put_object(**self._at(name), Body=content)

    def remove(self, name: str) -> None:
        with _translated():
            self._client.delete_object(**self._at(name))

    def _signed(self, operation: str, name: str, seconds: int) -> str:
        url: str = self._client.generate_presigned_url(
            operation, Params=self._at(name), ExpiresIn=seconds
        )
        return url

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": name}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable("a file cannot be reached") from error
