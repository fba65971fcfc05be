"""GPT-2 small's shape by PyTorch and transformers, run once for every line that comes in.

The other side of `inference.rs`. Reads what to run, one word a line, and answers each with the
milliseconds it took: `pass` (128 tokens, logits of all positions), `pass_last` (logits of the last
alone) or `step` (one more token after them). Attentions and hidden states are kept. With one thread
it is the processor's time, not the clock's.
"""

import sys
import time
import warnings

import torch
from transformers import DynamicCache, GPT2Config, GPT2LMHeadModel

warnings.filterwarnings("ignore")

N_THREADS = int(sys.argv[1])
N_TOKENS = int(sys.argv[2])
clock = time.thread_time if N_THREADS == 1 else time.perf_counter

torch.set_num_threads(N_THREADS)
torch.manual_seed(7)
model = GPT2LMHeadModel(GPT2Config(attn_implementation="eager")).eval()
tokens = (torch.arange(N_TOKENS) * 37 % 50257).unsqueeze(0)
one = torch.tensor([[11]])
kept = {"output_attentions": True, "output_hidden_states": True, "use_cache": True}


def timed(work):
    start = clock()
    result = work()
    millis = (clock() - start) * 1e3
    return millis, result


with torch.no_grad():
    past = model(tokens, past_key_values=DynamicCache(config=model.config), **kept).past_key_values
    runs = {
        "pass": lambda: model(tokens, **kept),
        "pass_last": lambda: model(tokens, logits_to_keep=1, **kept),
        "step": lambda: model(one, past_key_values=past, **kept),
    }
    for line in sys.stdin:
        millis, result = timed(runs[line.strip()])
        if past.get_seq_length() > N_TOKENS:
            past.crop(-1)
        assert past.get_seq_length() == N_TOKENS
        print(millis, flush=True)
