"""A person's own history from other services: read the file, match its films to the catalogue, write it back.

`read_history` knows Letterboxd, IMDb, TMDb, Trakt, movielens.org and matinee's own export; `TitleIndex.match` says for
every row which film it is, or why that is not sure; `export` writes csv, JSON and Letterboxd's import format.
"""

from __future__ import annotations

from matinee.data.personal.formats import History, HistoryRow, read_history
from matinee.data.personal.matching import Match, MatchReport, TitleIndex

__all__ = ["History", "HistoryRow", "Match", "MatchReport", "TitleIndex", "read_history"]
