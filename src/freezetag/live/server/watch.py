"""What a server looks after by itself: the disk, the STOP file, and when its certificate ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import final

from freezetag.core.errors import UserError
from freezetag.live.authority.home import STOP_FILE
from freezetag.live.server.certificate import warning
from freezetag.live.server.service import DURABLE_WITHIN, Service

PERIOD = 0.25
HOUR = 3600.0


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
            if self._service.shared is not None:
                self._service.shared.lapse()
            self._look("the disk", self._disk)
            self._look(f"whether a {STOP_FILE} file is there", self._stop_file)
            if time.monotonic() - looked >= HOUR and self._look("certificate", self._certificate):
                looked = time.monotonic()

    def _look(self, at: str, check: Callable[[], None]) -> bool:
        """One look; when it fails nothing is granted until it succeeds, and the rest goes on."""
        try:
            check()
        except Exception as error:
            self._service.doubt(at, f"{at} cannot be known: {type(error).__name__}: {error}")
            return False
        if at in self._service.doubts:
            self._service.settle(at)
        return True

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
            if "second" not in service.doubts:  # or what nobody could read would be gone
                service.second.clear()
            service.settle("storage")

    def _stop_file(self) -> None:
        """The file presses for as long as it lies there; removing it clears nothing.

        So does one of which it cannot be told whether it is there. A folder that is gone is not
        read as one without the file: this raises.
        """
        service = self._service
        folder, why = service.home.path, f"{STOP_FILE} lies in the folder"
        try:
            (folder / STOP_FILE).lstat()
        except FileNotFoundError:
            folder.stat()
            return
        except OSError as error:
            why = f"{STOP_FILE} cannot be read: {error.strerror or error}"
        facts = service.authority.facts
        with service.lock:
            pressed = any(
                (press.who, press.scope) == ("STOP file", "fleet")
                for press in facts.presses.standing(facts.roster)
            )
        if not pressed:
            service.press("fleet", "STOP file", why)

    def _certificate(self) -> None:
        service = self._service
        file = service.home.settings.certificate
        if not file:
            return
        try:
            said = warning(file, service.now())
        except UserError as error:  # the listeners go on with what they read at the start
            said = str(error)
        if said != service.warning:
            service.warning = said
            if said:
                service.writer.submit("alarm", {"agent": "", "what": said})
            service.notify()
