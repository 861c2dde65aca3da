"""Results on the disk: one netCDF file, or a Zarr store that is continued after whatever stopped it.

Start with `writer` (a run's file, whole or not at all) and `store` (chunks, each durable as soon as it is finished, and found
again by its checksum). `durable` is what "durable" means, `manifest` what a store says of itself, `place` and `recognise` what
may be replaced. Nothing here knows what a result means.
"""
