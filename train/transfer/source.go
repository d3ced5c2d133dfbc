package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/pytorch"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/vm"
)

// source is an open file of weights.
type source interface {
	vm.Source
	Close() error
}

// open opens the file at path, whose format it knows by the first bytes.
func open(path string) (src source, format string, err error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, "", err
	}
	start := make([]byte, 16)
	n, err := io.ReadFull(f, start)
	f.Close()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, "", err
	}
	switch start = start[:n]; {
	case pytorch.Is(start):
		src, err = opened(pytorch.Open(path))
		return src, "PyTorch", err
	case n > 8 && start[8] == '{':
		src, err = opened(safetensors.Open(path))
		return src, "safetensors", err
	case isONNX(start):
		m, err := ir.ReadFile(path)
		if err != nil {
			return nil, "", err
		}
		src, err = opened(newONNXSource(path, m))
		return src, "ONNX", err
	}
	return nil, "", fmt.Errorf("%s: it is neither safetensors, nor of torch.save, nor ONNX", path)
}

// opened returns a nil source, rather than a nil pointer in one, if there is an error.
func opened[S source](s S, err error) (source, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// isONNX reports whether start can begin an ONNX file: with the version of the format or its producer, fields 1 and 2.
func isONNX(start []byte) bool {
	return bytes.HasPrefix(start, []byte{0x08}) || bytes.HasPrefix(start, []byte{0x12})
}
