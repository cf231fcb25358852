"""From what went wrong to a status and a short sentence: the gateway's one table."""

from __future__ import annotations

from typing import Final

from pinfold.core import errors

STATUS: Final[dict[type[errors.PinfoldError], int]] = {
    errors.PinfoldError: 500,
    errors.InvalidInput: 400,
    errors.InvalidCID: 400,
    errors.InsecureHash: 400,
    errors.IdentityTooLarge: 400,
    errors.InvalidPath: 400,
    errors.UnknownHash: 400,
    errors.UnknownCodec: 501,
    errors.InvalidVarint: 400,
    errors.MalformedBlock: 422,
    errors.NotUnixFS: 501,
    errors.MalformedCar: 422,
    errors.BlockTooLarge: 422,
    errors.DagTooDeep: 422,
    errors.UnsafeName: 422,
    errors.ChecksumMismatch: 400,
    errors.NotFound: 404,
    errors.BlockNotFound: 404,
    errors.IncompleteDag: 404,
    errors.PathNotFound: 404,
    errors.PinNotFound: 404,
    errors.FileRecordNotFound: 404,
    errors.RecordNotFound: 404,
    errors.UploadGone: 410,
    errors.SourceNotFound: 500,
    errors.Conflict: 409,
    errors.PinConflict: 409,
    errors.BlockPinned: 409,
    errors.FileRecordConflict: 409,
    errors.UploadBusy: 409,
    errors.OffsetMismatch: 409,
    errors.UploadStalled: 408,
    errors.NoPlaceForUpload: 503,
    errors.UploadOvertaken: 503,
    errors.RecordConflict: 409,
    errors.ReplicationImpossible: 409,
    errors.NotAFile: 400,
    errors.NotADirectory: 404,
    errors.SourceUnreadable: 500,
    errors.SourceChanged: 500,
    errors.SymlinkLoop: 500,
    errors.Corrupt: 500,
    errors.BlockCorrupt: 500,
    errors.StoreCorrupt: 500,
    errors.DatabaseDamaged: 503,
    errors.StoreError: 503,
    errors.StoreFull: 507,
    errors.StoreNewer: 503,
    errors.StoreInUse: 503,
    errors.StoreUnreadable: 503,
    errors.CatalogueLost: 503,
    errors.DatabaseOutdated: 503,
    errors.DatabaseUnavailable: 503,
    errors.WrongDatabase: 503,
    errors.SystemUnavailable: 503,
    errors.FetchFailed: 502,
    errors.AddressRefused: 502,
    errors.TimedOut: 504,
    errors.Stopped: 503,
    errors.QuotaExceeded: 403,
    errors.Unauthorised: 401,
    errors.Forbidden: 403,
    errors.TooManyRequests: 429,
    errors.PayloadTooLarge: 413,
    errors.InvalidSetting: 500,
    errors.VerificationFailed: 500,
}


class Refusal(Exception):
    """A request that is answered by a status and a sentence, whatever the content may be."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers or {}
