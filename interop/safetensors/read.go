package safetensors

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/plexaura/plexaura/internal/regular"
)

// maxData limits the data that [Read] and [ReadFile] hold in memory: a file that takes little space
// on disk can have more bytes to read than any machine has memory.
const maxData = 8 << 30

// ReadFile reads the file at path, of at most 8 GiB. Its errors begin with the path. Use [Open] to
// read larger files, one tensor at a time.
func ReadFile(path string) (File, error) {
	f, err := regular.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	file, err := read(f, info.Size())
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// Read reads a file's content, of at most 8 GiB, from r to its end.
func Read(r io.Reader) (File, error) {
	if r == nil {
		return File{}, errors.New("safetensors: nil reader")
	}
	file, err := read(r, 0)
	if err != nil {
		return File{}, fmt.Errorf("safetensors: %w", err)
	}
	return file, nil
}

// read reads from r, which has at least size bytes.
func read(r io.Reader, size int64) (File, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return File{}, err
	}
	switch {
	case size > 0 && size < h.length+h.data:
		return File{}, fmt.Errorf("data of %d bytes: %w", h.data, errTruncated)
	case h.data > maxData:
		return File{}, fmt.Errorf("data of %d bytes, more than the %d that are read at once: open the file and read its tensors one by one", h.data, int64(maxData))
	}
	data, err := take(r, h.data, size)
	if err != nil {
		return File{}, fmt.Errorf("data of %d bytes: %w", h.data, err)
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return File{}, cmp.Or(ignoreEOF(err), errTooLong)
	}
	f := File{Metadata: h.metadata, Tensors: make([]Tensor, len(h.entries))}
	for i, e := range h.entries {
		f.Tensors[i] = e.tensor()
		f.Tensors[i].Data = data[e.begin:e.end:e.end] // capped, so that appending to it does not overwrite others
	}
	return f, nil
}

var (
	errTruncated = errors.New("the file is truncated")
	errTooLong   = errors.New("bytes follow the data of the last tensor")
)

// take reads n bytes. It allocates known bytes at once, because they are known to be there; beyond
// that, memory grows with the bytes that arrive.
func take(r io.Reader, n, known int64) ([]byte, error) {
	b := []byte{}
	for have := int64(0); have < n; have = int64(len(b)) {
		step := min(n-have, max(have, known, 1<<16))
		b = slices.Grow(b, int(step))[:have+step]
		if _, err := io.ReadFull(r, b[have:]); err != nil {
			return nil, truncated(err)
		}
	}
	return b, nil
}

func truncated(err error) error {
	if ignoreEOF(err) == nil {
		return errTruncated
	}
	return err
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
