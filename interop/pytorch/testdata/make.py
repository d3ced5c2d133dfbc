"""Writes the files of this folder, and those of a test into the folder given: with NAME.json, what they have in them."""
import collections, json, os, sys
import torch


def cases():
    torch.manual_seed(1)
    net = torch.nn.Sequential(collections.OrderedDict(conv=torch.nn.Conv2d(1, 2, 3), bn=torch.nn.BatchNorm2d(2), fc=torch.nn.Linear(3, 2)))
    base = torch.arange(24.0).reshape(4, 6) / 3
    types = {
        "bfloat16": base.bfloat16(), "bool": base > 3, "float16": base.half(), "float32": base, "float64": base.double(), "int32": base.int(),
        "int64": base.long() - 5, "int8": base.to(torch.int8) - 5, "uint8": base.to(torch.uint8), "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 3), "parameter": torch.nn.Parameter(base + 1),
    }
    views = {"transposed": base.t(), "strided": base[1:3, ::2], "row": base[2], "permuted": base.reshape(2, 3, 4).permute(2, 0, 1), "shared": base,
             "expanded": torch.ones(1).expand(3), "half": base.half().t(), "column": base[:, 3:4]}
    checkpoint = {
        "epoch": 3, "state_dict": net.state_dict(), "optimizer": {"state": {0: {"momentum_buffer": base, "step": 7}}, "param_groups": [{"lr": 0.1, "params": [0], "nesterov": False, "foreach": None}]},
        "args": {"list": [1, -2, 2**40, 2.5, "text", None, True, (1, (2,))], "size": base.size(), "dtype": base.dtype, "device": base.device, "set": {1, 2}, "bytes": b"abc"},
    }
    yield "net", net.state_dict(), net.state_dict()
    yield "types", types, types
    yield "views", views, views
    yield "checkpoint", checkpoint, net.state_dict()
    yield "networks", {"encoder": {"w": base}, "decoder": {"w": base * 2}, "optimizer": {"w": base}}, {"encoder.w": base, "decoder.w": base * 2}


def typed():
    base = torch.arange(6).reshape(2, 3)
    return {"uint16": base.to(torch.uint16), "float8": base.to(torch.float8_e4m3fn), "complex": base.to(torch.complex64), "int16": base.short()}


def save(folder, name, obj, state, **options):
    path = os.path.join(folder, name + ".pth")
    torch.save(obj, path, **options)
    return name, {k: [str(v.dtype).removeprefix("torch."), list(v.shape), v.double().flatten().tolist()] for k, v in state.items()}


def main(folder):
    told = {}
    for name, obj, state in cases():
        for suffix, options in [("", {}), ("-protocol4", {"pickle_protocol": 4}), ("-legacy", {"_use_new_zipfile_serialization": False})]:
            k, v = save(folder, name + suffix, obj, state, **options)
            told[k] = v
    torch.save(typed(), os.path.join(folder, "typed.pth"))
    torch.save(torch.nn.Linear(2, 2), os.path.join(folder, "module.pth"))
    torch.save({"w": torch.ones(2).to_sparse()}, os.path.join(folder, "sparse.pth"))
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), os.path.join(folder, "script.pth"))
    with open(os.path.join(folder, "told.json"), "w") as f:
        json.dump(told, f)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        here = os.path.dirname(os.path.abspath(__file__))
        told = {}
        for name, obj, state in cases():
            if name in ("net", "types", "views"):
                k, v = save(here, name, obj, state)
                told[k] = v
        k, v = save(here, "legacy", torch.load(os.path.join(here, "net.pth")), torch.load(os.path.join(here, "net.pth")), _use_new_zipfile_serialization=False)
        told[k] = v
        with open(os.path.join(here, "told.json"), "w") as f:
            json.dump(told, f, indent=0)
