"""The template that is merged into what `chalice package` makes."""

from pathlib import Path
from typing import Any

import yaml

RESOURCES = Path(__file__).with_name("resources.yaml")
RETAINED_STAGES = ("prod",)  # their tables stay when the stack goes


def merge_template(stage: str) -> dict[str, Any]:
    """`infra/resources.yaml` with the defaults of a stage."""
    template: dict[str, Any] = yaml.safe_load(RESOURCES.read_text())
    parameters = template["Parameters"]
    parameters["Stage"]["Default"] = stage
    parameters["ParametersPath"]["Default"] = f"/regulars/{stage}"
    if stage not in RETAINED_STAGES:
        parameters["DeletionProtection"]["Default"] = "false"
        _delete_with_the_stack(template["Resources"])
    return template


def _delete_with_the_stack(resources: dict[str, Any]) -> None:
    for resource in resources.values():
        if "DeletionPolicy" in resource:
            resource["DeletionPolicy"] = resource["UpdateReplacePolicy"] = "Delete"
