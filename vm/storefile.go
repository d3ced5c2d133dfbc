package vm

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/shape"
)

// Save replaces the file at path by the values of s and those strings, which may be nil, in the
// safetensors format. Whenever it is interrupted, the file is the old one or the new one, whole.
// Inference may go on meanwhile; while a training step or another Load runs it is [ErrBusy].
func (s *Store) Save(path string, metadata map[string]string) error {
	if err := s.acquire(false); err != nil {
		return saving(path, err)
	}
	defer s.release(false)
	file := safetensors.File{Metadata: metadata}
	for _, name := range s.Names() {
		t, err := s.get(name).stored(name)
		if err != nil {
			return saving(path, err)
		}
		file.Tensors = append(file.Tensors, t)
	}
	return saving(path, safetensors.WriteFile(path, file))
}

// saving says what failed, and names the file unless err does.
func saving(path string, err error) error {
	if named := (*fs.PathError)(nil); errors.As(err, &named) && named.Path == path {
		return fmt.Errorf("vm: saving: %w", err)
	}
	if err != nil {
		return fmt.Errorf("vm: saving %s: %w", path, err)
	}
	return nil
}

// stored views l, or a copy of what is on a device, as what a file holds.
func (l *leaf) stored(name string) (t safetensors.Tensor, err error) {
	b, err := l.onHost(name)
	if err != nil {
		return t, err
	}
	return safetensors.OfBytes(name, l.typ, b.Bytes()), nil
}

// LoadOptions say what is taken from a file. The zero LoadOptions take all of it.
type LoadOptions struct {
	// For are the leaves that the values are for, as [Program.Leaves] or [graph.Graph.Leaves] give
	// them. A leaf that the file lacks or has in another type, and a value that none of them has
	// the name of, is then an error. An optimiser adds leaves of its own, which PyTorch's files
	// lack: ask for a graph's leaves before, or for those of a program of inference.
	//
	// BF16 and F16 of a file are loaded as bfloat16 and float16, and widened where the leaf, or
	// without For the value that the store has, is float32; see [Store.Widen].
	For []*graph.Node
	// Partial loads what fits and leaves the rest of the store as it is; the report tells what.
	// That nothing fits is still an error.
	Partial bool
	// Rename, where it is not nil, gives the name in the store for one in the file, or "" for a
	// value that is to be left out.
	Rename func(name string) string
}

// LoadReport tells what has become of a file's values. Names are those of the store, in
// alphabetical order.
type LoadReport struct {
	Metadata   map[string]string // of the file
	Loaded     []string
	Missing    []string          // asked for, and not in the file
	Unused     []string          // in the file, and not asked for
	Mismatched []Mismatch        // in the file, and not what is asked for
	Widened    map[string]string // the element types, F16 or BF16, of what was loaded as float32
}

// Mismatch is a value that cannot be loaded as what it is asked for.
type Mismatch struct {
	Name string
	File string     // its type in the file, such as "float32(10)" or "F8_E4M3[3 3]"
	Want shape.Type // not Valid where a store cannot hold it at all
}

// String says what differs.
func (m Mismatch) String() string {
	if !m.Want.Valid() {
		return fmt.Sprintf("%s is %s, which a store cannot hold", plain.Name(m.Name), m.File)
	}
	return fmt.Sprintf("%s is %s, the model wants %v", plain.Name(m.Name), m.File, m.Want)
}

// LoadError is returned where a file's values are not those asked for. Nothing was loaded.
type LoadError struct {
	Path string
	LoadReport

	unexpected []string
}

// Error names the values on one line, the first of many.
func (e *LoadError) Error() string {
	const most = 8 // of each sort
	var parts []string
	if len(e.Missing) > 0 {
		parts = append(parts, "missing "+plain.Names(e.Missing, most))
	}
	if len(e.unexpected) > 0 {
		parts = append(parts, "unexpected "+plain.Names(e.unexpected, most))
	}
	if len(e.Mismatched) > 0 {
		differences := make([]string, len(e.Mismatched))
		for i, m := range e.Mismatched {
			differences[i] = m.String()
		}
		parts = append(parts, plain.List(differences, most))
	}
	if len(parts) == 0 {
		parts = []string{"there is no value"}
	}
	return fmt.Sprintf("vm: loading %s: the weights are those of another model: %s", e.Path, strings.Join(parts, "; "))
}

// WithoutCounters is for [LoadOptions].Rename: PyTorch counts the batches of each normalisation in
// an int64 called num_batches_tracked, which nothing here needs. Where leaves are asked for, these
// counters are no error without it.
func WithoutCounters(name string) string {
	if counted(name) {
		return ""
	}
	return name
}

// counted tells the name of such a counter.
func counted(name string) bool {
	return name == "num_batches_tracked" || strings.HasSuffix(name, ".num_batches_tracked")
}

// Load gives s the values of the safetensors file at path, such as [Store.Save] writes, or
// safetensors.torch.save_file in Python for a state_dict. Either all that is to be loaded is, or
// the store stays as it was. Values that are not those asked for are a [LoadError].
//
// Like all that writes to a Store, it waits for inference that is under way to end, and is
// [ErrBusy] while a training step or another Load runs, or a [Machine.Trace], which may be what
// calls it.
func (s *Store) Load(path string, o LoadOptions) (LoadReport, error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return LoadReport{}, fmt.Errorf("vm: loading %w", err)
	}
	defer r.Close()
	return s.LoadFrom(r, o)
}

// LoadFrom is [Store.Load] for a file that is open.
func (s *Store) LoadFrom(r *safetensors.Reader, o LoadOptions) (LoadReport, error) {
	if r == nil || r.Name() == "" {
		return LoadReport{}, errors.New("vm: loading: no reader; make one by safetensors.Open")
	}
	if err := s.acquire(true); err != nil {
		return LoadReport{}, fmt.Errorf("vm: loading %s: %w", r.Name(), err)
	}
	defer s.release(true)
	l := loading{LoadOptions: o, store: s, from: map[string]fileValue{}}
	l.report.Metadata = maps.Clone(r.Metadata())
	if err := l.compare(r); err != nil {
		return LoadReport{}, fmt.Errorf("vm: loading %s: %w", r.Name(), err)
	}
	if !l.loadable() {
		return LoadReport{}, &LoadError{r.Name(), l.report, l.unexpected}
	}
	values, err := l.read(r)
	if err != nil {
		return LoadReport{}, err
	}
	if err := s.replace(values); err != nil {
		return LoadReport{}, fmt.Errorf("vm: loading %s: %w", r.Name(), err)
	}
	return l.report, nil
}

// loading compares a file with what is asked for, before anything is read but the header.
type loading struct {
	LoadOptions
	store  *Store
	wanted map[string]shape.Type // by name, nil for whatever there is
	from   map[string]fileValue  // what is loaded, by the name in the store
	report LoadReport

	unexpected []string // those of the report's Unused that are an error
}

// fileValue is the tensor of a file that a value is loaded from, and its type in the store.
type fileValue struct {
	tensor string
	as     shape.Type
}

func (l *loading) compare(r *safetensors.Reader) error {
	if err := l.want(); err != nil {
		return err
	}
	seen := map[string]string{}
	for t := range r.Tensors() {
		name := t.Name
		if l.Rename != nil {
			name = l.Rename(name)
		}
		if name == "" {
			l.report.Unused = append(l.report.Unused, t.Name)
			continue
		}
		if other, twice := seen[name]; twice {
			return fmt.Errorf("%q and %q are both renamed to %q", other, t.Name, name)
		}
		seen[name] = t.Name
		l.consider(name, t)
	}
	for name := range l.wanted {
		if _, found := seen[name]; !found {
			l.report.Missing = append(l.report.Missing, name)
		}
	}
	for _, names := range [][]string{l.report.Loaded, l.report.Missing, l.report.Unused, l.unexpected} {
		slices.Sort(names)
	}
	slices.SortFunc(l.report.Mismatched, func(a, b Mismatch) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// want collects what is asked for.
func (l *loading) want() error {
	if l.For == nil {
		return nil
	}
	l.wanted = map[string]shape.Type{}
	for _, n := range l.For {
		switch {
		case n == nil || !n.Valid() || n.Kind() != graph.Param && n.Kind() != graph.State:
			return fmt.Errorf("For has %v; want Params and States", n)
		case l.wanted[n.Name()].Valid() && l.wanted[n.Name()] != n.Type():
			return fmt.Errorf("For has %q as %v and as %v", n.Name(), l.wanted[n.Name()], n.Type())
		}
		l.wanted[n.Name()] = n.Type()
	}
	return nil
}

// consider says what becomes of t.
func (l *loading) consider(name string, t safetensors.Tensor) {
	want, known := l.wanted[name]
	if l.wanted == nil {
		want, known = t.Type, true
		if held := l.store.get(name); held != nil {
			want = held.typ
		}
	}
	switch {
	case !known:
		l.report.Unused = append(l.report.Unused, name)
		if !counted(name) {
			l.unexpected = append(l.unexpected, name)
		}
	case want.Valid() && want.Len() == 0:
		l.report.Mismatched = append(l.report.Mismatched, Mismatch{Name: name, File: t.String()})
	case t.Err() != nil || t.Type.Shape != want.Shape || !t.ReadsAs(want.DType):
		l.report.Mismatched = append(l.report.Mismatched, Mismatch{name, t.String(), want})
	default:
		l.load(name, t, want)
	}
}

func (l *loading) load(name string, t safetensors.Tensor, as shape.Type) {
	l.from[name] = fileValue{t.Name, as}
	l.report.Loaded = append(l.report.Loaded, name)
	if t.Type == as {
		return
	}
	if l.report.Widened == nil {
		l.report.Widened = map[string]string{}
	}
	l.report.Widened[name] = t.DType()
}

// loadable tells whether the file has what is asked for.
func (l *loading) loadable() bool {
	if l.Partial {
		return len(l.report.Loaded) > 0
	}
	return len(l.report.Missing)+len(l.report.Mismatched)+len(l.unexpected) == 0
}

// read reads what is loaded, apart from the store: a file may end in the middle.
func (l *loading) read(r *safetensors.Reader) (map[string]*leaf, error) {
	values, sum := map[string]*leaf{}, 0
	for _, t := range l.from {
		sum += t.as.Bytes()
	}
	if err := afford(sum, "the values of "+r.Name(), "free memory, or raise the limit", nil); err != nil {
		return nil, err
	}
	for _, name := range l.report.Loaded {
		t := l.from[name]
		buf, err := reserve(t.as, fmt.Sprintf("%s of %s", plain.Name(name), r.Name()))
		if err != nil {
			return nil, err
		}
		if err := r.ValuesAs(t.tensor, t.as.DType, buf.Bytes()); err != nil {
			return nil, fmt.Errorf("vm: loading %w", err)
		}
		values[name] = &leaf{typ: t.as, buf: buf}
	}
	return values, nil
}

// replace gives s, which is held, those values, which are on the host. Machines know the memory of
// the leaves that there are.
func (s *Store) replace(values map[string]*leaf) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, v := range values {
		if v.buf, err = moved(s.home(), v.buf, name); err != nil {
			return err
		}
	}
	for name, v := range values {
		if held := s.leaves[name]; held != nil {
			err = cmp.Or(err, held.buf.Memory().Copy(held.buf, v.buf))
			v = held
		}
		v.writes++
		s.put(name, v)
	}
	return cmp.Or(err, s.home().Sync())
}
