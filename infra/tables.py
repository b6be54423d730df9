"""The tables of `infra/resources.yaml`, made through any DynamoDB client.

What tests and benchmarks use, so that they run on the definitions that are deployed.
"""

from collections.abc import Mapping
from typing import Any

from infra.template import merge_template

_OF_CREATE_TABLE = (
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
)


def create_tables(client: Any, prefix: str = "") -> dict[str, str]:
    """Makes the tables and returns their names: {"Ledger": prefix + "Ledger", ...}."""
    names = {}
    for name, definition in table_definitions().items():
        names[name] = f"{prefix}{name}"
        client.create_table(TableName=names[name], **definition)
    for name in names.values():
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    set_times_to_live(client, names)
    return names


def table_definitions() -> dict[str, dict[str, Any]]:
    """By name, what `create_table` takes."""
    return {name: _definition(properties) for name, properties in _tables().items()}


def set_times_to_live(client: Any, names: Mapping[str, str]) -> None:
    """Switches expiry on for the tables that have it, where it is not on yet."""
    for name, properties in _tables().items():
        wanted = properties.get("TimeToLiveSpecification")
        if not wanted:
            continue
        found = client.describe_time_to_live(TableName=names[name])["TimeToLiveDescription"]
        if found["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
            client.update_time_to_live(TableName=names[name], TimeToLiveSpecification=wanted)


def _tables() -> dict[str, dict[str, Any]]:
    resources = merge_template("local")["Resources"]
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource.get("Type") == "AWS::DynamoDB::Table"
    }


def _definition(properties: dict[str, Any]) -> dict[str, Any]:
    definition = {name: properties[name] for name in _OF_CREATE_TABLE if name in properties}
    if "StreamSpecification" in properties:
        definition["StreamSpecification"] = {
            "StreamEnabled": True,
            **properties["StreamSpecification"],
        }
    return definition
