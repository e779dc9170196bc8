"""A rank's share of a case, its partners, its weights' travel. Standard library only, Python 3.9 and newer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def share(case: Any, rank: int, size: int) -> Any:
    """A rank's part of every batch; with more ranks than samples several ranks have the same sample.

    The mean over the ranks of the loss, and so of the gradient, is that of the whole batch either way.
    """
    return case._replace(batches=[(_rows(x, rank, size), _rows(y, rank, size)) for x, y in case.batches])


def _rows(tensor: Any, rank: int, size: int) -> Any:
    rows = tensor.shape[0]
    each = max(1, rows // size)
    first = rank * each % rows
    width = len(tensor.data) // rows
    data = tensor.data[first * width : (first + each) * width]
    return tensor._replace(shape=(each, *tensor.shape[1:]), data=data)


def travel(start: dict[str, list[float]], end: dict[str, list[float]], sketch: Any) -> dict[str, list[float]]:
    """The sketches of the differences, by tensor."""
    return {name: sketch([b - a for a, b in zip(start[name], end[name])], name) for name in end}  # noqa: B905 - Python 3.9


def pairs(rank: int, size: int) -> Iterator[list[int]]:
    """This rank's partners in the rounds of a tournament, in which every two ranks meet once (the circle method)."""
    seats = size + size % 2
    for turn in range(seats - 1):
        circle = [0, *(1 + (turn + seat) % (seats - 1) for seat in range(seats - 1))]
        partner = circle[seats - 1 - circle.index(rank)]
        if partner < size:  # with an odd number of ranks one pauses
            yield sorted((rank, partner))
