"""Says what each setting of an official example's Compose file does here."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic_settings import BaseSettings

from shared.doctor.check import Check, broken_check, ok_check, skipped_check, warning_check
from shared.doctor.compose_file import ComposeService, read_compose_file
from shared.errors import SettingError
from shared.label_studio.official_examples import EXAMPLES, EXTRAS
from shared.label_studio.official_examples.reading import (
    Reading,
    adopted_variables,
    describe_reading,
    read_variables,
)
from shared.label_studio.official_examples.variables import VARIABLES
from shared.settings import (
    Settings,
    changed_environment,
    read_environment,
    read_settings,
    variable_names,
)

# Parts of values that stand in the examples' files for what the user has to fill in.
PLACEHOLDERS = ("your-", "your_", "<")
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104
# Folders of the image that are kept, if something is mounted there.
CACHE_FOLDER = "/cache"
URLS = ("LABEL_STUDIO_URL", "LABEL_STUDIO_HOST")
KEYS = ("LABEL_STUDIO_API_KEY", "LABEL_STUDIO_ACCESS_TOKEN")


def check_compose_file(path: Path) -> Iterator[Check]:
    """Yield what becomes of each service of a Compose file, and of each of its variables."""
    try:
        services = read_compose_file(path, read_environment())
    except SettingError as error:
        yield broken_check("Compose file", "compose_file", str(error))
        return
    for service in services:
        examples = find_examples(service, path)
        if not examples:
            yield skipped_check(service.name, "no example of an ML backend: it stays as it is")
            continue
        yield from _check_service(service, examples)


def find_examples(service: ComposeService, path: Path) -> list[str]:
    """Return the examples that a service may be: by its names, else by its variables."""
    own = {one.name for one in VARIABLES if one.examples and not one.of_tools}
    names = [service.name, service.container_name, service.image]
    if service.is_built:  # from the example's folder, which the file is in
        names.append(path.resolve().parent.name)
    named = [example for example in EXAMPLES if any(_has_name(example, name) for name in names)]
    used = own & {name for name, value in service.environment.items() if value}
    counts = {example: _count_variables(example, used) for example in EXAMPLES}
    best = max(counts.values())
    by_variables = [example for example in EXAMPLES if counts[example] == best > 0]
    both = [example for example in by_variables if example in named]
    is_backend = {"MODEL_DIR", "LABEL_STUDIO_URL"} & service.environment.keys()
    return both or named or by_variables or (list(EXAMPLES) if is_backend else [])


def _has_name(example: str, text: str) -> bool:
    return _plain(example) in _plain(text)


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _count_variables(example: str, used: Collection[str]) -> int:
    return len({one.name for one in VARIABLES if one.name in used and example in one.examples})


def _check_service(service: ComposeService, examples: list[str]) -> Iterator[Check]:
    known = len(examples) < len(EXAMPLES)
    what = " or ".join(examples) if known else "an ML backend"
    extras = dict.fromkeys(extra for name in examples for extra in EXTRAS[name]) if known else {}
    yield warning_check(
        service.name,
        "compose_image",
        f"{what}: {_describe_image(service)}",
        extras=",".join(extras),
    )
    yield from _check_volumes(service)
    readings = read_variables(service.environment, examples if known else (), service.find_on_host)
    yield from _check_variables(service, readings)
    yield from _check_settings({**service.environment, **adopted_variables(readings)})


def _describe_image(service: ComposeService) -> str:
    if service.is_built:
        return "an image that is built from the example's folder"
    return f"image {service.image}" if service.image else "no image is named"


def _check_volumes(service: ComposeService) -> Iterator[Check]:
    folders = [volume.target for volume in service.volumes]
    if CACHE_FOLDER not in folders:
        found = ", ".join(folders) or "none"
        yield warning_check("volumes", "compose_cache", f"mounted: {found}")


def _check_variables(service: ComposeService, readings: Iterable[Reading]) -> Iterator[Check]:
    known: dict[str, list[Reading]] = {}
    for one in readings:
        known.setdefault(one.name, []).append(one)
    ours = _our_variables()
    for name, value in service.environment.items():
        if not value:
            yield skipped_check(name, "empty, which counts as unset")
        elif name in known:
            yield _doubt(name, value) or _describe(known[name][0])
            yield from map(_describe, known[name][1:])
        elif name in ours:
            yield ok_check(name, "read: one of this server's own")
        else:
            yield skipped_check(name, "no example and nothing here reads it")


def _describe(one: Reading) -> Check:
    has_effect = one.state in {"same", "alias", "read"}
    return (ok_check if has_effect else skipped_check)(one.name, describe_reading(one))


def _doubt(name: str, value: str) -> Check | None:
    """Return what is wrong with an address or a key that is read; None if nothing is."""
    if name in URLS and _host_of(value) in LOCAL_HOSTS:
        return warning_check(name, "compose_localhost", "it names the container itself")
    if name in KEYS and value.lower().startswith(PLACEHOLDERS):
        return warning_check(name, "key_missing", "it holds the example's placeholder")
    return None


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # the settings say what is wrong with it
        return ""


def _our_variables() -> set[str]:
    return {name for settings in _settings_classes() for name in variable_names(settings)}


def _settings_classes() -> list[type[BaseSettings]]:
    from shared.backend.registry import find_backends

    own = (backend.settings_class for backend in find_backends().values())
    return list(dict.fromkeys([Settings, *own]))


def _check_settings(environment: Mapping[str, str]) -> Iterator[Check]:
    """Yield the values that no setting takes."""
    ours = _our_variables()
    own = {name: value for name, value in environment.items() if name in ours}
    with changed_environment(own):
        for settings in _settings_classes():
            try:
                read_settings(settings)
            except SettingError as error:
                yield broken_check("Settings", "setting", str(error))
