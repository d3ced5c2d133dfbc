package transfer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/patterns"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// Options say for which model the weights are, and what may differ. Patterns are those of [path.Match] over
// the model's names, such as "layer1.0.conv1.weight"; a * also stands for dots. One that matches nothing is an error.
type Options struct {
	Model nn.Layer   // the model that will be trained
	Info  data.Info  // of the data that it will be trained on
	Loss  train.Loss // as in [train.Config]

	// Replace lists patterns of values that are made anew even if the file has them, such as "fc.*".
	Replace []string
	// Head makes the values of the last layer anew if the file has none, or has them with another shape: if it was
	// trained for another number of classes.
	Head bool
	// Partial lists patterns of values that may be missing in the file, that may be there without being
	// in the model, or may have another shape. {"*"} allows all, but something must fit.
	Partial []string
	// Freeze lists patterns of parameters that will not be trained; see [train.Config].
	Freeze []string
	// Seed determines the values that are made anew. It should be that of the Config.
	Seed uint64
	// Rename, if not nil, returns another name for one of the file, or "" to leave the value out.
	Rename func(name string) string
}

// A Start is what a run begins with.
type Start struct {
	// Store has all values of the model, and no others, for the field Store of [train.Config].
	Store *vm.Store
	// Freeze is that of the Options, for the Config; Frozen are the names of the parameters that it matches.
	Freeze, Frozen []string
	Report         Report
}

// From reads the weights of a model from the file at path. By default the file must have all parameters and running
// statistics of the model, and nothing else, apart from PyTorch's counters of batches and the state of optimisers;
// otherwise the error is a [vm.LoadError], which names what differs. Numbers of 16 bits are widened to float32.
//
// If names of the file are those of the model with a prefix, it is left out: "module.", "model." and "_orig_mod.", which
// wrappers of PyTorch add, and one other prefix, which is also put before names if it is the model that has it.
func From(path string, o Options) (*Start, error) {
	s, err := from(path, o)
	if list := (graph.ErrorList)(nil); err == nil || errors.As(err, &list) {
		return s, err
	}
	return nil, plain.Prefixed("transfer", err)
}

func from(path string, o Options) (*Start, error) {
	net, err := train.Build(o.Model, o.Info, o.Loss, nil)
	if err != nil {
		return nil, err
	}
	l := &loading{Options: o, wanted: net.Wanted(), types: map[string]shape.Type{}, fresh: map[string]bool{}}
	for _, n := range l.wanted {
		l.types[n.Name()] = n.Type()
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	src, format, err := open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	l.report.Path, l.report.Format = path, format
	if err := l.take(src); err != nil {
		return nil, err
	}
	store, err := l.load(src)
	if err != nil {
		return nil, err
	}
	return &Start{Store: store, Freeze: o.Freeze, Frozen: l.frozen(), Report: l.report}, nil
}

// loading reads a file for a model.
type loading struct {
	Options
	wanted  []*graph.Node
	types   map[string]shape.Type // of wanted, by name
	renamed map[string]string     // by the name in the file, which is left out if it maps to ""
	fresh   map[string]bool       // names of wanted that are made anew, whatever the file has
	report  Report
}

// check checks the patterns that are about the model alone.
func (l *loading) check() error {
	var params []string
	for _, n := range l.wanted {
		if n.Kind() == graph.Param {
			params = append(params, n.Name())
		}
	}
	names := l.names()
	for _, name := range names {
		l.fresh[name] = patterns.Any(l.Replace, name)
	}
	return cmp.Or(patterns.Used("Freeze", l.Freeze, params), patterns.Used("Replace", l.Replace, names))
}

// names lists what the model needs.
func (l *loading) names() (names []string) {
	for _, n := range l.wanted {
		names = append(names, n.Name())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (l *loading) frozen() (names []string) {
	for _, n := range l.wanted {
		if n.Kind() == graph.Param && patterns.Any(l.Freeze, n.Name()) {
			names = append(names, n.Name())
		}
	}
	return names
}

// take decides which value of the file becomes which of the model.
func (l *loading) take(src source) error {
	own, err := ownNames(src.Metadata())
	if err != nil {
		return err
	}
	given := map[string]string{} // names in the file by those that are mapped
	var names []string
	l.renamed = map[string]string{}
	for t := range src.Tensors() {
		name := own(t.Name)
		if name != "" {
			name = vm.WithoutCounters(name)
		}
		if name != "" && l.Rename != nil {
			name = l.Rename(name)
		}
		if other, twice := given[name]; twice && name != "" {
			return fmt.Errorf("%s: %q and %q are both %q", src.Name(), plain.Name(other), plain.Name(t.Name), plain.Name(name))
		}
		l.renamed[t.Name] = name
		if name == "" {
			l.report.Ignored = append(l.report.Ignored, t.Name)
			continue
		}
		given[name] = t.Name
		names = append(names, name)
	}
	for name, as := range mapped(names, l.types) {
		l.renamed[given[name]] = as
	}
	if turner, ok := src.(*onnxSource); ok {
		l.report.Turned = turner.turn(l.renamed, orientations(l.wanted))
	}
	return l.compare(src)
}

// compare finds what is made anew, and checks the patterns of differences.
func (l *loading) compare(src source) error {
	types, all := map[string]shape.Type{}, l.names()
	for t := range src.Tensors() {
		as := l.renamed[t.Name]
		if as == "" {
			continue
		}
		types[as] = t.Type
		all = append(all, as)
		if as != t.Name && l.types[as].Valid() {
			l.report.mapped(as, t.Name)
		}
	}
	if err := patterns.Used("Partial", l.Partial, all); err != nil {
		return err
	}
	if !l.Head {
		return nil
	}
	head := l.head()
	if slices.ContainsFunc(head, func(name string) bool { return types[name].Shape != l.types[name].Shape }) {
		for _, name := range head {
			l.fresh[name] = true
		}
	}
	return nil
}

// head lists the values of the layer that has the last parameter.
func (l *loading) head() (names []string) {
	layer := func(name string) string { return name[:strings.LastIndexByte(name, '.')+1] }
	last := ""
	for _, n := range l.wanted {
		if n.Kind() == graph.Param {
			last = n.Name()
		}
	}
	for _, name := range l.names() {
		if layer(name) == layer(last) && (layer(last) != "" || name == last) {
			names = append(names, name)
		}
	}
	return names
}

// load loads what is not made anew, and makes the rest.
func (l *loading) load(src source) (*vm.Store, error) {
	store := vm.NewStore(l.Seed)
	leaves := slices.DeleteFunc(slices.Clone(l.wanted), func(n *graph.Node) bool { return l.fresh[n.Name()] })
	if len(leaves) == 0 {
		return nil, fmt.Errorf("%s: nothing of it is used: every value of the model is made anew", src.Name())
	}
	loaded, err := store.LoadFrom(src, vm.LoadOptions{
		For:   leaves,
		Allow: l.allowed(),
		Rename: func(name string) string {
			if as := l.renamed[name]; !l.fresh[as] {
				return as
			}
			return ""
		},
	})
	if err != nil {
		return nil, err
	}
	loaded.Unused = slices.DeleteFunc(loaded.Unused, func(name string) bool {
		as, known := l.renamed[name]
		return known && (as == "" || l.fresh[as])
	})
	l.report.LoadReport = loaded
	for _, name := range l.names() {
		if !slices.Contains(loaded.Loaded, name) {
			l.report.Fresh = append(l.report.Fresh, name)
		}
	}
	return store, store.Init(l.wanted...)
}

// allowed returns nil if nothing may differ: then it is no error either that everything is made anew.
func (l *loading) allowed() func(string) bool {
	if len(l.Partial) == 0 {
		return nil
	}
	return func(name string) bool { return patterns.Any(l.Partial, name) }
}
