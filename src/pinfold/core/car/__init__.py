"""CAR files, version 1 and 2: content-addressed archives that any IPFS tool reads."""

from pinfold.core.binary_cid import split_cid
from pinfold.core.car.check import CarProblem, CarSummary, inspect, verify
from pinfold.core.car.header import MAX_HEADER_BYTES, Header, V2Header, encode_header, parse_header
from pinfold.core.car.read import V0_CODEC, CarReader, Record, Run, verify_record
from pinfold.core.car.write import CarWriter, record_prefix

__all__ = [
    "MAX_HEADER_BYTES",
    "V0_CODEC",
    "CarProblem",
    "CarReader",
    "CarSummary",
    "CarWriter",
    "Header",
    "Record",
    "Run",
    "V2Header",
    "encode_header",
    "inspect",
    "parse_header",
    "record_prefix",
    "split_cid",
    "verify",
    "verify_record",
]
