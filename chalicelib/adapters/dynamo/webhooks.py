"""Webhook endpoints and deliveries on DynamoDB.

The endpoints of a program are one partition, and so are the deliveries of an endpoint, in the order
of their events: both are read with one query, and neither needs an index.
"""

from chalicelib.adapters.dynamo.records import Record, Records, value_of
from chalicelib.domain.webhooks.delivery import Delivery, Health
from chalicelib.domain.webhooks.endpoint import Endpoint
from chalicelib.kernel.clock import SECOND

_ENDPOINT, _HEALTH, _DELIVERY = "webhook_endpoint", "webhook_health", "webhook_delivery"


class DynamoWebhooks:
    """Keeps the port `Webhooks`."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, endpoint: Endpoint) -> bool:
        return self._records.put_new(self._endpoint(endpoint))

    def get(self, program_id: str, endpoint_id: str) -> Endpoint | None:
        return self._records.read(_endpoints(program_id), endpoint_id, Endpoint)

    def of_program(self, program_id: str) -> list[Endpoint]:
        found = self._records.under(_endpoints(program_id))
        return [value_of(record, Endpoint) for record in found]

    def replace(self, endpoint: Endpoint, was: Endpoint) -> bool:
        return self._records.put_over(self._endpoint(endpoint), was.revision)

    def remove(self, endpoint: Endpoint) -> None:
        self._records.delete(_endpoints(endpoint.program_id), endpoint.id)
        self._records.delete(_health(endpoint.program_id), endpoint.id)

    def health(self, program_id: str, endpoint_id: str) -> Health:
        known = self._records.read(_health(program_id), endpoint_id, Health)
        return known or Health(program_id, endpoint_id)

    def put_health(self, health: Health) -> bool:
        record = self._records.record(
            _health(health.program_id),
            health.endpoint_id,
            _HEALTH,
            health,
            revision=health.revision,
        )
        if health.revision == 1:
            return self._records.put_new(record)
        return self._records.put_over(record, health.revision - 1)

    def add(self, delivery: Delivery) -> bool:
        return self._records.put_new(self._delivery(delivery))

    def delivery(self, program_id: str, endpoint_id: str, delivery_id: str) -> Delivery | None:
        return self._records.read(_deliveries(program_id, endpoint_id), delivery_id, Delivery)

    def put(self, delivery: Delivery) -> bool:
        return self._records.put_over(self._delivery(delivery), delivery.revision - 1)

    def newest(
        self, program_id: str, endpoint_id: str, before: str | None, limit: int
    ) -> list[Delivery]:
        key = _deliveries(program_id, endpoint_id)
        found = self._records.newest_under(key, before, limit)
        return [value_of(record, Delivery) for record in found]

    def oldest(self, program_id: str, endpoint_id: str, after: str, limit: int) -> list[Delivery]:
        key = _deliveries(program_id, endpoint_id)
        found = self._records.after_under(key, after, limit)
        return [value_of(record, Delivery) for record in found]

    def _endpoint(self, endpoint: Endpoint) -> Record:
        return self._records.record(
            _endpoints(endpoint.program_id),
            endpoint.id,
            _ENDPOINT,
            endpoint,
            revision=endpoint.revision,
        )

    def _delivery(self, delivery: Delivery) -> Record:
        return self._records.record(
            _deliveries(delivery.program_id, delivery.endpoint_id),
            delivery.id,
            _DELIVERY,
            delivery,
            revision=delivery.revision,
            expires_at=delivery.expires_at // SECOND,
        )


def _endpoints(program_id: str) -> str:
    return f"{program_id}#{_ENDPOINT}"


def _health(program_id: str) -> str:
    return f"{program_id}#{_HEALTH}"


def _deliveries(program_id: str, endpoint_id: str) -> str:
    return f"{program_id}#{_DELIVERY}#{endpoint_id}"
