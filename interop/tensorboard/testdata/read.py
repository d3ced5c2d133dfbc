"""Prints as JSON what TensorBoard's own reader finds in a folder: python3 read.py FOLDER"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

everything = {"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}
run = EventAccumulator(sys.argv[1], size_guidance=everything)
run.Reload()
tags = run.Tags()
found = {
    "scalars": {t: [[e.step, e.value] for e in run.Scalars(t)] for t in tags["scalars"]},
    "histograms": {
        t: [
            {
                "step": e.step, "min": e.histogram_value.min, "max": e.histogram_value.max, "num": e.histogram_value.num, "sum": e.histogram_value.sum,
                "squares": e.histogram_value.sum_squares, "limits": list(e.histogram_value.bucket_limit), "counts": list(e.histogram_value.bucket),
            }
            for e in run.Histograms(t)
        ]
        for t in tags["histograms"]
    },
    "images": {t: [[e.step, e.width, e.height, e.encoded_image_string.hex()] for e in run.Images(t)] for t in tags["images"]},
    "graph": [[n.name, n.op, list(n.input), [d.size for d in n.attr["_output_shapes"].list.shape[0].dim], n.attr["about"].s.decode()] for n in run.Graph().node]
    if tags["graph"]
    else [],
}
json.dump(found, sys.stdout)
