"""Progress of the functions that take more than a few seconds."""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import TypeVar

from sklearn.utils.parallel import Parallel, delayed

from sklearn_ssl._progress import is_interactive, progress_bar
from sklearn_ssl._threads import one_thread

Result = TypeVar("Result")


def run_tasks(
    run: Callable[..., Result],
    tasks: Iterable[tuple[object, ...]],
    names: list[str],
    *,
    title: str,
    verbose: bool,
    n_jobs: int | None,
) -> list[Result]:
    """Call a function, in one or several processes, and show which calls are done.

    Parameters
    ----------
    run : callable
        What to call.

    tasks : iterable of tuple
        The arguments of each call.

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
    calls = (delayed(_in_one_thread)(run, *task) for task in tasks)
    # A generator hands over each result as soon as it is there, and all of them in their order.
    in_parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    results = in_parallel(calls)
    return list(show(results, names, title=title, verbose=verbose))


def _in_one_thread(run: Callable[..., Result], *task: object) -> Result:
    """Call a function whose models are small, so that threads would only wait for each other.

    Pretraining within it still chooses its own number of threads.
    """
    with one_thread():
        return run(*task)


def show(
    results: Iterable[Result], names: list[str], *, title: str, verbose: bool
) -> Iterator[Result]:
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


def _with_bar(results: Iterable[Result], names: list[str], title: str) -> Iterator[Result]:
    with progress_bar(title, len(names), "task") as bar:
        for name, result in zip(names, results, strict=True):
            bar.set_postfix_str(name, refresh=False)
            bar.update()
            yield result


def _with_lines(results: Iterable[Result], names: list[str], title: str) -> Iterator[Result]:
    began = perf_counter()
    print(f"{title}: {len(names)} tasks", flush=True)
    for number, (name, result) in enumerate(zip(names, results, strict=True), start=1):
        seconds = perf_counter() - began
        print(f"{title}: {number} of {len(names)}, {name}, {seconds:.0f} s", flush=True)
        yield result
