"""A seeded world in which everything goes wrong, and the promises that hold in it.

`world.py` is the world: its clocks, its faults, who runs when. `play.py` is what people do in it,
`plain.py` a plain recomputation of every balance from what they asked for, `promises.py` what must
be true in the end. The same seed is the same run, byte for byte.
"""
