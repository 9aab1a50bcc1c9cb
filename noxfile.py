"""What takes longer than CI: the ends of the supported versions, more tables, coverage, mutants.

``nox -l`` lists the sessions, ``nox -s oldest -- tests/test_common.py`` runs one on some tests.
"""

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["oldest", "newest"]


@nox.session
def oldest(session: nox.Session) -> None:
    """Run the tests on the lowest versions that pyproject.toml allows."""
    session.install("-c", "constraints-oldest.txt", "-e", ".[test]")
    # This torch warns of itself when a module is unpickled.
    own_warning = "ignore:You are using:FutureWarning"
    session.run("python", "-m", "pytest", "-W", own_warning, *session.posargs)


@nox.session
def newest(session: nox.Session) -> None:
    """Run the tests on the newest releases, which may be newer than those that CI tests."""
    session.install("--upgrade", "--upgrade-strategy", "eager", "-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def thorough(session: nox.Session) -> None:
    """Try more tables per property, more damaged files and more of scikit-learn's tools."""
    session.install("-c", "constraints.txt", "-e", ".[test]")
    session.run(
        *("python", "-m", "pytest", "-rP"),
        *("tests/test_properties.py", "tests/test_faults.py", "tests/test_compositions.py"),
        "tests/test_table_conform.py",
        env={
            "HYPOTHESIS_PROFILE": "thorough",
            "FUZZED_FILES": "10000",
            "CHECKED_COMPOSITIONS": "all",
            "CHECKED_DTYPES": "all",
        },
    )


@nox.session
def coverage(session: nox.Session) -> None:
    """Report the branches that the tests do not take."""
    session.install("-c", "constraints.txt", "-e", ".[test]", "pytest-cov")
    in_parallel = ("-n", "2", "--dist", "loadfile")
    reported = ("--cov", "--cov-branch", "--cov-report", "term-missing")
    session.run("python", "-m", "pytest", *in_parallel, *reported, *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Report the mutants of corruptions, losses and encoding that survive the tests."""
    session.install("-c", "constraints.txt", "-e", ".[test]", "mutmut")
    session.run("mutmut", "run", *session.posargs)
    session.run("mutmut", "results")
