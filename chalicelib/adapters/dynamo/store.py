"""Everything that is stored, on DynamoDB through one client."""

from typing import Any

from chalicelib.adapters.dynamo.audit import DynamoAudit
from chalicelib.adapters.dynamo.billings import DynamoBillings
from chalicelib.adapters.dynamo.counters import DynamoCounters
from chalicelib.adapters.dynamo.dues import DynamoDues
from chalicelib.adapters.dynamo.jobs import DynamoExports, DynamoImports
from chalicelib.adapters.dynamo.keys import DynamoKeys
from chalicelib.adapters.dynamo.ledger import DynamoLedger
from chalicelib.adapters.dynamo.members import DynamoMembers
from chalicelib.adapters.dynamo.meter import install_meter
from chalicelib.adapters.dynamo.notes import DynamoNotes
from chalicelib.adapters.dynamo.orders import DynamoOrders
from chalicelib.adapters.dynamo.passes import DynamoPasses
from chalicelib.adapters.dynamo.programs import DynamoPrograms
from chalicelib.adapters.dynamo.records import Records
from chalicelib.adapters.dynamo.referrals import DynamoReferrals
from chalicelib.adapters.dynamo.stores import DynamoStores
from chalicelib.adapters.dynamo.vouchers import DynamoVouchers
from chalicelib.adapters.dynamo.webhooks import DynamoWebhooks
from chalicelib.domain.ports import Store


def dynamo_store(client: Any, ledger_table: str, orders_table: str, records_table: str) -> Store:
    """The store on these tables. `client` is botocore's for DynamoDB (`adapters/aws.py`)."""
    install_meter(client)
    records = Records(client, records_table)
    vouchers = DynamoVouchers(records)
    ledger = DynamoLedger(client, ledger_table, records_table, vouchers)
    referrals = DynamoReferrals(records)
    return Store(
        ledger=ledger,
        vouchers=vouchers,
        orders=DynamoOrders(client, orders_table),
        members=DynamoMembers(records, ledger, referrals),
        programs=DynamoPrograms(records),
        keys=DynamoKeys(records),
        passes=DynamoPasses(records),
        notes=DynamoNotes(records),
        dues=DynamoDues(records),
        audit=DynamoAudit(records),
        billings=DynamoBillings(records),
        referrals=referrals,
        webhooks=DynamoWebhooks(records),
        stores=DynamoStores(records),
        imports=DynamoImports(records),
        exports=DynamoExports(records),
        counters=DynamoCounters(records),
    )
