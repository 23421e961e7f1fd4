"""Reads the services of a Compose file, as Docker would start them."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import SettingError, truncate

# A file that is larger is no Compose file.
MAX_BYTES = 200_000
# Levels of lists and mappings, characters once every alias is written out, those of a number.
MAX_DEPTH, MAX_WRITTEN_OUT, MAX_DIGITS = 50, 10 * MAX_BYTES, 100
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<name>\w+)|\{(?P<braced>\w+)(?:(?P<sign>:?[-?+])(?P<other>[^}]{0,2000}))?\})"
)


class Volume(NamedTuple):
    """A folder in the container, and the folder here that is mounted at it, if it is one."""

    target: str
    source: Path | None = None


@dataclass(frozen=True)
class ComposeService:
    """A service: its name, its image, the environment it starts with, and what is mounted in it.

    `is_built`: whether an image is built for it.
    """

    name: str
    environment: Mapping[str, str]
    image: str = ""
    container_name: str = ""
    is_built: bool = False
    volumes: tuple[Volume, ...] = ()

    def find_on_host(self, folder: Path) -> Path:
        """Return the folder here that is mounted in the container; the same if none is."""
        for target, source in self.volumes:
            if source is not None and folder.is_relative_to(target):
                return source / folder.relative_to(target)
        return folder


def read_compose_file(path: Path, environment: Mapping[str, str]) -> list[ComposeService]:
    """Return the services of a Compose file, with `${NAME:-default}` filled from an environment.

    Raises SettingError with what is wrong with the file.
    """
    try:
        with path.open("rb") as file:  # no more of it: a device has no end
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise SettingError(f"{path} is longer than {MAX_BYTES} bytes, unlike any Compose file")
    services = _read_services(data, path)
    return [_read_service(name, body, environment, path) for name, body in services.items()]


def _read_services(data: bytes, path: Path) -> dict[str, dict[str, Any]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is quick, if it is there
    try:
        _check_extent(data, loader, path)
        content = yaml.load(data, loader)  # noqa: S506
    # The last ones are raised for values that are not what their tags say, such as `!!bool x`.
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or type(error).__name__
        raise SettingError(f"{path}{where} is no YAML: {truncate(str(reason), 100)}") from None
    services = content.get("services") if isinstance(content, dict) else None
    if not isinstance(services, dict) or not services:
        raise SettingError(f"{path} is no Compose file: it has no services")
    for name, body in services.items():
        if not isinstance(body, dict):
            raise SettingError(f"{path}: services.{name} should be a mapping, with `environment`")
    return {str(name): body for name, body in services.items()}


def _check_extent(data: bytes, loader: Any, path: Path) -> None:
    """Raise SettingError for what takes long to read: depth, long numbers, aliases of aliases."""
    import yaml

    extent = _Extent()
    for event in yaml.parse(data, loader):
        reason = extent.add(event)
        if reason:
            raise SettingError(f"{path}, line {event.start_mark.line + 1}: {reason}")


class _Extent:
    """How deep the events of a file are, and how long with every alias written out."""

    def __init__(self) -> None:
        self._total = 0
        # The anchors of what is open, with the characters before each; and the length of others.
        self._opened: list[tuple[str | None, int]] = []
        self._lengths: dict[str | None, int] = {}

    def add(self, event: Any) -> str:
        """Take the next event; return what is wrong with it, if anything is."""
        import yaml

        if isinstance(event, yaml.CollectionStartEvent):
            self._opened.append((event.anchor, self._total))
            return f"nested deeper than {MAX_DEPTH}" if len(self._opened) > MAX_DEPTH else ""
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self._opened.pop()
            self._lengths[anchor] = self._total - before
        elif isinstance(event, yaml.ScalarEvent):
            self._lengths[event.anchor] = len(event.value) + 1
            self._total += len(event.value) + 1
            return _judge_number(event)
        elif isinstance(event, yaml.AliasEvent):
            return self._add_alias(event.anchor)
        return ""

    def _add_alias(self, name: str) -> str:
        if any(anchor == name for anchor, _ in self._opened):
            return f"*{name} stands within &{name}"
        self._total += self._lengths.get(name, 0) + 1
        too_long = self._total > MAX_WRITTEN_OUT
        return f"its aliases stand for over {MAX_WRITTEN_OUT} characters" if too_long else ""


def _judge_number(event: Any) -> str:
    import yaml

    # Python reads what is long, or in base 60, in a time that grows with the square.
    implied = yaml.resolver.Resolver().resolve(yaml.ScalarNode, event.value, event.implicit)
    if len(event.value) > MAX_DIGITS and (event.tag or implied) in NUMBERS:
        return f"a number of {len(event.value)} digits; expected {MAX_DIGITS} at most"
    return ""


def _read_service(
    name: str, body: Mapping[str, Any], environment: Mapping[str, str], path: Path
) -> ComposeService:
    pairs = [
        *_read_env_files(body.get("env_file"), path),
        *_read_environment(body.get("environment"), environment, f"{path}: services.{name}"),
    ]
    values = {key: _fill(value, environment) for key, value in pairs}
    for key, value in values.items():
        if "\0" in value:
            raise SettingError(f"{path}: services.{name}.environment.{key} has a null character")
    volumes = body.get("volumes")
    mounted = (
        [_read_volume(one, path.parent) for one in volumes] if isinstance(volumes, list) else []
    )
    return ComposeService(
        name,
        values,
        str(body.get("image") or ""),
        str(body.get("container_name") or ""),
        "build" in body,
        tuple(volume for volume in mounted if volume.target),
    )


def _read_environment(
    listed: Any, environment: Mapping[str, str], where: str
) -> Iterable[tuple[str, str]]:
    """Yield names and values: of a mapping, or of a list of NAME=VALUE and NAME."""
    if listed is None:
        return
    if isinstance(listed, dict):
        pairs = [(str(name), value) for name, value in listed.items()]
    elif isinstance(listed, list):
        for line in listed:
            _check_scalar(line, f"An entry of {where}.environment")
        split = (str(line).partition("=") for line in listed)
        pairs = [(name.strip(), value if sign else None) for name, sign, value in split]
    else:
        raise SettingError(f"{where}.environment should be a list or a mapping")
    for name, value in pairs:
        _check_scalar(value, f"{where}.environment.{truncate(name, 100)}")
        yield name, environment.get(name, "") if value is None else _write_value(value)


def _check_scalar(value: Any, what: str) -> None:
    if isinstance(value, list | tuple | set | dict):
        kind = "mapping" if isinstance(value, dict) else "list"
        raise SettingError(f"{what} should be one value, found a {kind}")


def _write_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_env_files(named: Any, path: Path) -> Iterable[tuple[str, str]]:
    """Yield what the files that `env_file` names have, as far as they are there."""
    for entry in named if isinstance(named, list) else [named]:
        name = entry.get("path") if isinstance(entry, dict) else entry
        if not name or not isinstance(name, str):
            continue
        text = ""
        with suppress(OSError, ValueError):  # not there, not to be read, or no name of a file
            file = path.parent / name
            if file.is_file() and file.stat().st_size <= MAX_BYTES:
                text = file.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            key, sign, value = line.partition("=")
            if sign and not key.lstrip().startswith("#"):
                yield key.strip(), value.strip().strip("'\"")


def _fill(text: str, environment: Mapping[str, str]) -> str:
    """Replace `$NAME`, `${NAME}`, `${NAME:-default}` and `$$` as Compose does."""

    def value_of(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        value = environment.get(found["name"] or found["braced"])
        sign, other = found["sign"] or "", found["other"] or ""
        is_set = bool(value) if sign.startswith(":") else value is not None
        if sign.endswith("+"):
            return other if is_set else ""
        return (value or "") if is_set or not sign.endswith("-") else other

    return _VARIABLE.sub(value_of, text)


def _read_volume(volume: Any, folder: Path) -> Volume:
    """Read `source:target:mode`, or the long form; a source that is a path is below a folder."""
    if isinstance(volume, dict):
        source, target = str(volume.get("source") or ""), str(volume.get("target") or "")
    else:
        source, _, rest = str(volume).partition(":")
        target = rest.partition(":")[0] or source
    if not source.startswith((".", "/", "~")):
        return Volume(target)
    with suppress(RuntimeError):  # the home of a user that there is not
        return Volume(target, folder / Path(source).expanduser())
    return Volume(target)
