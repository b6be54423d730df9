"""Secrets, from AWS Systems Manager's parameter store."""

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.aws import make_client
from chalicelib.domain.errors import Unavailable


def read_parameters(path: str, region: str) -> Mapping[str, str]:
    """All parameters under `path`, decrypted, by their last name. Raises `Unavailable`."""
    client = make_client("ssm", region)
    try:
        pages = client.get_paginator("get_parameters_by_path").paginate(
            Path=path, WithDecryption=True
        )
        found = [one for page in pages for one in page["Parameters"]]
    except (BotoCoreError, ClientError) as error:
        raise Unavailable("the parameter store cannot be read") from error
    return {one["Name"].rpartition("/")[2]: one["Value"] for one in found}
