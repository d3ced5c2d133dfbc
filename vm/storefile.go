package vm

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/shape"
)

// Save replaces the file at path by the values of s and the given metadata, which may be nil, in
// the safetensors format. If Save is interrupted at any point, the file is either the old or the
// new one, complete. Inference may run at the same time; during a training step or another Load,
// Save returns [ErrBusy].
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

// saving adds to err that saving failed and, unless err has it, the name of the file.
func saving(path string, err error) error {
	if named := (*fs.PathError)(nil); errors.As(err, &named) && named.Path == path {
		return fmt.Errorf("vm: saving: %w", err)
	}
	if err != nil {
		return fmt.Errorf("vm: saving %s: %w", path, err)
	}
	return nil
}

// stored returns l as a tensor of a file, on a view of its memory or, for a device, on a copy.
func (l *leaf) stored(name string) (t safetensors.Tensor, err error) {
	b, err := l.onHost(name)
	if err != nil {
		return t, err
	}
	return safetensors.OfBytes(name, l.typ, b.Bytes()), nil
}

// LoadOptions select the values to load from a file. The zero value loads all.
type LoadOptions struct {
	// For lists the leaves to load, as returned by [Program.Leaves] or [graph.Graph.Leaves]. It is
	// then an error if the file lacks one or has it with another type, or has a value that is not
	// among them. An optimiser adds leaves of its own, which PyTorch's files lack: list the leaves
	// of a graph before applying it, or those of a program for inference.
	//
	// Values that the file has as BF16 and F16 are loaded as bfloat16 and float16. They are widened
	// if the leaf, or without For the value in the store, is float32; see [Store.Widen].
	For []*graph.Node
	// Partial loads the values that fit and leaves the rest of the store unchanged; the report
	// lists the differences. It is still an error if no value fits.
	Partial bool
	// Allow, if not nil, says of which names differences are no error, as all are if Partial is set. It is
	// called for values that are missing, that are not requested, or that have another type.
	Allow func(name string) bool
	// Rename, if not nil, returns the name in the store for a name in the file, or "" to leave the
	// value out.
	Rename func(name string) string
}

// LoadReport says what happened to the values of a file. Names are those in the store, in
// alphabetical order.
type LoadReport struct {
	Metadata   map[string]string // of the file
	Loaded     []string
	Missing    []string          // requested, but not in the file
	Unused     []string          // in the file, but not requested
	Mismatched []Mismatch        // in the file, but not of the requested type
	Widened    map[string]string // the types in the file, F16 or BF16, of values loaded as float32
}

// Mismatch is a value that cannot be loaded with the requested type.
type Mismatch struct {
	Name string
	File string     // its type in the file, such as "float32(10)" or "F8_E4M3[3 3]"
	Want shape.Type // invalid if a store cannot hold the value with any type
}

// String describes the difference.
func (m Mismatch) String() string {
	if !m.Want.Valid() {
		return fmt.Sprintf("%s is %s, which a store cannot hold", plain.Name(m.Name), m.File)
	}
	return fmt.Sprintf("%s is %s, the model needs %v", plain.Name(m.Name), m.File, m.Want)
}

// LoadError reports that the values in a file are not those requested. Nothing was loaded.
type LoadError struct {
	Path string
	LoadReport

	unexpected []string
}

// Error names the values on one line; if there are many, only the first ones.
func (e *LoadError) Error() string {
	const most = 8 // of each kind
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

// WithoutCounters is for the field Rename of [LoadOptions]. PyTorch counts the batches of each
// normalisation in an int64 called num_batches_tracked, which nothing here needs. WithoutCounters
// leaves these counters out. If For is set, they are not an error even without it.
func WithoutCounters(name string) string {
	if counted(name) {
		return ""
	}
	return name
}

// counted reports whether name is the name of such a counter.
func counted(name string) bool {
	return name == "num_batches_tracked" || strings.HasSuffix(name, ".num_batches_tracked")
}

// A Source has named values in a file: a *[safetensors.Reader], or one for another format.
type Source interface {
	Name() string                // the path of the file, empty if there is none
	Metadata() map[string]string // may be nil
	// Tensors yields what there is, without Data, in the order of names.
	Tensors() iter.Seq[safetensors.Tensor]
	// ValuesAs puts the elements of a tensor into dst, row-major in the byte order of this machine, as
	// type d, which the tensor reads as.
	ValuesAs(name string, d shape.DType, dst []byte) error
}

// Load loads values from the safetensors file at path into s. [Store.Save] writes such files, and
// so does safetensors.torch.save_file in Python for a state_dict. Load either loads all requested
// values or leaves the store unchanged. If the values in the file are not those requested, the
// error is a [LoadError].
//
// Like all that write to a Store, Load waits for running inference to finish. It returns [ErrBusy]
// during a training step or another Load, and during a [Machine.Trace], which may be its caller.
func (s *Store) Load(path string, o LoadOptions) (LoadReport, error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return LoadReport{}, fmt.Errorf("vm: loading %w", err)
	}
	defer r.Close()
	return s.LoadFrom(r, o)
}

// LoadFrom is [Store.Load] for an open file of any format.
func (s *Store) LoadFrom(r Source, o LoadOptions) (LoadReport, error) {
	if isnil.Of(r) || r.Name() == "" {
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
		return LoadReport{}, l.refused(r.Name())
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

// loading compares a file with the request. It reads only the header.
type loading struct {
	LoadOptions
	store  *Store
	wanted map[string]shape.Type // by name; nil if all values are requested
	from   map[string]fileValue  // the values to load, by their name in the store
	report LoadReport

	unexpected []string // those of the report's Unused that are an error
}

// fileValue is the tensor of a file that a value is loaded from, and its type in the store.
type fileValue struct {
	tensor string
	as     shape.Type
}

func (l *loading) compare(r Source) error {
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

// want collects the requested values.
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

// consider decides what happens to t.
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

// loadable reports whether the file has the requested values.
func (l *loading) loadable() bool {
	if l.Partial {
		return len(l.report.Loaded) > 0
	}
	e := l.refused("")
	if l.Allow != nil && len(l.report.Loaded) == 0 && len(l.report.Missing)+len(l.report.Unused)+len(l.report.Mismatched) > 0 {
		return false
	}
	return len(e.Missing)+len(e.Mismatched)+len(e.unexpected) == 0
}

// refused returns the error about the differences that are not allowed or, if nothing fits, all of them.
func (l *loading) refused(path string) *LoadError {
	e := &LoadError{path, l.report, l.unexpected}
	if l.Allow == nil || len(l.report.Loaded) == 0 {
		return e
	}
	e.Missing = slices.DeleteFunc(slices.Clone(e.Missing), l.Allow)
	e.unexpected = slices.DeleteFunc(slices.Clone(e.unexpected), l.Allow)
	e.Unused = slices.DeleteFunc(slices.Clone(e.Unused), l.Allow)
	e.Mismatched = slices.DeleteFunc(slices.Clone(e.Mismatched), func(m Mismatch) bool { return l.Allow(m.Name) })
	return e
}

// read reads the values without changing the store, since the file may be truncated.
func (l *loading) read(r Source) (map[string]*leaf, error) {
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

// replace copies the values, which are on the host, to s, which is held. Existing leaves keep their
// memory, because machines refer to it.
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
