package pytorch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/shape"
)

// A Reader reads the tensors of a file when they are asked for. It is safe for use by many goroutines.
type Reader struct {
	file    *os.File
	bigs    bool // numbers are big-endian
	dict    string
	entries []entry // sorted by name
}

// entry is a tensor of the state dict.
type entry struct {
	name string
	*view
}

// Is reports whether start, the first bytes of a file, are those of one that Open reads. ZIP archives of
// other origin begin in the same way.
func Is(start []byte) bool {
	return bytes.HasPrefix(start, []byte("PK\x03\x04")) || bytes.HasPrefix(start, []byte(legacyStart))
}

// Open opens the file at path and reads its pickle. Its errors, and those of the Reader, begin with the path.
// What is no regular file is an error, before it is opened.
//
// The tensors are those of the state dict. If the object in the file is a dict that has none itself, the
// state dict is looked for under the names that are in use, such as "state_dict" and "model"; [Reader.Dict] says
// under which one it was found. Otherwise all dicts count, apart from those of optimisers; keys are joined by dots.
func Open(path string) (*Reader, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Reader{file: f}
	if err := r.read(); err != nil {
		f.Close()
		return nil, r.named(err)
	}
	return r, nil
}

func (r *Reader) read() error {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	start := make([]byte, len(legacyStart))
	n, err := r.file.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	start = start[:n]
	read := readArchive
	switch {
	case !Is(start):
		return errors.New("it is no file of torch.save")
	case bytes.HasPrefix(start, []byte(legacyStart)):
		read = readLegacy
	}
	v, bigs, err := read(r.file, info.Size())
	if err != nil {
		return err
	}
	r.bigs = bigs
	return r.find(v)
}

// usual are the keys under which checkpoints have state dicts.
var usual = []string{"state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params"}

// find finds the tensors in the object.
func (r *Reader) find(v any) error {
	d, ok := v.(*dict)
	if !ok {
		return fmt.Errorf("the object in it is %s; want a state dict", kind(v))
	}
	for range maxDepth {
		key, inner := within(d)
		if inner == nil || direct(d) {
			break
		}
		r.dict = strings.TrimPrefix(r.dict+"."+key, ".")
		d = inner
	}
	w := walk{left: maxValues, names: maxNames}
	if err := w.dict("", d, 0); err != nil {
		return err
	}
	if len(w.entries) == 0 {
		return errors.New("it has no tensors in a dict")
	}
	slices.SortStableFunc(w.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(w.entries); i++ {
		if name := w.entries[i].name; name == w.entries[i-1].name {
			return fmt.Errorf("two tensors are called %q", plain.Name(name))
		}
	}
	r.entries = w.entries
	return nil
}

// direct reports whether d has a tensor.
func direct(d *dict) bool {
	return slices.ContainsFunc(d.items, func(i item) bool { _, ok := i.value.(*view); return ok })
}

// within returns the dict under one of the usual keys.
func within(d *dict) (key string, inner *dict) {
	for _, key := range usual {
		v, _ := d.get(key)
		if inner, ok := v.(*dict); ok && inner != d && len(inner.items) > 0 {
			return key, inner
		}
	}
	return "", nil
}

// walk collects the tensors in dicts.
type walk struct {
	entries []entry
	// Dicts can be in each other many times, so there is a bound on the values that are looked at, and on
	// the bytes of names.
	left, names int
}

const (
	maxValues = 1 << 21
	maxNames  = 64 << 20
	maxDepth  = 16
)

func (w *walk) dict(path string, d *dict, depth int) error {
	last := map[any]int{} // by key: a later item replaces an earlier one
	for i, it := range d.items {
		switch it.key.(type) {
		case string, int64:
			last[it.key] = i
		}
	}
	for i, it := range d.items {
		if w.left--; w.left < 0 || depth > maxDepth {
			return errors.New("its dicts have too many values, or are too deep in each other")
		}
		name, ok := keyOf(it.key)
		if !ok || last[it.key] != i {
			continue
		}
		if path != "" {
			name = path + "." + name
		}
		if w.names -= len(name); w.names < 0 {
			return errors.New("its names are too long")
		}
		switch v := it.value.(type) {
		case *view:
			w.entries = append(w.entries, entry{name, v})
		case *dict:
			if depth == 0 && ofTraining(name) {
				continue
			}
			if err := w.dict(name, v, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyOf returns a key as a part of a name.
func keyOf(k any) (string, bool) {
	switch k := k.(type) {
	case string:
		return k, true
	case int64:
		return strconv.FormatInt(k, 10), true
	}
	return "", false
}

// ofTraining reports whether a dict of that name has state of an optimiser or a schedule.
func ofTraining(name string) bool {
	return slices.ContainsFunc([]string{"optim", "lr_sched", "sched", "scaler"}, func(s string) bool { return strings.HasPrefix(name, s) })
}

func (r *Reader) named(err error) error {
	if err == nil || !r.opened() {
		return err
	}
	return fmt.Errorf("%s: %w", r.file.Name(), err)
}

// opened tells a Reader that Open made.
func (r *Reader) opened() bool { return r != nil && r.file != nil }

var errNoReader = errors.New("pytorch: no reader; make one by Open")

// Name is the path of the file.
func (r *Reader) Name() string {
	if !r.opened() {
		return ""
	}
	return r.file.Name()
}

// Close closes the file.
func (r *Reader) Close() error {
	if !r.opened() {
		return nil
	}
	return r.file.Close()
}

// Metadata is nil: such files have no strings that describe them.
func (r *Reader) Metadata() map[string]string { return nil }

// Dict is the key of the state dict, such as "state_dict"; empty if the file is one.
func (r *Reader) Dict() string {
	if !r.opened() {
		return ""
	}
	return r.dict
}

// Tensors yields the tensors in the order of their names, without their Data.
func (r *Reader) Tensors() iter.Seq[safetensors.Tensor] {
	return func(yield func(safetensors.Tensor) bool) {
		if !r.opened() {
			return
		}
		for _, e := range r.entries {
			if !yield(e.tensor()) {
				return
			}
		}
	}
}

// tensor returns e without its data.
func (e entry) tensor() safetensors.Tensor { return safetensors.Describe(e.name, e.dtype, e.size) }

// Values puts the elements of the tensor of that name into dst, row-major in the byte order of this machine:
// as many bytes as its Type has.
func (r *Reader) Values(name string, dst []byte) error {
	e, err := r.lookUp(name)
	if err == nil {
		err = r.values(e, e.tensor().Type.DType, dst)
	}
	return r.named(err)
}

// ValuesAs is [Reader.Values] for elements of type d, which the tensor must ReadsAs.
func (r *Reader) ValuesAs(name string, d shape.DType, dst []byte) error {
	e, err := r.lookUp(name)
	if err == nil {
		err = r.values(e, d, dst)
	}
	return r.named(err)
}

func (r *Reader) lookUp(name string) (entry, error) {
	if !r.opened() {
		return entry{}, errNoReader
	}
	i, found := slices.BinarySearchFunc(r.entries, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
	if !found {
		return entry{}, fmt.Errorf("there is no tensor %q", name)
	}
	return r.entries[i], nil
}

func (r *Reader) values(e entry, as shape.DType, dst []byte) error {
	t := e.tensor()
	err := t.Fits(as, dst)
	switch {
	case err != nil:
	case e.contiguous():
		err = t.DecodeFrom(&sequence{r, e, e.offset * int64(e.width)}, as, dst)
	default:
		err = r.gathered(e, t, as, dst)
	}
	if err != nil {
		return fmt.Errorf("tensor %q: %w", e.name, err)
	}
	return nil
}

// sequence reads the elements of an entry one after the other.
type sequence struct {
	*Reader
	entry
	next int64
}

// Read fills p, which has whole elements.
func (s *sequence) Read(p []byte) (int, error) {
	if err := s.bytesAt(s.entry, s.next, p); err != nil {
		return 0, err
	}
	s.next += int64(len(p))
	return len(p), nil
}

// gathered reads the part of the storage that the tensor is in, and picks its elements.
func (r *Reader) gathered(e entry, t safetensors.Tensor, as shape.DType, dst []byte) error {
	last, n, err := e.extent()
	if err != nil || n == 0 {
		return err
	}
	from := make([]byte, (last-e.offset+1)*int64(e.width))
	if err := r.bytesAt(e, e.offset*int64(e.width), from); err != nil {
		return err
	}
	picked := make([]byte, n*int64(e.width))
	index := make([]int64, len(e.size))
	for at, to := int64(0), 0; to < len(picked); to += e.width {
		copy(picked[to:to+e.width], from[at*int64(e.width):])
		for axis := len(index) - 1; axis >= 0; axis-- {
			index[axis]++
			at += e.strides[axis]
			if index[axis] < e.size[axis] {
				break
			}
			at -= e.strides[axis] * e.size[axis]
			index[axis] = 0
		}
	}
	return t.Decode(as, dst, picked)
}

// bytesAt reads from the storage of e, and makes elements little-endian.
func (r *Reader) bytesAt(e entry, at int64, dst []byte) error {
	if _, err := r.file.ReadAt(dst, e.at+at); err != nil {
		return cutOffFile(err)
	}
	for rest := dst; r.bigs && e.width > 1 && len(rest) >= e.width; rest = rest[e.width:] {
		slices.Reverse(rest[:e.width])
	}
	return nil
}
