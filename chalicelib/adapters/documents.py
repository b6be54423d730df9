"""Program documents as people write them: YAML or JSON, and the line of everything in them.

YAML is read in its safe form and without its traps: an alias (which can grow a document beyond
all bounds) and a name that stands twice are refused with their line.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from chalicelib.domain.errors import FieldError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 20


@dataclass(frozen=True)
class Document:
    """Plain data, and the line (from 1) where each path of it (`earn[0].per`) stands."""

    data: Any
    lines: dict[str, int]

    def line_of(self, path: str) -> int | None:
        """The line of a path, or of the nearest thing around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get("")


class Unreadable(Exception):
    """The text is not a document; `error` says where and why."""

    def __init__(self, error: FieldError) -> None:
        super().__init__(error.reason)
        self.error = error


def read_document(text: bytes) -> Document:
    """Reads YAML, of which JSON is a part. Raises `Unreadable`."""
    loader = None
    try:
        loader = _Loader(text.decode("utf-8"))
        node = loader.get_single_node()
        if node is None:
            raise Unreadable(FieldError("", "the document is empty", 1))
        walk = _Walk()
        walk.over(node)
        return Document(loader.construct_document(node), walk.lines)
    except UnicodeDecodeError as error:
        raise Unreadable(FieldError("", "the document is not UTF-8")) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(_of_yaml(error)) from error
    finally:
        if loader is not None:
            loader.dispose()


class _Walk:
    """Goes through a document once: notes every line, refuses every trap."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self._seen: set[int] = set()

    def over(self, node: Any, path: str = "", depth: int = MAX_DEPTH) -> None:
        line = node.start_mark.line + 1
        if depth == 0:
            raise Unreadable(FieldError(path, "is nested too deeply", line))
        if id(node) in self._seen:
            raise Unreadable(FieldError(path, "is an alias, which no program needs", line))
        if path in self.lines:
            raise Unreadable(FieldError(path, "stands here twice", line))
        self._seen.add(id(node))
        self.lines[path] = line
        if isinstance(node, yaml.SequenceNode):
            for index, one in enumerate(node.value):
                self.over(one, f"{path}[{index}]", depth - 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    raise Unreadable(FieldError(path, "a name must be plain text", line))
                self.over(value, f"{path}.{key.value}".lstrip("."), depth - 1)


def _of_yaml(error: Exception) -> FieldError:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error)
    return FieldError("", str(reason), mark.line + 1 if mark else None)
