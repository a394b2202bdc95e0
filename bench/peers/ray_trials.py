"""No-op trials of Ray Tune on all cores of the machine, grid search, actors used again, no loggers. Prints {"trials", "seconds"}."""
import json
import os
import sys
import tempfile
import time

# Read when ray is imported.
os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_AIR_NEW_OUTPUT"] = "0"

import ray
from ray import tune

cores, trials = int(sys.argv[1]), int(sys.argv[2])
ray.init(num_cpus=cores, include_dashboard=False, logging_level="ERROR", log_to_driver=False)


def nothing(config):
    return {"done": 1}


with tempfile.TemporaryDirectory() as folder:
    tuner = tune.Tuner(
        nothing,
        param_space={"cell": tune.grid_search(list(range(trials)))},
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    )
    start = time.perf_counter()
    tuner.fit()
    print(json.dumps({"trials": trials, "seconds": time.perf_counter() - start}))
