"""Deploys what would be deployed, onto the local cloud."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from infra.deploy import publish
from infra.package import Package
from infra.progress import Failed
from infra.tables import set_times_to_live
from local.cloud import REGION, Cloud

STACK = "regulars-local"
_BUCKET = "regulars-code"
_API_STAGE = "api"
_BINARY = "x-amazon-apigateway-binary-media-types"
_DEPLOYED_WITHIN_SECONDS = 120.0
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass(frozen=True)
class Deployed:
    """What lies in the local cloud now: physical names by the names of `infra/resources.yaml`."""

    cloud: Cloud
    names: Mapping[str, str]
    environment: Mapping[str, str]

    @property
    def api_id(self) -> str:
        """The id of the REST API."""
        return self.names["RestAPI"]

    @property
    def api_path(self) -> str:
        """Where the stage of the API lies at the cloud's endpoint."""
        return f"/restapis/{self.api_id}/{_API_STAGE}/_user_request_"

    @property
    def invoke_operator(self) -> Callable[[dict[str, Any]], Any]:
        """Calls the `operator` function as `aws lambda invoke` does."""
        client = self.cloud.client("lambda")

        def invoke(event: dict[str, Any]) -> Any:
            done = client.invoke(FunctionName=self.names["Operator"], Payload=json.dumps(event))
            answer = json.load(done["Payload"])
            if "FunctionError" in done:
                raise Failed(f"operator failed: {answer}")
            return answer

        return invoke


def warm(deployed: Deployed) -> None:
    """Starts the functions behind the API, so that the first change need not wait for them."""
    client = deployed.cloud.client("lambda")
    for name in (
        "OnLedger",
        "OnRecords",
        "OnWallet",
        "OnGoogle",
        "OnDue",
        "OnWebhooks",
        "OnStores",
        "OnJobs",
    ):
        client.invoke(
            FunctionName=deployed.names[name], InvocationType="Event", Payload='{"Records": []}'
        )


def deploy(
    cloud: Cloud,
    package: Package,
    parameters: Mapping[str, str],
    secrets: Mapping[str, str],
) -> Deployed:
    """Creates or updates the stack. `secrets` go to the Parameter Store by their names.

    Raises `Failed`.
    """
    _put_secrets(cloud, secrets)
    s3 = cloud.client("s3")
    _ensure_bucket(s3)
    template = translate(publish(s3, _BUCKET, package))
    url = f"{cloud.endpoint}/{_BUCKET}/template.json"
    s3.put_object(Bucket=_BUCKET, Key="template.json", Body=json.dumps(template))
    _put_stack(cloud, url, parameters)
    names = physical_names(cloud)
    # What the emulator's stacks forget.
    set_times_to_live(cloud.client("dynamodb"), names)
    _set_gateway_responses(cloud.client("apigateway"), names["RestAPI"], template)
    settings = cloud.client("lambda").get_function_configuration(FunctionName=names["APIHandler"])
    return Deployed(cloud, names, settings["Environment"]["Variables"])


def translate(template: dict[str, Any]) -> dict[str, Any]:
    """The template after the SAM transform.

    The emulator could do that itself, but it overlooks the binary media types in the API's
    definition; as a property of the API it sees them.
    """
    # They take a second, and not every caller translates.
    from boto3 import Session
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    translator = Translator({}, Parser(), boto_session=Session(region_name=REGION))
    translated: dict[str, Any] = translator.translate(template, {})
    _loosen(translated["Resources"])
    for resource in translated["Resources"].values():
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            properties = resource["Properties"]
            properties["BinaryMediaTypes"] = properties["Body"][_BINARY]
    return translated


def _loosen(resources: dict[str, Any]) -> None:
    """What cannot be as strict here: the emulator has no TLS, which buckets ask for, and asks three
    questions of a role otherwise than AWS does.

    Whether it may read *any* path of the Parameter Store, and whether it may send a batch, or write
    one, which AWS allows with `sqs:SendMessage` and `dynamodb:PartiQLInsert`.
    """
    for name in [name for name, one in resources.items() if one["Type"] == "AWS::S3::BucketPolicy"]:
        del resources[name]
    for resource in resources.values():
        for policy in resource.get("Properties", {}).get("Policies", []):
            statements = policy["PolicyDocument"]["Statement"]
            if any("dynamodb:PartiQLInsert" in one.get("Action", ()) for one in statements):
                batches = {"Action": "dynamodb:BatchExecuteStatement", "Resource": "*"}
                statements.append({"Effect": "Allow", **batches})
            for statement in statements:
                if statement.get("Action") == "ssm:GetParametersByPath":
                    statement["Resource"] = "*"
                if statement.get("Action") == "sqs:SendMessage":
                    statement["Action"] = ["sqs:SendMessage", "sqs:SendMessageBatch"]


def _ensure_bucket(s3: Any) -> None:
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})


def _put_secrets(cloud: Cloud, secrets: Mapping[str, str]) -> None:
    client = cloud.client("ssm")
    for name, value in secrets.items():
        path = f"/regulars/local/{name}"
        client.put_parameter(
            Name=path, Value=value, Type="SecureString", Tier="Advanced", Overwrite=True
        )


def stack_exists(cloud: Cloud) -> bool:
    """Whether the cloud still knows an earlier deployment."""
    return _status(cloud) in _DONE


def _status(cloud: Cloud) -> str:
    client = cloud.client("cloudformation")
    try:
        stacks = client.describe_stacks(StackName=STACK)["Stacks"]
    except client.exceptions.ClientError:
        return ""
    return str(stacks[0]["StackStatus"])


def _put_stack(cloud: Cloud, url: str, parameters: Mapping[str, str]) -> None:
    client = cloud.client("cloudformation")
    put = client.update_stack if stack_exists(cloud) else client.create_stack
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    try:
        put(StackName=STACK, TemplateURL=url, Parameters=given, Capabilities=["CAPABILITY_IAM"])
    except client.exceptions.ClientError as error:
        if "No updates" in str(error):
            return
        raise Failed(f"The local cloud refuses the stack: {error}") from error
    ends_at = time.monotonic() + _DEPLOYED_WITHIN_SECONDS
    while (status := _status(cloud)).endswith("_IN_PROGRESS") and time.monotonic() < ends_at:
        time.sleep(0.1)
    if status not in _DONE:
        raise Failed(f"The stack on the local cloud is {status}: {_reasons(client)}")


def _reasons(client: Any) -> str:
    events = client.describe_stack_events(StackName=STACK)["StackEvents"]
    return "; ".join(
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
    )


def _set_gateway_responses(client: Any, api_id: str, template: dict[str, Any]) -> None:
    body = template["Resources"]["RestAPI"]["Properties"]["Body"]
    for kind, response in body["x-amazon-apigateway-gateway-responses"].items():
        client.put_gateway_response(restApiId=api_id, responseType=kind, **response)
    client.create_deployment(restApiId=api_id, stageName=_API_STAGE)


def physical_names(cloud: Cloud) -> dict[str, str]:
    client = cloud.client("cloudformation")
    pages = client.get_paginator("list_stack_resources").paginate(StackName=STACK)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
    }
