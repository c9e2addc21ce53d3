"""Ctrl-C: the whole, or `Interrupted` that holds all that was finished and says how to go on."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while a verb was at work: `finished` holds all that had ended (None if nothing had), labelled as usual.

    Its text says what that is and how to go on.
    """

    def __init__(self, finished: Any, words: str = "nothing had finished; call it again") -> None:
        super().__init__(f"interrupted: {words}")
        self.finished = finished


class _Stop:
    """Whether Ctrl-C was pressed since the outermost `patient` began."""

    def __init__(self) -> None:
        self.pressed = False


_current: _Stop | None = None


@contextlib.contextmanager
def patient() -> Iterator[_Stop]:
    """Note Ctrl-C instead of raising it, so that no piece of finished work is torn; a second one is raised at once.

    Inside, work looks at `.pressed` between its pieces and raises `Interrupted` with what it has. Blocks nest: the
    outermost one hears. Where Python lets no handler be set (another thread, such as a cluster's worker) nothing
    changes.
    """
    global _current
    if _current is not None or threading.current_thread() is not threading.main_thread():
        yield _current if _current is not None and _in_main() else _Stop()
        return
    stop, before = _Stop(), signal.getsignal(signal.SIGINT)
    # where it is ignored (a job in the background), or set outside Python, it stays so
    heard = callable(before)
    _current = stop
    if heard:
        signal.signal(signal.SIGINT, press)
    try:
        yield stop
    finally:
        if heard:
            signal.signal(signal.SIGINT, before)
        _current = None


def press(*_: Any) -> None:
    """What Ctrl-C does, as a handler of signals: noted where work is patient, raised at once otherwise."""
    if _current is None or _current.pressed:
        raise KeyboardInterrupt
    _current.pressed = True


def _in_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def pressed() -> bool:
    """Whether Ctrl-C waits to be answered."""
    return _current is not None and _current.pressed


def answer(finished: Callable[[], Any], words: str) -> None:
    """Raise `Interrupted` with what is finished, if Ctrl-C was pressed."""
    if pressed():
        raise Interrupted(finished(), words)
