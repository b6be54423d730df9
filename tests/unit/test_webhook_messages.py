"""Which message of a delivery is good, whoever dies or comes twice: one step after the other."""

from collections.abc import Sequence

import pytest

from chalicelib.domain.errors import Contended, Unavailable
from chalicelib.domain.ports import Sent
from chalicelib.services.webhook_deliveries import Announcement, Due, Post, of_text, work
from tests.fakes.receiver import Came, World, add_endpoint
from tests.fakes.shop import Queued

DOWN = Sent(503, "away", 30)


class Away:
    """A queue that takes nothing."""

    def send(self, messages: Sequence[str], after_seconds: int = 0) -> None:  # noqa: ARG002
        raise Unavailable("the queue")


def begun() -> tuple[World, Post, Queued, Announcement]:
    """A world with one endpoint and one entry that nobody was told of."""
    world = World()
    add_endpoint(world.shop)
    queue = Queued()
    member = world.shop.enrol()
    post = Post(world.shop.runtime.context, world.receiver, queue)
    return world, post, queue, Announcement(world.shop.program_id, member, 1)


def test_of_two_workers_with_one_message_only_the_one_that_noted_goes_on() -> None:
    world, post, queue, told = begun()
    work(post, told)
    first = of_text(queue.messages.pop())

    def meanwhile(came: Came) -> Sent:
        world.receiver.answers = lambda came: DOWN  # noqa: ARG005
        work(post, first)  # another worker sends and notes before us
        return DOWN

    world.receiver.answers = meanwhile
    work(post, first)
    good, void = (of_text(one) for one in queue.messages)
    assert isinstance(good, Due) and isinstance(void, Due)
    assert (good.revision, void.revision) == (2, 2)
    world.shop.clock.at += 10_000
    for message, sent in ((void, 2), (first, 2), (good, 3), (good, 3)):
        work(post, message)
        assert len(world.receiver.came) == sent


def test_a_message_that_comes_before_its_note_comes_again() -> None:
    world, post, queue, told = begun()
    work(post, told)
    due = of_text(queue.messages[0])
    assert isinstance(due, Due)
    early = Due(due.program_id, due.endpoint_id, due.delivery_id, due.revision + 1, "t")
    with pytest.raises(Contended):
        work(post, early)
    assert world.receiver.came == []


def test_a_delivery_whose_first_message_was_not_sent_gets_it_when_it_is_told_again() -> None:
    world, post, queue, told = begun()
    with pytest.raises(Unavailable):
        work(Post(post.context, post.sender, Away()), told)
    world.shop.clock.at += 180_000
    work(post, told)
    [message] = queue.messages
    work(post, of_text(message))
    assert len(world.receiver.came) == 1
    work(post, told)
    assert len(queue.messages) == 1  # it has arrived
