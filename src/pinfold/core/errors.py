"""Every way Pinfold can refuse, as one tree.

PinfoldError
├── InvalidInput            what was asked for cannot be read
│   ├── InvalidCID
│   │   ├── InsecureHash
│   │   └── IdentityTooLarge
│   ├── InvalidPath
│   ├── UnknownHash
│   ├── UnknownCodec
│   ├── InvalidVarint
│   ├── MalformedBlock      bytes are not what their codec says
│   │   └── NotUnixFS
│   ├── MalformedCar
│   ├── BlockTooLarge
│   ├── DagTooDeep
│   ├── ChecksumMismatch    bytes that arrived otherwise than they were sent
│   └── UnsafeName          a name that would leave the folder it is written to
├── NotFound
│   ├── BlockNotFound
│   │   └── IncompleteDag   a DAG of which something is missing
│   ├── PathNotFound
│   ├── PinNotFound
│   ├── FileRecordNotFound
│   ├── RecordNotFound      an organisation, user, token, webhook …
│   ├── UploadGone          a resumable upload that has expired
│   └── SourceNotFound      a path on this machine
├── Conflict
│   ├── PinConflict
│   ├── BlockPinned
│   ├── FileRecordConflict
│   ├── UploadBusy          somebody else is sending bytes of the same upload
│   ├── OffsetMismatch      bytes that do not go on where the upload stands
│   ├── RecordConflict      a name or an e-mail address that is taken, and the like
│   └── ReplicationImpossible  more copies than the engine has peers
├── NotAFile / NotADirectory
├── SourceUnreadable        a local file or folder that cannot be read
│   ├── SourceChanged
│   └── SymlinkLoop
├── Corrupt                 never retried, always alerts
│   ├── BlockCorrupt
│   ├── StoreCorrupt
│   └── DatabaseDamaged     the file of the platform's database
├── StoreError
│   ├── StoreFull
│   ├── StoreNewer          written by a newer version
│   ├── StoreInUse          another major version runs on it
│   ├── StoreUnreadable     rights, or a path that is no data folder
│   ├── WrongDatabase       a data folder and a database that do not belong together
│   ├── DatabaseOutdated    the platform's database waits for ``db upgrade``
│   ├── DatabaseUnavailable  the platform's database is away, or held by others for too long
│   ├── SystemUnavailable   the operating system refuses: too many open files, a folder that is read-only
│   └── CatalogueLost       the catalogue is missing or damaged; ``repo rebuild`` makes it anew
├── FetchFailed
│   ├── AddressRefused      a host that may not be connected to
│   ├── TimedOut
│   └── Stopped             somebody asked a running operation to end
├── QuotaExceeded
├── Unauthorised
├── Forbidden               known, but without the right
├── TooManyRequests
├── PayloadTooLarge
├── UploadStalled           an upload of which too little comes for too long
├── NoPlaceForUpload        others' uploads hold all places, and do not move
├── UploadOvertaken         its content was deleted and collected before it was recorded
├── InvalidSetting
└── VerificationFailed      a check ran to its end and found something wrong

Each class has a stable ``code``, says whether the same call may succeed later (``retryable``) and has a ``hint`` for
the person. This module knows no HTTP and no exit codes: one table each, at the edges, maps the classes.
"""

from __future__ import annotations

from typing import ClassVar


class PinfoldError(Exception):
    """Something Pinfold refuses or cannot do; ``str()`` is a sentence for a person."""

    code: ClassVar[str] = "ERROR"
    retryable: ClassVar[bool] = False
    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class InvalidInput(PinfoldError):
    """What was given cannot be read as what it should be."""

    code = "INVALID_INPUT"


class InvalidCID(InvalidInput):
    """A string or bytes that are no CID."""

    code = "INVALID_CID"
    hint = "A CID looks like bafy…, bafk… or Qm….  `pinfold cid inspect` explains one."


class InsecureHash(InvalidCID):
    """A hash function or digest length that does not protect content."""

    code = "INSECURE_HASH"
    hint = "Use a cryptographic hash of at least 20 bytes, for example sha2-256."


class IdentityTooLarge(InvalidCID):
    """An identity CID that carries more than 128 bytes."""

    code = "IDENTITY_TOO_LARGE"
    hint = "Store the content as a block with a real hash."


class InvalidPath(InvalidInput):
    """A content path that cannot be read."""

    code = "INVALID_PATH"
    hint = "Write CID, CID/a/b, /ipfs/CID/a/b or ipfs://CID/a/b."


class UnknownHash(InvalidInput):
    """A hash function this program cannot compute."""

    code = "UNKNOWN_HASH"
    hint = "Known: sha2-256, sha2-512, sha3-256, sha3-512, blake2b-*, blake2s-256, blake3, identity and a few more."


class UnknownCodec(InvalidInput):
    """A codec this program cannot read."""

    code = "UNKNOWN_CODEC"
    hint = "Known: raw, dag-pb, dag-cbor, dag-json."


class InvalidVarint(InvalidInput):
    """A varint that is over-long, not minimal, or cut off."""

    code = "INVALID_VARINT"


class MalformedBlock(InvalidInput):
    """Bytes that their codec cannot read."""

    code = "MALFORMED_BLOCK"


class NotUnixFS(MalformedBlock):
    """A dag-pb node whose data is no UnixFS."""

    code = "NOT_UNIXFS"
    hint = "`pinfold dag get` shows any node, UnixFS or not."


class MalformedCar(InvalidInput):
    """A CAR that is cut off or does not follow its format; the message has the byte offset."""

    code = "MALFORMED_CAR"
    hint = "`pinfold car verify FILE` lists what is wrong.  Nothing of it was kept."


class BlockTooLarge(InvalidInput):
    """A block over 2 MiB."""

    code = "BLOCK_TOO_LARGE"
    hint = "The network exchanges blocks of up to 2 MiB; add the file with a smaller --chunker."


class DagTooDeep(InvalidInput):
    """A DAG that is deeper than any honest one, or that loops."""

    code = "DAG_TOO_DEEP"


class UnsafeName(InvalidInput):
    """A name inside a folder that would be written outside of it."""

    code = "UNSAFE_NAME"
    hint = "Nothing was written for it.  `pinfold ls` shows the folder; `pinfold cat` reads a file of it."


class ChecksumMismatch(InvalidInput):
    """Bytes that do not hash to what was announced."""

    code = "CHECKSUM_MISMATCH"
    retryable = True
    hint = "Send them again; nothing of them was kept."


class NotFound(PinfoldError):
    """What was named is not here."""

    code = "NOT_FOUND"


class BlockNotFound(NotFound):
    """A block that this store does not have."""

    code = "BLOCK_NOT_FOUND"
    retryable = True
    hint = "`pinfold repo repair --from GATEWAY_URL` fetches missing blocks of what is pinned."


class IncompleteDag(BlockNotFound):
    """A DAG that was to be kept and of which blocks are missing; the message names some."""

    code = "INCOMPLETE_DAG"
    retryable = False
    hint = "Send the blocks that are named as well; `pinfold dag import --no-pin-roots` keeps what there is."


class PathNotFound(NotFound):
    """A name that a folder does not have."""

    code = "PATH_NOT_FOUND"


class PinNotFound(NotFound):
    """A CID that is not pinned."""

    code = "PIN_NOT_FOUND"
    hint = "`pinfold pin ls` lists what is."


class FileRecordNotFound(NotFound):
    """An id of the files API that names nothing."""

    code = "FILE_NOT_FOUND"


class RecordNotFound(NotFound):
    """A record of the platform that is not there, or not for this caller's eyes."""

    code = "RECORD_NOT_FOUND"


class UploadGone(NotFound):
    """A resumable upload that was there and has expired."""

    code = "UPLOAD_GONE"
    hint = "Begin it anew."


class SourceNotFound(NotFound):
    """A path on this machine that does not exist."""

    code = "SOURCE_NOT_FOUND"


class Conflict(PinfoldError):
    """What was asked for contradicts what is."""

    code = "CONFLICT"


class PinConflict(Conflict):
    """A pin that cannot be because of another one."""

    code = "PIN_CONFLICT"


class BlockPinned(Conflict):
    """A block that a pin needs."""

    code = "BLOCK_PINNED"
    hint = "Unpin it first: the message names a pin that reaches it."


class FileRecordConflict(Conflict):
    """A change to a file record that its state does not allow."""

    code = "FILE_CONFLICT"


class RecordConflict(Conflict):
    """Something of that name is there already."""

    code = "RECORD_CONFLICT"


class ReplicationImpossible(Conflict):
    """More copies were asked for than the engine has peers."""

    code = "REPLICATION_IMPOSSIBLE"
    hint = "Ask for fewer copies, or add nodes."


class UploadBusy(Conflict):
    """A resumable upload to which another request is sending bytes."""

    code = "UPLOAD_BUSY"
    retryable = True
    hint = "Try again when that request has ended."


class OffsetMismatch(Conflict):
    """Bytes of a resumable upload that do not go on where it stands."""

    code = "OFFSET_MISMATCH"
    hint = "Ask by HEAD how far it has come, and go on there."


class NotAFile(PinfoldError):
    """A path that leads to something else than a file."""

    code = "NOT_A_FILE"
    hint = "`pinfold ls` lists a folder; `pinfold get` writes one to disk."


class NotADirectory(PinfoldError):  # shadows nothing: the built-in is NotADirectoryError
    """A path that goes on behind something that is no folder."""

    code = "NOT_A_DIRECTORY"


class SourceUnreadable(PinfoldError):
    """A file or folder on this machine that cannot be read."""

    code = "SOURCE_UNREADABLE"


class SourceChanged(SourceUnreadable):
    """A file that changed while it was read."""

    code = "SOURCE_CHANGED"
    retryable = True
    hint = "Add it again when nothing writes to it."


class SymlinkLoop(SourceUnreadable):
    """Symbolic links that lead back to themselves."""

    code = "SYMLINK_LOOP"


class Corrupt(PinfoldError):
    """Bytes that are not what they were."""

    code = "CORRUPT"


class BlockCorrupt(Corrupt):
    """A block whose bytes do not match its CID."""

    code = "BLOCK_CORRUPT"
    hint = "Bring the content again, or `pinfold repo repair --from GATEWAY_URL` fetches it, verified."


class StoreCorrupt(Corrupt):
    """A data folder whose files contradict each other."""

    code = "STORE_CORRUPT"
    hint = "`pinfold repo verify` says what is wrong; `pinfold repo rebuild` makes the catalogue anew."


class DatabaseDamaged(Corrupt):
    """The platform's database is damaged, an SQLite file that some of cannot be read."""

    code = "DATABASE_DAMAGED"
    hint = (
        "Stop pinfold, keep a copy of the file, and restore it from a backup; without one, "
        "`sqlite3 FILE .recover | sqlite3 NEW-FILE` saves what can be read.  The store's blocks are not in it."
    )


class StoreError(PinfoldError):
    """The data folder cannot be used as asked."""

    code = "STORE_ERROR"


class StoreFull(StoreError):
    """No room left for what was to be written; the store is as it was."""

    code = "STORE_FULL"
    retryable = True
    hint = "Free space (`pinfold repo gc --dry-run` says what gc would give) or choose another --data-dir."


class StoreNewer(StoreError):
    """A data folder that a newer version wrote."""

    code = "STORE_NEWER"
    hint = "Upgrade pinfold; nothing was touched."


class StoreInUse(StoreError):
    """A data folder on which another major version runs."""

    code = "STORE_IN_USE"
    retryable = True
    hint = "Stop the other program first."


class StoreUnreadable(StoreError):
    """A path that cannot be used as a data folder."""

    code = "STORE_UNREADABLE"


class WrongDatabase(StoreError):
    """A data folder and a database of two different platforms."""

    code = "WRONG_DATABASE"


class DatabaseOutdated(StoreError):
    """A database whose schema is older than this version's."""

    code = "DATABASE_OUTDATED"
    hint = "Back it up, then run `pinfold db upgrade`."


class DatabaseUnavailable(StoreError):
    """A database that does not answer, or that others hold for too long."""

    code = "DATABASE_UNAVAILABLE"
    retryable = True
    hint = "Try again in a moment; `/ready` says whether the database answers."


class SystemUnavailable(StoreError):
    """What the operating system refuses at the moment: files to open, or to write to."""

    code = "SYSTEM_UNAVAILABLE"
    retryable = True
    hint = "Look at the limit of open files, and at the rights of the data folder and its disk."


class CatalogueLost(StoreError):
    """The catalogue is missing or damaged; the content is not."""

    code = "CATALOGUE_LOST"
    hint = "`pinfold repo rebuild` makes it anew from the segments and the pin journal."


class FetchFailed(PinfoldError):
    """Content that no source gave."""

    code = "FETCH_FAILED"
    retryable = True


class AddressRefused(FetchFailed):
    """A host that is, or resolves to, an address that nobody outside may make this server connect to."""

    code = "ADDRESS_REFUSED"
    hint = "Private, loopback and other special addresses are refused unless the operator allows them."


class TimedOut(FetchFailed):
    """An operation that was not done within its time limit; the message says where it stood."""

    code = "TIMED_OUT"
    retryable = True
    hint = "What came is kept until the next gc: asking again goes on from there."


class Stopped(FetchFailed):
    """An operation that ended before it was done because somebody asked for that."""

    code = "STOPPED"
    retryable = True


class QuotaExceeded(PinfoldError):
    """More than a quota allows."""

    code = "QUOTA_EXCEEDED"
    hint = "Remove what is not needed any more, or ask the administrator for more room."


class Unauthorised(PinfoldError):
    """A request without a valid token."""

    code = "UNAUTHORISED"
    hint = (
        "Send a token that is good: Authorization: Bearer pf_….  "
        "Whoever runs the server can make one with `pinfold token create`."
    )


class Forbidden(PinfoldError):
    """A request of somebody who is known and lacks the right."""

    code = "FORBIDDEN"
    hint = "Ask for a token with the scope that is named, or a role that has it."


class TooManyRequests(PinfoldError):
    """More requests than a limit allows in its window."""

    code = "TOO_MANY_REQUESTS"
    retryable = True
    hint = "Wait as long as the Retry-After header says."


class PayloadTooLarge(PinfoldError):
    """A request larger than this server takes."""

    code = "PAYLOAD_TOO_LARGE"


class UploadStalled(PinfoldError):
    """An upload that went silent, or nearly so."""

    code = "UPLOAD_STALLED"
    retryable = True
    hint = "Send it again; by `/files/tus` an upload goes on where it stood."


class NoPlaceForUpload(PinfoldError):
    """An upload for which there is no place while others that hold one do not move."""

    code = "NO_PLACE_FOR_UPLOAD"
    retryable = True
    hint = "Uploads that stall are ended before long: send it again then."


class UploadOvertaken(PinfoldError):
    """An upload whose content was stored, and deleted and collected by others before the upload was recorded."""

    code = "UPLOAD_OVERTAKEN"
    retryable = True
    hint = "Send it again; a resumable upload still has its bytes."


class InvalidSetting(PinfoldError):
    """A setting that cannot be used as it is."""

    code = "INVALID_SETTING"
    hint = "`pinfold up --help` lists the settings and their defaults."


class VerificationFailed(PinfoldError):
    """A check that ran to its end and found something wrong."""

    code = "VERIFICATION_FAILED"
