"""A run on Kubernetes: a scheduler and workers as pods, which write to a store on a volume that all of them mount.

    python scripts/batch_kubernetes.py btc_24h --paths 1e9 --out /data/btc.zarr --claim data --image registry/jaxrisk:1
    python scripts/batch_kubernetes.py btc_24h --out /data/btc.zarr --claim data --image i --show   # the resource, nothing made

Needs `pip install 'jaxrisk[kubernetes]'`, the Dask operator in the cluster, an image with jaxrisk of the same version as here,
and a persistent volume claim with access mode ReadWriteMany, mounted at the folder of --out in the pods and where this runs.
Pods that are evicted lose the chunk that they were at, and no more; if this ends, the same command continues. With --gpu run it
where there is a GPU too: workers on another kind of device than where it runs get no chunks.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def spec(asked: argparse.Namespace) -> dict[str, Any]:
    """The cluster as a resource."""
    from dask_kubernetes.operator import make_cluster_spec

    limits = {"cpu": str(asked.cores), "memory": asked.memory} | ({"nvidia.com/gpu": "1"} if asked.gpu else {})
    made = make_cluster_spec(
        name=asked.name,
        image=asked.image,
        n_workers=asked.workers,
        resources={"limits": limits, "requests": limits},
        env={"TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
        worker_command=["dask", "worker", "--nthreads", "1"],  # a chunk at a time; it takes all cores and devices
    )
    folder = str(Path(asked.out).absolute().parent)
    pod = made["spec"]["worker"]["spec"]
    pod["volumes"] = [{"name": "results", "persistentVolumeClaim": {"claimName": asked.claim}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "results", "mountPath": folder}]
    return made


def main() -> int:
    """Make the cluster, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario")
    parser.add_argument("--out", required=True, help="NAME.zarr on the volume")
    parser.add_argument("--claim", required=True, help="the volume's persistent volume claim")
    parser.add_argument("--image", required=True)
    parser.add_argument("--name", default="jaxrisk")
    parser.add_argument("--paths", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--cores", type=int, default=8)
    parser.add_argument("--gpu", action="store_true", help="one for each worker")
    parser.add_argument("--memory", default="16Gi")
    parser.add_argument("--show", action="store_true")
    asked = parser.parse_args()
    if asked.show:
        print(json.dumps(spec(asked), indent=2))
        return 0
    from dask_kubernetes.operator import KubeCluster
    from distributed import Client

    import jaxrisk as jr

    with KubeCluster(custom_cluster_spec=spec(asked)) as cluster, Client(cluster) as client:
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
