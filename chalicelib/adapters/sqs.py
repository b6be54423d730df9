"""Queues of ours, on Amazon SQS."""

from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.aws import make_client
from chalicelib.domain.errors import Unavailable

BATCH = 10  # messages a call, the most SQS takes


class SqsQueue:
    """One queue."""

    def __init__(self, url: str, region: str) -> None:
        self._url = url
        self._client = make_client("sqs", region)

    def send(self, messages: Sequence[str], after_seconds: int = 0) -> None:
        """Sends all of them; SQS keeps them back for at most 900 seconds.

        Raises `Unavailable` where any could not be sent.
        """
        for start in range(0, len(messages), BATCH):
            rows = [
                {"Id": str(index), "MessageBody": body, "DelaySeconds": after_seconds}
                for index, body in enumerate(messages[start : start + BATCH])
            ]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=rows)
            except (BotoCoreError, ClientError) as error:
                raise Unavailable("a queue cannot be reached") from error
            if answer.get("Failed"):
                raise Unavailable("a queue did not take every message")
