"""A run on an HPC queue: one job a worker, each on a node of its own, writing to a store on the shared file system.

    python scripts/batch_slurm.py btc_24h --paths 1e9 --out /shared/btc.zarr --jobs 20 --cores 32 --hours 4
    python scripts/batch_slurm.py btc_24h --jobs 4 --gpu --queue gpu --out /shared/btc.zarr      # four jobs, each with a GPU
    python scripts/batch_slurm.py btc_24h --out /shared/btc.zarr --show                        # the job script, nothing submitted

Needs `pip install 'jaxrisk[hpc]'` in an environment that all nodes see. Run it where jobs are submitted, in a terminal that stays
(tmux) or as a job of its own, with `--gpu` on a node that has one too; if it ends, or the queue takes workers away, the same
command continues. `jaxrisk status OUT` says from anywhere how far it is. For PBS, LSF or SGE take `PBSCluster` and its like of
`dask_jobqueue`, with the same arguments.
"""

import argparse
import sys


def main() -> int:
    """Submit workers, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario")
    parser.add_argument("--out", required=True, help="NAME.zarr on a file system that all nodes see")
    parser.add_argument("--paths", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--gpu", action="store_true", help="one for each job; a process takes all devices that it sees")
    parser.add_argument("--memory", default="32GB")
    parser.add_argument("--hours", type=int, default=8)
    parser.add_argument("--queue")
    parser.add_argument("--account")
    parser.add_argument("--show", action="store_true")
    asked = parser.parse_args()
    from dask_jobqueue import SLURMCluster
    from distributed import Client

    import jaxrisk as jr

    if asked.gpu and not asked.show:
        import jax

        if jax.default_backend() == "cpu":
            parser.error("--gpu: there is no GPU here, and paths have other bits on another device: run this as a job with one")
    cluster = SLURMCluster(
        cores=1,  # threads of a worker, each of which would run chunks; one chunk takes all cores of its job
        job_cpu=asked.cores,
        processes=1,
        memory=asked.memory,
        queue=asked.queue,
        account=asked.account,
        walltime=f"{asked.hours:02d}:00:00",
        job_extra_directives=["--gpus=1"] if asked.gpu else [],
        job_script_prologue=["export TF_CPP_MIN_LOG_LEVEL=3", "export XLA_PYTHON_CLIENT_PREALLOCATE=false"],
        # a worker leaves before its job is ended; the chunk that it is at is run again by another
        worker_extra_args=["--lifetime", f"{60 * asked.hours - 5}m", "--lifetime-stagger", "2m"],
    )
    if asked.show:
        print(cluster.job_script())
        return 0
    with cluster, Client(cluster) as client:
        cluster.scale(jobs=asked.jobs)
        client.wait_for_workers(1)
        result = jr.simulate(
            jr.load(asked.scenario),
            paths=None if asked.paths is None else int(asked.paths),
            seed=asked.seed,
            out=asked.out,
            executor=client,
            tell=lambda text: print(text, file=sys.stderr),
        )
        print(result.summary())
    return 0


if __name__ == "__main__":
    sys.exit(main())
