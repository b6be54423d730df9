"""Deploys a stage to AWS: uploads the package and applies a CloudFormation change set.

    python -m infra.deploy --stage prod --bucket my-deployments --parameter RequestsPerSecond=50

Parameters that are not given keep the values they have. The bucket must be there; docs/operator.md
has the whole way.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.package import DEPLOYED_STAGES, Package, package
from infra.progress import Failed, say, step

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


def publish(s3: Any, bucket: str, made: Package) -> dict[str, Any]:
    """Uploads the archive under the name of its content. Returns the template that names it."""
    archive = made.archive.read_bytes()
    key = f"regulars/{hashlib.sha256(archive).hexdigest()}.zip"
    s3.put_object(Bucket=bucket, Key=key, Body=archive)
    template: dict[str, Any] = json.loads(made.template.read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{bucket}/{key}"
    return template


def deploy(stage: str, bucket: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Deploys a stage and returns the outputs of its stack. Raises `Failed`."""
    identity = boto3.client("sts").get_caller_identity()
    say(f"Deploying {stage} into account {identity['Account']}")
    made = package(stage)
    with step(f"Uploading to s3://{bucket}"):
        url, names = _upload(bucket, made)
    stack = Stack(f"regulars-{stage}", names)
    outputs = stack.apply(url, parameters)
    if not stack.parameters().get("BaseUrl"):
        # Links in passes need the public address, which is known only now.
        outputs = stack.apply(url, {"BaseUrl": outputs["EndpointURL"].rstrip("/")})
    return outputs


class Stack:
    """A CloudFormation stack, changed by change sets only."""

    def __init__(self, name: str, parameter_names: Iterable[str]) -> None:
        self.name = name
        self._parameter_names = frozenset(parameter_names)
        self._client = boto3.client("cloudformation")

    def parameters(self) -> dict[str, str]:
        """The values of now; none where the stack is not there yet."""
        found = self._describe()
        return {
            parameter["ParameterKey"]: parameter["ParameterValue"]
            for parameter in found.get("Parameters", [])
        }

    def apply(self, url: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Brings the stack to a template and returns its outputs."""
        change_set = f"deploy-{int(time.time())}"
        exists = self._exists()
        with step(f"{'Updating' if exists else 'Creating'} stack {self.name}"):
            self._client.create_change_set(
                StackName=self.name,
                ChangeSetName=change_set,
                ChangeSetType="UPDATE" if exists else "CREATE",
                TemplateURL=url,
                Parameters=self._parameters(parameters),
                Capabilities=_CAPABILITIES,
            )
            if self._has_changes(change_set):
                self._execute(
                    change_set, "stack_update_complete" if exists else "stack_create_complete"
                )
        return self.outputs()

    def outputs(self) -> dict[str, str]:
        """What it says of itself; nothing where the stack is not there."""
        outputs = self._describe().get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def _exists(self) -> bool:
        return self._describe().get("StackStatus", "REVIEW_IN_PROGRESS") != "REVIEW_IN_PROGRESS"

    def _describe(self) -> dict[str, Any]:
        try:
            stacks = self._client.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return {}
            raise
        found: dict[str, Any] = stacks[0]
        return found

    def _parameters(self, given: Mapping[str, str]) -> list[dict[str, Any]]:
        new = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
        kept = sorted((self.parameters().keys() & self._parameter_names) - given.keys())
        return [*new, *({"ParameterKey": name, "UsePreviousValue": True} for name in kept)]

    def _has_changes(self, change_set: str) -> bool:
        names = {"StackName": self.name, "ChangeSetName": change_set}
        while True:
            found = self._client.describe_change_set(**names)
            if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                break
            time.sleep(2)
        if found["Status"] == "FAILED":
            self._client.delete_change_set(**names)
            reason = found.get("StatusReason", "")
            if any(text in reason for text in _NO_CHANGES):
                say("  nothing to change")
                return False
            raise Failed(f"CloudFormation refuses the change: {reason}")
        for change in found["Changes"]:
            resource = change["ResourceChange"]
            say(f"  {resource['Action']:8}{resource['LogicalResourceId']}")
        return True

    def _execute(self, change_set: str, done: str) -> None:
        self._client.execute_change_set(StackName=self.name, ChangeSetName=change_set)
        self._client.get_waiter(done).wait(StackName=self.name, WaiterConfig={"Delay": 5})


def deployed(stage: str) -> dict[str, str]:
    """The outputs of a stage's stack. Raises `Failed` where there is none."""
    outputs = Stack(f"regulars-{stage}", ()).outputs()
    if not outputs:
        raise Failed(f"{stage} is not deployed with these credentials in this region")
    return outputs


def _upload(bucket: str, made: Package) -> tuple[str, list[str]]:
    """The address of the template, and the names of its parameters."""
    s3 = boto3.client("s3")
    template = publish(s3, bucket, made)
    body = json.dumps(template).encode()
    key = f"regulars/{hashlib.sha256(body).hexdigest()}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return f"{s3.meta.endpoint_url}/{bucket}/{key}", list(template["Parameters"])


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Deploys a stage to AWS.")
    parser.add_argument("--stage", choices=DEPLOYED_STAGES, required=True)
    parser.add_argument("--bucket", required=True, help="an S3 bucket of yours, in the same region")
    parser.add_argument(
        "--parameter", type=_parameter, action="append", default=[], metavar="NAME=VALUE"
    )
    given = parser.parse_args()
    if not given.bucket:
        parser.error("an S3 bucket is needed: make deploy BUCKET=...")
    try:
        outputs = deploy(given.stage, given.bucket, dict(given.parameter))
    except (BotoCoreError, ClientError, Failed) as failure:
        sys.exit(f"Not deployed: {failure}")
    for name, value in outputs.items():
        say(f"{name:20}{value}")


if __name__ == "__main__":
    main()
