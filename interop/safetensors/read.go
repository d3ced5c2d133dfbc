package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/shape"
)

// ReadFile reads the file at path. Its errors begin with the path.
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

// Read reads a file's content from r, to its end.
func Read(r io.Reader) (File, error) {
	file, err := read(r, 0)
	if err != nil {
		return File{}, fmt.Errorf("safetensors: %w", err)
	}
	return file, nil
}

// entry is a tensor of the header, and where its data lie.
type entry struct {
	Tensor
	begin, end int64
}

// read reads from r, which is known to hold at least size bytes.
func read(r io.Reader, size int64) (File, error) {
	var prefix [8]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return File{}, fmt.Errorf("no header: %w", truncated(err))
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader {
		return File{}, fmt.Errorf("not a safetensors file: its header would have %d bytes", length)
	}
	header, err := take(r, int64(length), size)
	if err != nil {
		return File{}, fmt.Errorf("header of %d bytes: %w", length, err)
	}
	metadata, entries, err := parse(header)
	if err != nil {
		return File{}, fmt.Errorf("header: %w", err)
	}
	total, err := layout(entries)
	if err != nil {
		return File{}, err
	}
	data, err := take(r, total, size)
	if err != nil {
		return File{}, fmt.Errorf("data of %d bytes: %w", total, err)
	}
	if n, err := io.ReadFull(r, prefix[:1]); n > 0 || !errors.Is(err, io.EOF) {
		return File{}, cmp.Or(ignoreEOF(err), errors.New("bytes follow the data of the last tensor"))
	}
	return cut(data, metadata, entries)
}

// cut gives each tensor its part of data.
func cut(data []byte, metadata map[string]string, entries []entry) (File, error) {
	f := File{Metadata: metadata, Tensors: make([]Tensor, len(entries))}
	for i, e := range entries {
		e.Data = data[e.begin:e.end:e.end]
		if err := e.check(); err != nil {
			return File{}, fmt.Errorf("tensor %q: %w", e.Name, err)
		}
		f.Tensors[i] = e.Tensor
	}
	slices.SortFunc(f.Tensors, byName)
	return f, nil
}

// layout sorts the entries by place and returns the length of the data, which they must
// fill without overlap or gap.
func layout(entries []entry) (int64, error) {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), byName(a.Tensor, b.Tensor))
	})
	total := int64(0)
	for _, e := range entries {
		switch {
		case e.begin < total:
			return 0, fmt.Errorf("tensor %q: its data, from %d, overlap others, up to %d", e.Name, e.begin, total)
		case e.begin > total:
			return 0, fmt.Errorf("tensor %q: no tensor has the bytes %d to %d before it", e.Name, total, e.begin)
		}
		total = e.end
	}
	return total, nil
}

// take reads n bytes. It trusts that there are as many as known; beyond that, memory grows
// with what really comes.
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
		return errors.New("the file is truncated")
	}
	return err
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// parse reads the header. Its errors name the tensor.
func parse(header []byte) (metadata map[string]string, entries []entry, err error) {
	if len(header) == 0 || header[0] != '{' || !utf8.Valid(header) {
		return nil, nil, errors.New("not a safetensors file: want a JSON object in UTF-8")
	}
	p := parser{json.NewDecoder(bytes.NewReader(header))}
	p.UseNumber()
	var unsupported []string
	err = p.object(func(key string) error {
		if key == metadataKey {
			metadata, err = p.strings()
			return err
		}
		e := entry{Tensor: Tensor{Name: key}}
		dtype, err := p.entry(&e)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", key, err)
		}
		if slices.Contains(foreign, dtype) {
			unsupported = append(unsupported, fmt.Sprintf("tensor %q is %s", key, dtype))
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if _, err := p.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("something follows the JSON object")
	}
	if len(unsupported) > 0 {
		return nil, nil, fmt.Errorf("unsupported element types: %s", enumerate(unsupported))
	}
	return metadata, entries, nil
}

// enumerate lists a few of s.
func enumerate(s []string) string {
	const few = 5
	if len(s) > few {
		s = append(s[:few:few], fmt.Sprintf("and %d more", len(s)-few))
	}
	return strings.Join(s, ", ")
}

// parser reads JSON of which the form is known. Unlike json.Unmarshal it sees that a key is
// given twice.
type parser struct{ *json.Decoder }

// entry reads what describes a tensor and returns the name of its element type.
func (p parser) entry(e *entry) (dtype string, err error) {
	var extents, offsets []int64
	missing := 3
	err = p.object(func(key string) (err error) {
		missing--
		switch key {
		case "dtype":
			dtype, err = p.string()
		case "shape":
			extents, err = p.ints(shape.MaxRank)
		case "data_offsets":
			offsets, err = p.ints(2)
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", key, err)
		}
		return err
	})
	switch {
	case err != nil:
		return "", err
	case missing > 0:
		return "", errors.New("want dtype, shape and data_offsets")
	case len(offsets) != 2 || offsets[0] > offsets[1]:
		return "", fmt.Errorf("data_offsets are %v; want a begin and an end", offsets)
	case slices.Contains(foreign, dtype):
		return dtype, nil
	}
	e.begin, e.end = offsets[0], offsets[1]
	return dtype, e.describe(dtype, extents)
}

// describe sets the type, and checks that the data have its size.
func (e *entry) describe(dtype string, extents []int64) error {
	dims := make([]shape.Dim, len(extents))
	for i, n := range extents {
		dims[i] = shape.Dim(n)
	}
	for _, d := range dtypes {
		if d.name == dtype {
			e.Type = shape.Make(d.dtype, dims...)
		}
	}
	if e.Type.DType == shape.Invalid {
		return fmt.Errorf("unknown dtype %q", dtype)
	}
	if err := e.Type.Shape.Err(); err != nil {
		return fmt.Errorf("shape: %w", err)
	}
	size, err := e.Type.Size()
	if err != nil {
		return err
	}
	if want := int64(size) * int64(e.Type.Width()); e.end-e.begin != want {
		return fmt.Errorf("data_offsets span %d bytes; %v has %d", e.end-e.begin, e.Type, want)
	}
	return nil
}

// object reads an object, calling value to read the value of each key.
func (p parser) object(value func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.More() {
		key, err := p.string()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("key %q is given twice", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return p.delim('}')
}

// strings reads an object of strings.
func (p parser) strings() (map[string]string, error) {
	m := map[string]string{}
	err := p.object(func(key string) (err error) {
		m[key], err = p.string()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", metadataKey, err)
	}
	return m, nil
}

// ints reads an array of at most limit whole numbers, none of them negative.
func (p parser) ints(limit int) (s []int64, err error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	for p.More() {
		t, err := p.Token()
		if err != nil {
			return nil, err
		}
		number, _ := t.(json.Number)
		n, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%v is not a number from 0 to 2^63-1", t)
		}
		if len(s) == limit {
			return nil, fmt.Errorf("more than %d numbers", limit)
		}
		s = append(s, n)
	}
	return s, p.delim(']')
}

func (p parser) string() (string, error) {
	t, err := p.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("found %v; want a string", t)
	}
	return s, nil
}

func (p parser) delim(want json.Delim) error {
	t, err := p.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("found %v; want %v", t, want)
	}
	return nil
}
