"""Runs a file by ONNX Runtime, which comes from Python.

The arguments are the file, a folder and how many threads compute. inputs.json in the folder has the name of a .npy file there for each
input. Outputs go to output_0.npy and so on, and their names to the standard output, in a line of JSON. Each line of the standard input
then is a number of runs, which is answered by the seconds that one takes.
"""
import json, os, sys, time


def say(**v):
    print(json.dumps(v), flush=True)


def main(model, folder, threads):
    import numpy
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.add_session_config_entry("session.force_spinning_stop", "1")  # else its threads wait by looping while the other side has its turn
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with open(os.path.join(folder, "inputs.json"), encoding="utf-8") as f:
        feeds = {name: numpy.load(os.path.join(folder, file)) for name, file in json.load(f).items()}
    for i, y in enumerate(session.run(None, feeds)):
        numpy.save(os.path.join(folder, "output_%d.npy" % i), numpy.asarray(y), allow_pickle=False)
    say(version=onnxruntime.__version__, outputs=[y.name for y in session.get_outputs()])
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            session.run(None, feeds)
        say(seconds=(time.perf_counter() - start) / int(line))


try:
    main(*sys.argv[1:])
except Exception as e:  # which the caller shows
    say(error="%s: %s" % (type(e).__name__, e))
