"""Sheets on an existing Dask cluster (``pip install 'marianne-conductor[dask]'``).

A bridge (:mod:`marianne.executors.bridge`) finds the workers by their scheduler and opens one long
connection to each, by Dask's own transport and its TLS. A plugin on each worker
(:mod:`.plugin`) starts the node's warden and carries bytes between that connection and the warden's
socket. No sheet is a Dask task: nothing is pickled but the plugin, Dask's scheduler has no part in
a sheet's way, and neither its death nor a worker's touches a sheet that runs.
"""
