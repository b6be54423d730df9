"""What would be deployed, read from the template that `make package` makes."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from infra.tables import create_tables, table_definitions
from infra.template import RESOURCES, merge_template

FUNCTIONS = [
    "APIHandler",
    "OnDue",
    "OnGoogle",
    "OnHour",
    "OnJobs",
    "OnLedger",
    "OnRecords",
    "OnStores",
    "OnWallet",
    "OnWebhooks",
    "Operator",
]
SECONDS = {"OnHour": 300, "OnGoogle": 60, "OnJobs": 120, "OnStores": 60}
TABLES = ["Ledger", "Orders", "Records"]
APPEND = {
    "dynamodb:ConditionCheckItem",
    "dynamodb:GetItem",
    "dynamodb:PartiQLInsert",
    "dynamodb:PutItem",
    "dynamodb:Query",
}
RESOURCES_OF_AN_API = 300  # docs.aws.amazon.com/apigateway, "Quotas"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def resources(template: Json) -> Json:
    found: Json = template["Resources"]
    return found


def of_type(resources: Json, kind: str) -> dict[str, Json]:
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == kind
    }


def statements(resources: Json, function: str) -> list[Json]:
    """What a function may do: the statements of its role."""
    role = resources[function]["Properties"]["Role"]["Fn::GetAtt"][0]
    return [
        statement["Fn::If"][1] if "Fn::If" in statement else statement
        for policy in resources[role]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def actions(statement: Json) -> set[str]:
    named = statement["Action"]
    return {named} if isinstance(named, str) else set(named)


def allowed_on(resources: Json, function: str, name: str) -> set[str]:
    """The actions that a function may take on a resource of the template."""
    return {
        action
        for statement in statements(resources, function)
        if name in names_in(statement["Resource"])
        for action in actions(statement)
    }


def names_in(value: Any) -> Iterator[str]:
    """The resources that an expression of the template names."""
    if isinstance(value, list):
        for one in value:
            yield from names_in(one)
    elif "Fn::GetAtt" in value:
        yield value["Fn::GetAtt"][0]
    elif "Fn::Sub" in value:
        yield value["Fn::Sub"].split("{")[1].split(".")[0]
    else:
        yield value["Ref"]


def alarms_on(resources: Json, metric: str) -> set[str]:
    """The resources whose metric raises an alarm."""
    return {
        name
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == metric
        for dimension in alarm["Dimensions"]
        for name in names_in(dimension["Value"])
    }


def test_the_functions_are_those_of_the_application(resources: Json) -> None:
    assert sorted(of_type(resources, "AWS::Serverless::Function")) == FUNCTIONS


def test_nothing_is_left_of_the_placeholders(template: Json) -> None:
    text = json.dumps(template)
    assert "123456789012" not in text
    assert "placeholder" not in text


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_memory_and_time(resources: Json, function: str) -> None:
    properties = resources[function]["Properties"]
    assert properties["MemorySize"] >= 512
    longest_of_api_gateway = 29
    assert properties["Timeout"] == SECONDS.get(function, longest_of_api_gateway)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_a_role_of_its_own(resources: Json, function: str) -> None:
    roles = [resources[name]["Properties"]["Role"]["Fn::GetAtt"][0] for name in FUNCTIONS]
    assert roles.count(f"{function}Role") == 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_policy_has_a_wildcard(resources: Json, function: str) -> None:
    for statement in statements(resources, function):
        assert not any("*" in action for action in actions(statement))
        # All secrets of the stage, and only those; all files of a folder.
        if statement["Sid"] not in ("ReadSecrets", "SignUploads", "SignDownloads", "WorkOnFiles"):
            assert "*" not in json.dumps(statement["Resource"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_secrets_are_read_under_the_path_of_the_stage_only(resources: Json, function: str) -> None:
    for statement in statements(resources, function):
        if "ssm:GetParametersByPath" in actions(statement):
            for resource in statement["Resource"]:
                assert ":parameter${ParametersPath}" in resource["Fn::Sub"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nobody_changes_or_removes_what_is_in_the_ledger(resources: Json, function: str) -> None:
    of_items = {
        action
        for action in allowed_on(resources, function, "Ledger")
        if action.endswith(("Item", "Items", "Query", "Scan")) or "PartiQL" in action
    }
    assert of_items <= APPEND


def test_only_the_api_and_the_workers_of_time_imports_and_stores_append_to_the_ledger(
    resources: Json,
) -> None:
    writers = [
        function
        for function in FUNCTIONS
        if "dynamodb:PutItem" in allowed_on(resources, function, "Ledger")
    ]
    assert writers == ["APIHandler", "OnDue", "OnJobs", "OnStores"]


def test_routers_read_their_stream_and_send(resources: Json) -> None:
    for function, table in (("OnLedger", "Ledger"), ("OnRecords", "Records")):
        assert {statement["Sid"] for statement in statements(resources, function)} == {
            "Logs",
            "ReadStream",
            "Route",
        }
        assert "dynamodb:GetRecords" in allowed_on(resources, function, table)
        for queue in ("Wallet", "Due", "Parked"):
            assert allowed_on(resources, function, queue) == {"sqs:SendMessage"}
    assert allowed_on(resources, "OnLedger", "Google") == set()
    assert allowed_on(resources, "OnLedger", "Webhooks") == {"sqs:SendMessage"}
    assert allowed_on(resources, "OnRecords", "Webhooks") == set()
    assert allowed_on(resources, "OnRecords", "Google") == {"sqs:SendMessage"}


@pytest.mark.parametrize("worker", ["OnWallet", "OnGoogle", "OnWebhooks"])
def test_these_workers_only_read_the_ledger_and_see_no_order(resources: Json, worker: str) -> None:
    assert allowed_on(resources, worker, "Ledger") == {"dynamodb:GetItem", "dynamodb:Query"}
    assert allowed_on(resources, worker, "Orders") == set()


def test_the_wallet_worker_hands_on_to_googles(resources: Json) -> None:
    assert allowed_on(resources, "OnWallet", "Google") == {"sqs:SendMessage"}
    assert "sqs:SendMessage" in allowed_on(resources, "OnWallet", "Wallet")


def test_webhooks_are_sent_from_their_queue_and_asked_for_by_the_api(resources: Json) -> None:
    assert allowed_on(resources, "APIHandler", "Webhooks") == {"sqs:SendMessage"}
    assert "sqs:SendMessage" in allowed_on(resources, "OnWebhooks", "Webhooks")
    assert allowed_on(resources, "OnWebhooks", "Wallet") == set()
    told = merge_template("prod")["Parameters"]["LocalWebhooks"]
    assert told["Default"] == "false"


def test_what_stores_need_is_asked_for_by_the_api_the_hour_and_the_worker(resources: Json) -> None:
    for function in ("APIHandler", "OnHour", "OnRecords"):
        assert allowed_on(resources, function, "Stores") == {"sqs:SendMessage"}
    assert "sqs:SendMessage" in allowed_on(resources, "OnStores", "Stores")
    assert "dynamodb:PutItem" in allowed_on(resources, "OnStores", "Ledger")


def test_files_are_private_encrypted_and_end_after_a_week(resources: Json) -> None:
    bucket = resources["Files"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    [encryption] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    [rule] = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 7)
    assert rule.keys().isdisjoint({"Prefix", "TagFilters"}), "of all files"
    policy = resources["FilesPolicy"]["Properties"]
    assert policy["Bucket"] == {"Ref": "Files"}
    [statement] = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_api_signs_for_the_folder_of_uploads_and_that_of_exports_only(resources: Json) -> None:
    signed = {
        statement["Resource"]["Fn::Sub"]: actions(statement)
        for statement in statements(resources, "APIHandler")
        if statement["Sid"].startswith("Sign")
    }
    assert signed == {
        "${Files.Arn}/uploads/*": {"s3:GetObject", "s3:PutObject"},
        "${Files.Arn}/exports/*": {"s3:GetObject"},
    }
    reaching = [name for name in FUNCTIONS if allowed_on(resources, name, "Files")]
    assert reaching == ["APIHandler", "OnJobs"]
    assert allowed_on(resources, "APIHandler", "Jobs") == {"sqs:SendMessage"}


def test_the_operator_reaches_records_only(resources: Json) -> None:
    assert allowed_on(resources, "Operator", "Ledger") == set()
    assert allowed_on(resources, "Operator", "Orders") == set()


@pytest.mark.parametrize("table", TABLES)
def test_tables_cost_nothing_idle_and_can_be_restored(resources: Json, table: str) -> None:
    properties = resources[table]["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}


def test_tables_of_production_outlive_the_stack() -> None:
    production, local = merge_template("prod"), merge_template("local")
    assert production["Parameters"]["DeletionProtection"]["Default"] == "true"
    assert local["Parameters"]["DeletionProtection"]["Default"] == "false"
    for table in TABLES:
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            assert production["Resources"][table][policy] == "Retain"
            assert local["Resources"][table][policy] == "Delete"


def test_only_records_expire(resources: Json) -> None:
    expiring = {
        name: table["TimeToLiveSpecification"]
        for name, table in of_type(resources, "AWS::DynamoDB::Table").items()
        if "TimeToLiveSpecification" in table
    }
    assert expiring == {"Records": {"AttributeName": "expires_at", "Enabled": True}}


@pytest.mark.parametrize(("function", "table"), [("OnLedger", "Ledger"), ("OnRecords", "Records")])
def test_streams_lose_nothing(resources: Json, function: str, table: str) -> None:
    stream = resources[table]["Properties"]["StreamSpecification"]
    assert stream == {"StreamViewType": "NEW_IMAGE"}
    source = resources[function]["Properties"]["Events"][f"{function}DynamodbEventSource"]
    properties = source["Properties"]
    assert properties["Stream"] == {"Fn::GetAtt": [table, "StreamArn"]}
    assert properties["StartingPosition"] == "TRIM_HORIZON"
    assert properties["BisectBatchOnFunctionError"] is True
    assert properties["MaximumRetryAttempts"] >= 10
    parked = {"Type": "SQS", "Destination": {"Fn::GetAtt": ["Parked", "Arn"]}}
    assert properties["DestinationConfig"] == {"OnFailure": parked}


def test_of_records_only_members_and_versions_are_routed(resources: Json) -> None:
    ledger = resources["OnLedger"]["Properties"]["Events"]["OnLedgerDynamodbEventSource"]
    assert "FilterCriteria" not in ledger["Properties"]
    records = resources["OnRecords"]["Properties"]["Events"]["OnRecordsDynamodbEventSource"]
    [pattern] = records["Properties"]["FilterCriteria"]["Filters"]
    kinds = {"kind": {"S": ["member", "pass_message", "version", "voucher"]}}
    assert json.loads(pattern["Pattern"]) == {"dynamodb": {"NewImage": kinds}}


@pytest.mark.parametrize(
    ("name", "tries"),
    [("Wallet", 480), ("Google", 240), ("Due", 5), ("Webhooks", 480), ("Jobs", 5)],
)
def test_a_failed_message_comes_again_and_then_is_set_aside(
    resources: Json, name: str, tries: int
) -> None:
    function = resources[f"On{name}"]["Properties"]
    source = function["Events"][f"On{name}SqsEventSource"]["Properties"]
    assert source["Queue"] == {"Fn::GetAtt": [name, "Arn"]}
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert 2 <= source["ScalingConfig"]["MaximumConcurrency"] <= 10
    queue = resources[name]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [f"{name}Dead", "Arn"]},
        "maxReceiveCount": tries,
    }


def test_the_clock_strikes_every_hour(resources: Json) -> None:
    [event] = resources["OnHour"]["Properties"]["Events"].values()
    assert event == {"Type": "Schedule", "Properties": {"Schedule": "rate(1 hour)"}}
    assert allowed_on(resources, "OnHour", "Ledger") == set()
    assert allowed_on(resources, "OnHour", "Due") == {"sqs:SendMessage"}


def test_every_function_that_fails_or_is_throttled_raises_an_alarm(resources: Json) -> None:
    assert alarms_on(resources, "Errors") == set(FUNCTIONS)
    assert alarms_on(resources, "Throttles") == set(FUNCTIONS)


def test_what_waits_or_is_given_up_raises_an_alarm(resources: Json) -> None:
    assert alarms_on(resources, "IteratorAge") == {"OnLedger", "OnRecords"}
    given_up = alarms_on(resources, "ApproximateNumberOfMessagesVisible")
    assert given_up == {
        "WalletDead",
        "GoogleDead",
        "DueDead",
        "WebhooksDead",
        "StoresDead",
        "JobsDead",
        "Parked",
    }
    metrics = {
        alarm["MetricName"] for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()
    }
    assert "5XXError" in metrics


def test_every_alarm_tells_whoever_is_to_be_told(resources: Json) -> None:
    for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values():
        told = {"Fn::If": ["HasAlarmEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
        assert alarm["AlarmActions"] == told


@pytest.mark.parametrize("function", FUNCTIONS)
def test_logs_are_kept_a_month(resources: Json, function: str) -> None:
    group = resources[function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    assert resources[group]["Properties"]["RetentionInDays"] == 30
    assert allowed_on(resources, function, group) == {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_every_function_is_told_everything(template: Json) -> None:
    told = template["Globals"]["Function"]["Environment"]["Variables"]
    assert set(told) == {
        "REGULARS_STAGE",
        "LEDGER_TABLE",
        "ORDERS_TABLE",
        "RECORDS_TABLE",
        "WALLET_QUEUE_URL",
        "GOOGLE_QUEUE_URL",
        "PARKED_QUEUE_URL",
        "DUE_QUEUE_URL",
        "WEBHOOKS_QUEUE_URL",
        "STORES_QUEUE_URL",
        "JOBS_QUEUE_URL",
        "FILES_BUCKET",
        "BASE_URL",
        "PARAMETERS_PATH",
        "APNS_HOST",
        "APNS_PORT",
        "APNS_CA",
        "GOOGLE_WALLET_URL",
        "STRIPE_URL",
        "LOCAL_WEBHOOKS",
    }
    assert template["Parameters"]["ParametersPath"]["Default"] == "/regulars/prod"


def test_the_api_is_regional_throttled_and_binary(resources: Json) -> None:
    api = resources["RestAPI"]["Properties"]
    assert api["EndpointConfiguration"] == "REGIONAL"
    [settings] = api["MethodSettings"]
    assert settings["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "RequestsBurst"}
    assert api["DefinitionBody"]["x-amazon-apigateway-binary-media-types"] == ["*/*"]


def test_answers_of_api_gateway_itself_are_problems(resources: Json) -> None:
    body = resources["RestAPI"]["Properties"]["DefinitionBody"]
    responses = body["x-amazon-apigateway-gateway-responses"]
    statuses = {response.get("statusCode") for response in responses.values()}
    assert statuses >= {"401", "403", "404", "413", "429", "504"}
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= responses.keys()
    for response in responses.values():
        written = response["responseTemplates"]["application/json"]
        problem = json.loads(written.replace("$context.error.messageString", '"why"'))
        assert problem["type"] == f"urn:regulars:problem:{problem['code']}"
        assert str(problem.get("status")) == response.get("statusCode", "None")
        header = response["responseParameters"]["gatewayresponse.header.Content-Type"]
        assert header == "'application/problem+json'"


def test_the_api_has_room_to_grow(resources: Json) -> None:
    paths = resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    nodes = {
        "/".join(parts[:depth])
        for parts in (path.split("/") for path in paths)
        for depth in range(1, len(parts) + 1)
    }
    assert 0 < len(nodes) < RESOURCES_OF_AN_API


def test_tests_run_on_the_tables_that_are_deployed() -> None:
    deployed = yaml.safe_load(RESOURCES.read_text())["Resources"]
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        names = create_tables(client, "one-")
        assert names == {table: f"one-{table}" for table in TABLES}
        for table, name in names.items():
            made = client.describe_table(TableName=name)["Table"]
            wanted = deployed[table]["Properties"]
            assert made["KeySchema"] == wanted["KeySchema"]
            for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
                indexes = {index["IndexName"] for index in wanted.get(kind, [])}
                assert {index["IndexName"] for index in made.get(kind, [])} == indexes
        expiry = client.describe_time_to_live(TableName="one-Records")["TimeToLiveDescription"]
        assert expiry["AttributeName"] == "expires_at"
    assert set(table_definitions()) == set(TABLES)
