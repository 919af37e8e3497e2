"""PyTorch's side of bench_training: one line in, one measured round out.

torch_rounds.py BASELINE NETWORK THREADS, where BASELINE is shared/bench/torch_baseline.py, whose
network, data and steps these are. Reads "train", "infer" or "recalibrate", runs that for 0.3 s, and
prints images a second; so that the rounds of both sides alternate within one run.
"""
import contextlib, io, runpy, sys, time

baseline, network, threads = sys.argv[1:4]
sys.argv = [baseline, network, "--threads", threads, "--steps", "1"]
with contextlib.redirect_stdout(io.StringIO()):
    its = runpy.run_path(baseline)
work = {"train": its["train"], "infer": its["infer"], "recalibrate": its["infer"]}
print("ready", flush=True)
for line in sys.stdin:
    name = line.strip()
    its["net"].train(name != "infer")
    work[name]()
    images, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.3:
        work[name]()
        images += 64
    print(images / (time.perf_counter() - start), flush=True)
