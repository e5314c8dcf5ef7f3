"""What a server looks after by itself: the disk, the STOP file, and when its certificate ends."""

from __future__ import annotations

import threading
import time
from typing import final

from freezetag.live.server.certificate import warning
from freezetag.live.server.service import DURABLE_WITHIN, Service

PERIOD = 0.25
HOUR = 3600.0
STOP_FILE = "STOP"


@final
class Watch:
    """A thread beside the service. A file called STOP in the folder presses for the whole fleet."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(2)

    def _run(self) -> None:
        looked = -HOUR
        while not self._ended.wait(PERIOD):
            self._disk()
            self._stop_file()
            if time.monotonic() - looked >= HOUR:
                looked = time.monotonic()
                self._certificate()

    def _disk(self) -> None:
        """No grants while the disk fails or hangs; and again when all that waited is written."""
        service = self._service
        trouble = service.writer.trouble
        if not trouble and service.writer.stalled() > DURABLE_WITHIN:
            trouble = "a commit takes too long"
        if trouble:
            if "storage" not in service.doubts:
                service.doubt("storage", f"the ledger cannot be written: {trouble}")
        elif "storage" in service.doubts and not service.undurable:
            service.second.clear()
            service.settle("storage")

    def _stop_file(self) -> None:
        """The file presses for as long as it lies there; removing it clears nothing."""
        service = self._service
        if not (service.home.path / STOP_FILE).exists():
            return
        facts = service.authority.facts
        with service.lock:
            pressed = any(
                press.who == "STOP file" for press in facts.presses.standing(facts.roster)
            )
        if not pressed:
            service.press("fleet", "STOP file", f"{STOP_FILE} lies in the folder")

    def _certificate(self) -> None:
        service = self._service
        file = service.home.settings.certificate
        if file and (said := warning(file, service.now())) != service.warning:
            service.warning = said
            if said:
                service.writer.submit("alarm", {"agent": "", "what": said})
            service.notify()
