"""Bare no-op tasks of Ray Core on all cores of the machine. Prints {"trials", "seconds"}."""
import json
import os
import sys
import time

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when ray is imported

import ray

cores, tasks = int(sys.argv[1]), int(sys.argv[2])
ray.init(num_cpus=cores, include_dashboard=False, logging_level="ERROR", log_to_driver=False)


@ray.remote
def nothing():
    return None


ray.get([nothing.remote() for _ in range(100)])  # workers are up
start = time.perf_counter()
ray.get([nothing.remote() for _ in range(tasks)])
print(json.dumps({"trials": tasks, "seconds": time.perf_counter() - start}))
