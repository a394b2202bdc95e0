"""No-op trials of Optuna: N processes on one study in PostgreSQL, grid sampler. Prints {"trials", "seconds"}."""
import json
import multiprocessing
import sys
import time

import optuna

url, processes, trials = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
optuna.logging.set_verbosity(optuna.logging.ERROR)


def work(share):
    # One storage object a process, heartbeats and pruning off: as its documentation has it for many processes.
    study = optuna.load_study(study_name="noop", storage=optuna.storages.RDBStorage(url), sampler=optuna.samplers.RandomSampler())
    study.optimize(lambda trial: trial.suggest_float("cell", 0, 1), n_trials=share)


if __name__ == "__main__":
    optuna.create_study(study_name="noop", storage=url)
    workers = [multiprocessing.Process(target=work, args=(trials // processes,)) for _ in range(processes)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(json.dumps({"trials": trials // processes * processes, "seconds": time.perf_counter() - start}))
