"""What people do, in SQL: the only place with SQLAlchemy."""
