"""Leases of tasks: which worker predicts which tasks of a project, kept in Label Studio itself.

Workers share nothing but Label Studio, so a lease is a row of its database of which there can be
one only: a custom label, whose title is unique (`unique_title` in `labels_manager/models.py`).
Creating a label that exists answers with the one that is there (`LabelListSerializer.create` in
`labels_manager/serializers.py`), so the answer names the holder. The editor shows custom labels
whose value has a length (`loadUserLabels` in Label Studio's `lsf-sdk`), which an object has not.

No clocks are compared: a lease that has not changed for `seconds`, as its observer measures them,
has no holder any more.

Where Label Studio keeps no labels (see WEBHOOK_FAULT), blocks are worked on without leases: two
workers may then predict the same tasks at the same moment, of which one prediction is kept.
"""

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from shared.errors import PrelabelError
from shared.label_studio.project import Project, UnavailableError

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
# A lease is renewed so often while it lasts.
RENEWALS = 4
# So long after its end a worker tries once more to give back what it could not.
CLOSING_RETRY_SECONDS = 1.0
PREFIX = "prelabel lease"
# In Label Studio 1.23 a project with a webhook for all actions, such as the one that it makes for
# an ML backend, has no custom labels: `emit_webhooks_for_instance_sync` in `webhooks/utils.py`
# counts a slice of a query that was evaluated, which is a list, and all is rolled back.
WEBHOOK_FAULT = "list.count()"
NO_LEASE = 0
PATH = "api/labels/"
# Pages of labels that are looked through for leases that were left behind.
MAX_PAGES = 50


@dataclass(eq=False)
class Lease:
    """The right to predict the tasks of a block; `number` is the id of its label."""

    block: int
    number: int
    beats: int = 0
    is_lost: bool = False


@dataclass
class _Sight:
    """A lease of another worker, as it was seen last."""

    beats: Any
    since: float = field(default_factory=time.monotonic)


class LeaseBook:
    """Takes, renews and gives back the leases of one worker on one project.

    `seconds` is after how long without a sign a worker counts as gone; equal for all workers.
    `holder` is the worker's name: one that is started again after it was killed takes over the
    leases of that name.
    """

    def __init__(
        self, project: Project, seconds: float = LEASE_SECONDS, holder: str | None = None
    ) -> None:
        self._project = project
        self._seconds = seconds
        self._holder = holder or uuid.uuid4().hex
        self._held: dict[int, Lease] = {}
        # Leases given back whose labels are still there: Label Studio did not answer.
        self._ended: dict[int, None] = {}
        self._seen: dict[int, _Sight] = {}
        self._lock = threading.Lock()
        # A label that is deleted while it is changed would be there again, without its project.
        self._renewing = threading.Lock()
        self._closed = threading.Event()
        self._has_leases = True
        self._thread: threading.Thread | None = None

    def take(self, block: int) -> Lease | None:
        """Return the lease of a block; None while another worker has it."""
        label = self._create(block) if self._has_leases else None
        if label is None:
            return Lease(block, NO_LEASE)
        if label["value"].get("holder") != self._holder and self._is_left(label):
            self._delete(label["id"])
            label = self._create(block)
        if label is None or label["value"].get("holder") != self._holder:
            return None
        lease = Lease(block, label["id"])
        self._ended.pop(lease.number, None)
        with self._lock:
            self._held[lease.number] = lease
        if self._thread is None:
            self._thread = threading.Thread(target=self._renew_all, name="leases", daemon=True)
            self._thread.start()
        return lease

    def confirm(self, lease: Lease) -> bool:
        """Renew a lease; return whether it is still held."""
        if lease.number == NO_LEASE:
            return True
        lease.beats += 1
        changed = self._project.request(
            "renewing a lease",
            "PATCH",
            f"{PATH}{lease.number}/",
            json={"value": {"holder": self._holder, "beats": lease.beats}},
        )
        lease.is_lost = changed is None
        return not lease.is_lost

    def give_back(self, lease: Lease) -> None:
        """Let others have the block; what cannot be given back now is later, or runs out."""
        if lease.number == NO_LEASE:
            return
        with self._renewing, self._lock:
            self._held.pop(lease.number, None)
        self._ended[lease.number] = None
        with suppress(PrelabelError):
            self._delete_ended()

    def sweep(self) -> int:
        """Remove leases whose worker is gone; return how many other workers hold.

        This worker's own are those that it could not give back.
        """
        if not self._has_leases:
            return 0
        others = 0
        for label in self._list_all():
            if label["value"].get("holder") == self._holder:
                self._ended[label["id"]] = None
            elif self._is_left(label):
                logger.info("a lease whose worker is gone is removed: %s", label["title"])
                self._delete(label["id"])
            else:
                others += 1
        self._delete_ended()
        return others

    def close(self) -> None:
        """Give all leases back, and end the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        for lease in list(self._held.values()):
            self.give_back(lease)
        if self._ended:  # Label Studio was busy, and nothing tries again later
            time.sleep(CLOSING_RETRY_SECONDS)
            with suppress(PrelabelError):
                self._delete_ended()

    def _title(self, block: int | str) -> str:
        return f"{PREFIX} {self._project.key} {block}"

    def _create(self, block: int) -> dict[str, Any] | None:
        body = {
            "project": self._project.number,
            "from_name": PREFIX,
            "title": self._title(block),
            "value": {"holder": self._holder, "beats": 0},
        }

        def create() -> Any:
            try:
                return self._project.request("taking a lease", "POST", PATH, json=[body])
            except UnavailableError as error:
                if WEBHOOK_FAULT in str(error):
                    return WEBHOOK_FAULT
                raise

        # Of two that come at the same moment, one is answered 500; then the other's is there.
        created = self._project.retry(create)
        if created == WEBHOOK_FAULT:
            self._has_leases = False
            logger.warning(
                "%s: Label Studio keeps no leases where a webhook is for all actions: of what"
                " workers predict at the same moment, one prediction is kept",
                self._project.name,
            )
            return None
        if not isinstance(created, list) or not isinstance(created[0].get("value"), dict):
            raise PrelabelError(
                f"{self._project.name}: Label Studio keeps no leases: expected {PATH} to answer"
                f" with the label created, found {str(created)[:100]}"
            )
        found: dict[str, Any] = created[0]
        return found

    def _delete_ended(self) -> None:
        """Delete the labels of leases that were given back; UnavailableError if that fails."""
        while self._ended:
            number = next(iter(self._ended))
            self._delete(number)
            del self._ended[number]

    def _delete(self, number: int) -> None:
        self._seen.pop(number, None)
        self._project.request("giving a lease back", "DELETE", f"{PATH}{number}/")

    def _is_left(self, label: dict[str, Any]) -> bool:
        """Return whether another's lease has not changed for so long that its worker is gone."""
        beats = (label["value"].get("holder"), label["value"].get("beats"))
        seen = self._seen.get(label["id"])
        if seen is None or seen.beats != beats:
            self._seen[label["id"]] = _Sight(beats)
            return False
        return time.monotonic() - seen.since > self._seconds

    def _list_all(self) -> Iterator[dict[str, Any]]:
        for page in range(1, MAX_PAGES):
            found = self._list_page(page)
            for label in found.get("results", ()):
                if label["title"].startswith(self._title("")) and isinstance(label["value"], dict):
                    yield label
            if not found.get("next"):
                return

    def _list_page(self, page: int) -> dict[str, Any]:
        def read() -> Any:
            return self._project.request("reading leases", "GET", PATH, params={"page": page})

        found: dict[str, Any] = self._project.retry(read) or {}
        return found

    def _renew_all(self) -> None:
        while not self._closed.wait(self._seconds / RENEWALS):
            with self._lock:
                held = list(self._held.values())
            for lease in held:
                try:
                    with self._renewing:
                        if lease.number in self._held:  # not given back meanwhile
                            self.confirm(lease)
                except PrelabelError as error:  # it may be held still: `confirm` asks before use
                    logger.warning("a lease could not be renewed: %s", error)
