"""What the local cloud's state needs between two runs."""

import json
from pathlib import Path

from local.cloud import _forget_stream_positions, _move_queues


def test_queues_move_to_the_port_of_this_run(tmp_path: Path) -> None:
    """What else lies at a port of this machine stays: it is a parameter, and told anew."""
    kept = {
        "url": "http://127.0.0.1:8001/123456789012/regulars-Due",
        "stripe": "http://127.0.0.1:8004",
    }
    (tmp_path / "sqs.json").write_text(json.dumps(kept))
    (tmp_path / "other.json").write_text("{}")
    _move_queues(tmp_path, "http://127.0.0.1:9001")
    moved = json.loads((tmp_path / "sqs.json").read_text())
    assert moved == {**kept, "url": "http://127.0.0.1:9001/123456789012/regulars-Due"}
    assert (tmp_path / "other.json").read_text() == "{}"


def test_streams_are_read_from_their_beginning(tmp_path: Path) -> None:
    file = tmp_path / "lambda.json"
    _forget_stream_positions(file)  # a first run has none
    state = {"payload": {"dynamodb_stream_positions": {"data": {"shard": 7}}, "functions": 1}}
    file.write_text(json.dumps(state))
    _forget_stream_positions(file)
    state["payload"]["dynamodb_stream_positions"] = {"data": {}}  # type: ignore[index]
    assert json.loads(file.read_text()) == state
