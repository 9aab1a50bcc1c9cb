"""Progress of what takes more than a few seconds: a bar for who watches, lines for a log."""

import sys
import warnings
from time import perf_counter

from tqdm import TqdmWarning, tqdm


def is_interactive() -> bool:
    """Whether somebody watches: a terminal, or the kernel of a notebook."""
    if sys.stderr.isatty():
        return True
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def progress_bar(stage: str, total: int, unit: str) -> tqdm:
    """A bar of tqdm: widgets in a notebook that has ipywidgets, text anywhere else."""
    with warnings.catch_warnings():
        # tqdm warns of a notebook without ipywidgets, where the bar of text does as well.
        warnings.simplefilter("ignore", TqdmWarning)
        # Imported late, as it looks for a notebook.
        from tqdm.auto import tqdm as bar_of_surroundings
    return bar_of_surroundings(total=total, desc=stage, unit=unit)


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
        self.bar = progress_bar(stage, total, unit) if is_interactive() else None

    def show(self, done: int, note: str) -> None:
        """State how many steps are done, and a word about them."""
        if self.bar is not None:
            self.bar.set_postfix_str(note, refresh=False)
            # A fit that resumes has done some steps already, which the bar has not seen.
            self.bar.update(done - self.bar.n)
        elif done == self.total or done % max(self.total // 10, 1) == 0:
            seconds = perf_counter() - self.began
            print(
                f"{self.stage}: {self.unit} {done} of {self.total}, {note}, {seconds:.0f} s",
                flush=True,
            )

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
