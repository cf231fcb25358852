"""Which number each way to end has.  Tens are families, so ``code / 10`` is enough for most scripts."""

from __future__ import annotations

from typing import Final

from pinfold.core import errors

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
BUG: Final = 70  # what sysexits.h calls EX_SOFTWARE
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells count
BROKEN_PIPE: Final = 141  # 128 + SIGPIPE

PROGRAM_CODES: Final[dict[int, str]] = {
    OK: "It worked.",
    FAILED: "What was asked for failed, for a reason outside of the table below: the system said no.",
    USAGE: "The command line cannot be understood.",
    BUG: "A mistake in the program itself; PINFOLD_DEBUG=1 shows where.",
    INTERRUPTED: "Stopped by Ctrl-C.  What was printed is durable; the store is whole.",
    BROKEN_PIPE: "The reader of standard output went away.",
}

ERROR_CODES: Final[dict[type[errors.PinfoldError], int]] = {
    errors.PinfoldError: FAILED,
    errors.InvalidInput: 10,
    errors.InvalidCID: 11,
    errors.InsecureHash: 12,
    errors.IdentityTooLarge: 13,
    errors.InvalidPath: 14,
    errors.UnknownHash: 15,
    errors.UnknownCodec: 16,
    errors.InvalidVarint: 17,
    errors.MalformedBlock: 18,
    errors.NotUnixFS: 19,
    errors.MalformedCar: 20,
    errors.BlockTooLarge: 21,
    errors.DagTooDeep: 22,
    errors.UnsafeName: 23,
    errors.ChecksumMismatch: 24,
    errors.NotFound: 30,
    errors.BlockNotFound: 31,
    errors.PathNotFound: 32,
    errors.PinNotFound: 33,
    errors.FileRecordNotFound: 34,
    errors.SourceNotFound: 35,
    errors.RecordNotFound: 36,
    errors.IncompleteDag: 37,
    errors.UploadGone: 38,
    errors.UploadStalled: 39,
    errors.Conflict: 40,
    errors.PinConflict: 41,
    errors.BlockPinned: 42,
    errors.FileRecordConflict: 43,
    errors.NotAFile: 44,
    errors.NotADirectory: 45,
    errors.RecordConflict: 46,
    errors.ReplicationImpossible: 47,
    errors.UploadBusy: 48,
    errors.OffsetMismatch: 49,
    errors.SourceUnreadable: 50,
    errors.SourceChanged: 51,
    errors.SymlinkLoop: 52,
    errors.NoPlaceForUpload: 53,
    errors.UploadOvertaken: 54,
    errors.Corrupt: 60,
    errors.BlockCorrupt: 61,
    errors.StoreCorrupt: 62,
    errors.VerificationFailed: 63,
    errors.DatabaseDamaged: 64,
    errors.StoreError: 80,
    errors.StoreFull: 81,
    errors.StoreNewer: 82,
    errors.StoreInUse: 83,
    errors.StoreUnreadable: 84,
    errors.CatalogueLost: 85,
    errors.DatabaseOutdated: 86,
    errors.WrongDatabase: 87,
    errors.DatabaseUnavailable: 88,
    errors.SystemUnavailable: 89,
    errors.FetchFailed: 90,
    errors.Unauthorised: 91,
    errors.PayloadTooLarge: 92,
    errors.InvalidSetting: 93,
    errors.QuotaExceeded: 94,
    errors.AddressRefused: 95,
    errors.TimedOut: 96,
    errors.Stopped: 97,
    errors.Forbidden: 98,
    errors.TooManyRequests: 99,
}


def exit_code(error: errors.PinfoldError) -> int:
    """The number that a process ends with for this error."""
    return ERROR_CODES[type(error)]
