// Package pytorch reads the tensors of files that torch.save writes, usually called .pt or .pth:
// state dicts, also inside of dicts such as {"model": ..., "optimizer": ..., "epoch": 3}.
//
// A file is a ZIP archive of what is stored as it is (since PyTorch 1.6):
//
//	NAME/data.pkl     a pickle: dicts, lists, strings, numbers, and tensors as views of storages
//	NAME/data/0       the bytes of storage "0", and so on
//	NAME/byteorder    "little" or "big"; little if it is missing
//
// Older files have several pickles one after the other, then the storages.
//
// A pickle is a program that can call anything in Python. The reader is not Python: it knows what
// state dicts need, and all else is an error that names what the pickle wants to call. Nothing is
// executed. A file takes memory in proportion to its pickle, whatever it claims; storages stay
// in the file until a tensor is read.
//
// Knows shape, interop/safetensors, whose Tensor it returns, internal/plain and internal/regular. Never
// imports graph, vm, nn or train.
package pytorch
