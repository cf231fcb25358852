"""Pure vocabulary of the field: CIDs, blocks, codecs, CARs, paths, errors. No I/O, no clock."""
