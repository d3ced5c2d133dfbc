#!/usr/bin/env python3
"""Times inference for several clients at a time, by Plexaura and by ONNX Runtime in turn.

usage: clients.py [-demo PROGRAM] [-clients 1,2,4] [-rounds N] CASE=FILE.onnx...

Run it in the root of the repository. CASE is one of `demo bench`'s, such as resnet50/infer/1, and FILE the same network. Each
client runs one image after another: in ours with a machine of its own, in ONNX Runtime on a thread of its own, in one session.
Threads are those that may work on a client's run: 1 is for throughput, as many as there are processors for latency. The
figures are medians over the rounds: runs a second of all clients, and the median time of one.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time

import numpy
import onnxruntime

SECONDS = 4


def ours(demo, case, clients, threads):
    out = subprocess.run([demo, "bench", "-json", "-case", case, "-clients", str(clients), "-threads", str(threads)],
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    r = json.loads(out)
    return r["runs_second"], r["ms"]


def theirs(file, clients, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")  # else its threads wait by looping while the other side has its turn
    session = onnxruntime.InferenceSession(file, options)
    first = session.get_inputs()[0]
    shape = [d if isinstance(d, int) else 1 for d in first.shape]
    x = {first.name: numpy.random.default_rng(1).standard_normal(shape).astype(numpy.float32)}
    session.run(None, x)
    times = [[] for _ in range(clients)]
    end = time.perf_counter() + SECONDS

    def client(mine):
        while True:
            start = time.perf_counter()
            session.run(None, x)
            stop = time.perf_counter()
            if stop > end:
                return
            mine.append(stop - start)

    all_of = [threading.Thread(target=client, args=(mine,)) for mine in times]
    for t in all_of:
        t.start()
    for t in all_of:
        t.join()
    flat = [t for mine in times for t in mine]
    return len(flat) / SECONDS, statistics.median(flat) * 1e3


def main():
    a = argparse.ArgumentParser()
    a.add_argument("-demo")
    a.add_argument("-clients", default="1,2,4")
    a.add_argument("-rounds", type=int, default=3)
    a.add_argument("cases", nargs="+")
    a = a.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        demo = a.demo
        if not demo:
            demo = os.path.join(tmp, "demo")
            subprocess.run(["go", "build", "-o", demo, "./cmd/demo"], check=True)
        print("| case | clients | threads | ours, runs/s | ms | ONNX Runtime, runs/s | ms | ours/theirs |\n|---|---|---|---|---|---|---|---|")
        for case in a.cases:
            name, file = case.split("=", 1)
            for clients in map(int, a.clients.split(",")):
                for threads in sorted({1, os.cpu_count()}):
                    rounds = [(ours(demo, name, clients, threads), theirs(file, clients, threads)) for _ in range(a.rounds)]
                    (rate, ms), (their_rate, their_ms) = ([statistics.median(r[side][i] for r in rounds) for i in range(2)] for side in range(2))
                    ratio = statistics.median(o[0] / t[0] for o, t in rounds)
                    print(f"| {name} | {clients} | {threads} | {rate:.4g} | {ms:.3g} | {their_rate:.4g} | {their_ms:.3g} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
