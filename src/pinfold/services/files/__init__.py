"""Files: streams in, records of them out."""

from pinfold.services.files.intake import Intake
from pinfold.services.files.model import FileRecord, FilesPage, Wish
from pinfold.services.files.receiving import Receiving, room_for
from pinfold.services.files.service import FilesService

__all__ = ["FileRecord", "FilesPage", "FilesService", "Intake", "Receiving", "Wish", "room_for"]
