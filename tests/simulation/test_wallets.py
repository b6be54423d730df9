"""A change of every card, as `make soak-wallets` plays it, with few passes and many deaths."""

from chalicelib.domain.ports import PASS_SHARDS
from chalicelib.services.refreshes import EVERY_SECONDS, PAGE
from tests.simulation.wallets import soaked

PASSES = 1200


def test_every_phone_hears_of_the_latest_card_though_workers_die() -> None:
    with soaked(PASSES, killed_share=0.2) as (soak, _):
        soak.check()
        assert soak.phones.killed > 3
        assert soak.twice > 0
        assert 0 < soak.doubled <= soak.phones.killed * PAGE * PASS_SHARDS
        assert soak.phones.told.total() > PASSES
        rounds = PASSES // PASS_SHARDS // PAGE
        assert soak.simulated_seconds > rounds * EVERY_SECONDS
