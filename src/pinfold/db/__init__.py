"""The platform's database: models, migrations and every query."""

from pinfold.db.session import Database

__all__ = ["Database"]
