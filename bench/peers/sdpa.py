"""Prefill with Hugging Face transformers and SDPA: {"tokens": n} on a line in, {"seconds": s} on a line out."""
import json
import os
import sys
import time

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()
folder, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
answers = os.fdopen(os.dup(1), "w")
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
print(json.dumps({"seconds": 0}), file=answers, flush=True)
with torch.inference_mode():
    for line in sys.stdin:
        count = json.loads(line)["tokens"]
        ids = (4 + torch.arange(count) * 37 % 40000)[None]
        start = time.perf_counter()
        model(ids, logits_to_keep=1, use_cache=False)
        print(json.dumps({"seconds": time.perf_counter() - start}), file=answers, flush=True)
