"""YAML that people write, as values; what is wrong with it is told by line and column."""

from __future__ import annotations

import reprlib
from collections.abc import Hashable
from typing import Any

import yaml

from svevae.errors import ConfigError

DEEPEST = 20  # lists and mappings within each other
MOST = 100_000  # values of a file
LONGEST = 500  # characters of what a YAML error says


def parse_yaml(content: bytes) -> Any:
    """The value that a YAML file has. Raises ConfigError that begins with the line and the column,
    counted from 1, where the content is none.
    """
    try:
        return yaml.load(content.decode(), _Loader)
    except UnicodeDecodeError as error:
        where = _place(content[: error.start].decode())
        said = f"received the byte {content[error.start]:#04x}, which is none of UTF-8"
    except yaml.reader.ReaderError as error:
        where = _place(content.decode()[: error.position])
        said = f"received the character U+{error.character:04X}, which YAML does not allow"
    except yaml.MarkedYAMLError as error:
        where = _mark(error.problem_mark or error.context_mark)
        said = str(error.problem)
        if error.context:
            said += f", {error.context} from {_mark(error.context_mark)}"
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
    raise ConfigError(f"{where}: expected YAML in UTF-8: {said}") from None


def _place(before: str) -> str:
    """The line and the column of the character after the text `before`."""
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _mark(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"


def received(value: Any) -> str:
    """`value` as an error message shows it: a long one is cut."""
    return _SHORT.repr(value)


def named(key: Any) -> str:
    """A key as an error message shows it: as it is, a long or odd one as `received`."""
    plain = isinstance(key, str) and len(key) <= _SHORT.maxstring and key.isprintable()
    return key if plain else received(key)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 12


class _Loader(yaml.SafeLoader):
    """YAML for people: no key twice, nothing deeply nested, no aliases that grow a short file
    without bound. What cannot be a value is an error that names its key and line.
    """

    def __init__(self, stream: str):
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > DEEPEST:
            mark = self.peek_event().start_mark
            raise self._refused(f"expected at most {DEEPEST} levels of lists and mappings", mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            self._weigh(node, {})
        return node

    def _weigh(self, node: yaml.Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
        """How many values a node stands for and how many levels it has, what aliases repeat
        counted each time; `known` has those of nodes met before, None while they are weighed.
        """
        if id(node) in known:
            if (weight := known[id(node)]) is None:
                raise self._refused("expected values, received one in itself", node.start_mark)
            return weight
        known[id(node)], below = None, []
        if isinstance(node, yaml.CollectionNode):
            for item in node.value:
                for one in item if isinstance(item, tuple) else (item,):
                    below.append(self._weigh(one, known))
        values = 1 + sum(count for count, _ in below)
        levels = 1 + max((level for _, level in below), default=0)
        if values > MOST or levels > DEEPEST + 1:
            said = f"expected at most {MOST:,} values in {DEEPEST} levels, received more by aliases"
            raise self._refused(said, node.start_mark)
        known[id(node)] = values, levels
        return values, levels

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self._constructed("a key", key_node, deep=True)
            if not isinstance(key, Hashable):
                raise self._refused("expected a name as key", key_node.start_mark)
            if key in mapping:
                raise self._refused(f"{named(key)}: received twice", key_node.start_mark)
            mapping[key] = self._constructed(named(key), value_node, deep)
        return mapping

    def construct_sequence(self, node: yaml.SequenceNode, deep: bool = False) -> list[Any]:
        return [self._constructed(f"[{i}]", item, deep) for i, item in enumerate(node.value)]

    def _constructed(self, where: str, node: yaml.Node, deep: bool) -> Any:
        try:
            value = self.construct_object(node, deep)
        except (ValueError, KeyError, AttributeError, TypeError, IndexError, OverflowError):
            # of a date that does not exist, an int of more digits than Python reads
            kind = node.tag.rpartition(":")[2]
            said = f"{where}: expected another value, received no {kind}"
            raise self._refused(f"{said}: {received(node.value)}", node.start_mark) from None
        if isinstance(value, int) and abs(value) >= 2**63:
            said = f"{where}: expected a number below 2^63, received one of"
            raise self._refused(f"{said} {value.bit_length()} bits", node.start_mark)
        return value

    def _refused(self, said: str, mark: yaml.Mark) -> yaml.YAMLError:
        return yaml.constructor.ConstructorError(None, None, said, mark)
