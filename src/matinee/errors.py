"""Every exception that matinee raises on purpose.

    MatineeError
    ├── ParameterError (ValueError)      a parameter or a filter outside what is allowed
    ├── DataError (ValueError)           ratings or a data set that cannot be used
    │   └── BadRowError                  one row of a file: names the file and the line
    ├── UnknownIdError (LookupError)     an id or a title that is not there
    │   ├── UnknownUserError
    │   └── UnknownMovieError
    ├── DownloadError                    a release that could not be fetched
    ├── ArtifactError                    a model folder that is damaged, incomplete or too new
    ├── StoreError                       the database of ratings
    ├── ServiceError                     a service that `matinee.Client` asked refused, or did not answer
    ├── EngineError                      Spark does not start, or gave up
    └── MissingExtraError (ImportError)  a feature whose optional packages are not installed

A message says what arrived, what is allowed and what to do next. The command line prints it as one line and exits 1;
the service turns it into a problem document.
"""

from __future__ import annotations

from collections.abc import Sequence


class MatineeError(Exception):
    """The root of the tree: catch it to catch everything that matinee raises on purpose."""


class ParameterError(MatineeError, ValueError):
    """A parameter or a filter has a value that is not allowed."""


class DataError(MatineeError, ValueError):
    """Ratings, or a file that should hold them, cannot be used."""


class BadRowError(DataError):
    """One row of a file is malformed.

    Parameters
    ----------
    file
        The file, or the member of a zip, as the user would name it.
    line
        Line number in that file, the header being line 1.
    problem
        What arrived and what is allowed.
    """

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}, line {line}: {problem}")
        self.file = file
        self.line = line
        self.problem = problem


class UnknownIdError(MatineeError, LookupError):
    """An id or a title that the data, the model or the store does not hold."""


class UnknownUserError(UnknownIdError):
    """A user that is not there."""


class UnknownMovieError(UnknownIdError):
    """A movie that is not in the catalogue."""


class DownloadError(MatineeError):
    """A data set could not be fetched."""


class ArtifactError(MatineeError):
    """A model folder is damaged, incomplete, or written by a newer version."""


class StoreError(MatineeError):
    """The database of users and ratings refused."""


class ServiceError(MatineeError):
    """A service that was asked over HTTP refused, or gave no answer.

    Attributes
    ----------
    status
        The HTTP status; None where there was no answer.
    errors
        What was wrong, part by part, where the service says so.
    """

    def __init__(self, message: str, status: int | None = None, errors: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.errors = tuple(errors)


class EngineError(MatineeError):
    """Another engine than this process does not start, or gave up."""


class MissingExtraError(MatineeError, ImportError):
    """Optional packages are missing; the message names the command that installs them."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs packages that are not installed: pip install 'matinee[{extra}]'")
        self.extra = extra


class PosterError(MatineeError):
    """Whoever has the posters cannot be asked just now."""
