"""Files and directories as DAGs: profiles, chunkers, builders, readers; no disk, no network."""
