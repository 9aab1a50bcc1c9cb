"""Progress of what takes more than a few seconds: a bar for who watches, lines for a log."""

import sys
from time import perf_counter
from typing import Any


def is_interactive() -> bool:
    """Whether somebody watches: a terminal, or the kernel of a notebook."""
    if sys.stderr.isatty():
        return True
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class ProgressReport:
    """A bar in terminals and notebooks; in a log, some ten lines, since bars would fill it.

    Parameters
    ----------
    stage : str
        What is going on.

    total : int
        Steps in all.

    unit : str
        What a step is.
    """

    def __init__(self, stage: str, total: int, unit: str):
        self.stage = stage
        self.total = total
        self.unit = unit
        self.began = perf_counter()
        self.bar = _start_bar(stage, total, unit) if is_interactive() else None

    def show(self, done: int, note: str) -> None:
        """State how many steps are done, and a word about them."""
        if self.bar is not None:
            self.bar.set_postfix_str(note, refresh=False)
            self.bar.update(done - self.bar.n)  # some are of an earlier call
        elif done == self.total or done % max(self.total // 10, 1) == 0:
            seconds = perf_counter() - self.began
            print(
                f"{self.stage}: {self.unit} {done} of {self.total}, {note}, {seconds:.0f} s",
                flush=True,
            )

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _start_bar(stage: str, total: int, unit: str) -> Any:
    # Imported late, as it warns in a notebook without widgets, also if no bar is shown.
    from tqdm.auto import tqdm

    return tqdm(total=total, desc=stage, unit=unit)
