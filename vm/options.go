package vm

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// An Option of [Compile].
type Option func(*options) error

type options struct {
	train   bool
	owners  []string // whose updates are made in training; none: everybody's
	checked bool
	off     map[string]bool
	dumps   []dump
	memory  int // bytes that the arena may take; 0: any
}

type dump struct {
	after string
	w     io.Writer
}

// Train makes every update of the graph part of the program: a run is a whole training
// step. Before its first write to the store a step checks that each scalar floating-point
// output is finite, and that its context is not cancelled; from there it runs to its end. A graph
// without updates is an error: an optimiser has not been applied. Without Train the outputs are computed
// and nothing is written, as evaluation wants it; see also [graph.Inference].
func Train(o *options) error {
	o.train = true
	return nil
}

// Without switches optional passes off, by name; see [Passes].
func Without(names ...string) Option {
	return func(o *options) error {
		for _, name := range names {
			i := slices.IndexFunc(Passes(), func(p PassInfo) bool { return p.Name == name })
			switch {
			case i < 0:
				return fmt.Errorf("vm: no pass %q", name)
			case !Passes()[i].Optional:
				return fmt.Errorf("vm: pass %q cannot be switched off", name)
			}
			o.off[name] = true
		}
		return nil
	}
}

// Dump writes the program to w each time the named pass has run.
func Dump(after string, w io.Writer) Option {
	return func(o *options) error {
		if w == nil {
			return errors.New("vm: Dump: nil writer")
		}
		if !slices.ContainsFunc(Passes(), func(p PassInfo) bool { return p.Name == after }) {
			return fmt.Errorf("vm: no pass %q", after)
		}
		o.dumps = append(o.dumps, dump{after, w})
		return nil
	}
}

// Checked verifies the program after every pass: types are inferred anew, definitions come
// before uses, no two live values share memory. It is for tests.
func Checked(o *options) error {
	o.checked = true
	return nil
}

// WithMemory bounds the arena, what [Program.Memory] calls Arena: where the program would take
// more, values that wait for a later use are computed a second time instead of being kept, those
// first that cost least for the memory they free. Results are the same, bit by bit. Parameters and
// other leaves do not count. A batch size at which nothing more can be gained is an error of what
// asks for it, such as Run, that wraps [ErrMemory] and lists the largest values.
func WithMemory(bytes int) Option {
	return func(o *options) error {
		if bytes < 1 {
			return fmt.Errorf("vm: WithMemory: a budget of %d bytes; want 1 at least", bytes)
		}
		o.memory = bytes
		return nil
	}
}

// PassInfo describes a pass.
type PassInfo struct {
	Name     string
	Optional bool
	Why      string // what it does, and why it stands where it does
}

// Passes lists the passes in the order they run.
func Passes() []PassInfo {
	var infos []PassInfo
	for _, p := range symbolicPasses() {
		infos = append(infos, PassInfo{p.name, p.optional, p.why})
	}
	for _, p := range loweringPasses() {
		infos = append(infos, PassInfo{p.name, p.optional, p.why})
	}
	return infos
}
