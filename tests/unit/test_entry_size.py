"""What paid plans may add to an entry of the ledger."""

import msgspec
import yaml

from chalicelib.domain.ledger.size import CEILING_BYTES, worst_case
from chalicelib.domain.program.document import ProgramDocument, parse
from chalicelib.domain.program.numbers import Numbers
from tests.fakes.shop import ROOT


def prime() -> ProgramDocument:
    document = parse(yaml.safe_load((ROOT / "programs" / "amazon_prime.yaml").read_text()))
    assert isinstance(document, ProgramDocument)
    return document


def test_the_largest_entry_of_a_program_with_plans_stays_below_the_ceiling() -> None:
    document = prime()
    numbers = Numbers().extended_by(document)
    without = msgspec.structs.replace(document, plans={})
    of_plans = worst_case(document, numbers) - worst_case(without, numbers)
    assert 100 < of_plans < 250
    assert worst_case(document, numbers) < CEILING_BYTES


def test_twenty_plans_cost_hardly_more_than_one() -> None:
    document = prime()
    many = msgspec.structs.replace(
        document, plans={f"plan_{number}": document.plans["prime"] for number in range(20)}
    )
    one = worst_case(document, Numbers().extended_by(document))
    assert worst_case(many, Numbers().extended_by(many)) - one < 50
