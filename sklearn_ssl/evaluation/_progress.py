"""Progress of the functions that take more than a few seconds."""

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any

from sklearn.utils.parallel import Parallel

from sklearn_ssl._progress import is_interactive, progress_bar


def run_tasks(tasks: Any, names: list[str], *, title: str, verbose: bool, n_jobs: Any) -> list[Any]:
    """Run delayed tasks, in one or several processes, and show which ones are done.

    Parameters
    ----------
    tasks : iterable of delayed calls
        What to run.

    names : list of str
        What each task is called.

    title : str
        Name of the stage.

    verbose : bool
        Whether to show anything.

    n_jobs : int or None
        Tasks to run at the same time.

    Returns
    -------
    results : list
        In the order of the tasks.
    """
    # A generator hands over each result as soon as it is there, and all of them in their order.
    results = Parallel(n_jobs=n_jobs, return_as="generator")(tasks)
    return list(show(results, names, title=title, verbose=verbose))


def show(results: Iterable[Any], names: list[str], *, title: str, verbose: bool) -> Iterator[Any]:
    """Hand on results; with ``verbose``, move a bar on or write a line for each of them.

    A terminal and a notebook get a bar. What is logged to a file gets lines, as bars would fill it
    with copies of themselves.
    """
    if not verbose:
        yield from results
    elif is_interactive():
        yield from _with_bar(results, names, title)
    else:
        yield from _with_lines(results, names, title)


def _with_bar(results: Iterable[Any], names: list[str], title: str) -> Iterator[Any]:
    with progress_bar(title, len(names), "task") as bar:
        for name, result in zip(names, results, strict=True):
            bar.set_postfix_str(name, refresh=False)
            bar.update()
            yield result


def _with_lines(results: Iterable[Any], names: list[str], title: str) -> Iterator[Any]:
    began = perf_counter()
    print(f"{title}: {len(names)} tasks", flush=True)
    for number, (name, result) in enumerate(zip(names, results, strict=True), start=1):
        seconds = perf_counter() - began
        print(f"{title}: {number} of {len(names)}, {name}, {seconds:.0f} s", flush=True)
        yield result
