package vm

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/rescue"
	"github.com/plexaura/plexaura/shape"
)

// An Option configures [Compile].
type Option func(*options) error

type options struct {
	train   bool
	owners  []string // whose updates are made in training; empty: all
	checked bool
	off     map[string]bool
	dumps   []dump
	memory  int         // largest size of the arena in bytes; 0: unlimited
	ranges  Ranges      // of what is computed in 8-bit integers; nil: nothing is
	weights shape.DType // that weights are rounded to; Invalid: they are not
	threads int         // most goroutines that work on a run; 0: no limit
}

type dump struct {
	after string
	w     io.Writer
}

// Train includes every update of the graph in the program: each run is a whole training step.
// Before its first write to the store, a step checks that each scalar floating-point output is
// finite and that its context is not cancelled; from then on it runs to the end. A graph without
// updates is an error, because it means that no optimiser was applied. Without Train the program
// computes the outputs and writes nothing, as needed for evaluation; see also [graph.Inference].
func Train(o *options) error {
	o.train = true
	return nil
}

// Without switches off optional passes by name; see [Passes].
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

// WithThreads limits the goroutines that work on a run of a Machine, including the one that called
// Run, to n. By default as many as GOMAXPROCS work on it: then one run ends soonest. To serve many
// runs at a time, give each a Machine of its own and one thread: none waits for another then, and
// together they finish more runs a second. The results are bit-identical. All programs and machines
// of one [Store] share the values and their packed forms. An engine that is no [engine.Limiter] is left
// as it is; one whose Limited returns another type is an error of Compile.
func WithThreads(n int) Option {
	return func(o *options) error {
		if n < 1 {
			return fmt.Errorf("vm: WithThreads(%d): want at least 1", n)
		}
		o.threads = n
		return nil
	}
}

// limited returns e with the limit of WithThreads.
func (o *options) limited(e engine.Engine) (engine.Engine, error) {
	l, ok := e.(engine.Limiter)
	if !ok || o.threads == 0 {
		return e, nil
	}
	var limited engine.Engine
	if err := rescue.Do(func() error { limited = l.Limited(o.threads); return nil }); err != nil {
		return nil, fmt.Errorf("vm: WithThreads: engine %q: %w", e.Name(), err)
	}
	if reflect.TypeOf(limited) != reflect.TypeOf(e) {
		return nil, fmt.Errorf("vm: WithThreads: engine %q is a %T, but its Limited returns a %T", e.Name(), e, limited)
	}
	return limited, nil
}

// Dump writes the program to w each time after the named pass has run.
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

// Checked verifies the program after every pass: types agree with inference, definitions come
// before uses, and no two live values share memory. It is for tests.
func Checked(o *options) error {
	o.checked = true
	return nil
}

// WithMemory limits the size in bytes of the arena, the field Arena of [Program.Memory]. If the
// program needs more, values that wait for a later use are computed a second time instead of being
// kept, in the order of least cost per byte freed. The results are bit-identical. Parameters and
// other leaves do not count. If the limit cannot be met for a batch size, methods such as Run
// return an error that wraps [ErrMemory] and lists the largest values.
func WithMemory(bytes int) Option {
	return func(o *options) error {
		if bytes < 1 {
			return fmt.Errorf("vm: WithMemory: a budget of %d bytes; want at least 1", bytes)
		}
		o.memory = bytes
		return nil
	}
}

// WithWeights has the program use the weights of its products and convolutions in float32 rounded to
// as, and keep their packed forms in it where the engine has kernels for that: [shape.BFloat16],
// half the bytes, or [shape.Int8] with a scale for each output channel, a quarter. [engine.Round]
// defines the numbers. Arithmetic stays in float32, and so do the values in the store, which can be
// trained and saved as before. [shape.Float32], the default, rounds nothing.
//
// Weights are a second factor of [ops.MatMul] that is one matrix, or the filters of [ops.Conv2D], if
// they are a Param, a State, or computed once from such; not constants. A program with updates
// cannot have small weights: Compile returns an error, as it does for another type, or an engine
// whose values are on a device.
func WithWeights(as shape.DType) Option {
	return func(o *options) error {
		if as != shape.Float32 && !engine.SmallWeights(as) {
			return fmt.Errorf("vm: WithWeights: %v; want float32, bfloat16 or int8", as)
		}
		o.weights = shape.Invalid
		if as != shape.Float32 {
			o.weights = as
		}
		return nil
	}
}

// Quantise has the program compute the convolutions and products that ranges name in 8-bit integers,
// as [engine.Quantised] defines, which is also where numbers become bytes and beyond a range
// saturate. Their weights are rounded to int8 with a scale for each output channel, and their inputs
// to uint8; sums are exact, so that all engines and processors give the same bits. Everything else
// stays in float32, the outputs included, and so do the values in the store.
//
// A layer is left in float32 if ranges lack it, if its weights are not a Param, a State, a constant or
// computed once from such, or if it has more than [engine.Deepest] terms in a sum. A name that the
// program lacks is an error of the first run; ranges of another model are not noticed otherwise.
// Compile returns an error for a program with updates, with [WithWeights], or on a device.
func Quantise(ranges Ranges) Option {
	return func(o *options) error {
		if ranges == nil {
			return errors.New("vm: Quantise: nil ranges; Machine.Calibrate makes them")
		}
		for name, r := range ranges {
			if err := r.check(); err != nil {
				return fmt.Errorf("vm: Quantise: the range of %s is %w", name, err)
			}
		}
		o.ranges = maps.Clone(ranges)
		return nil
	}
}

// PassInfo describes a pass.
type PassInfo struct {
	Name     string
	Optional bool
	Why      string // its purpose, and the reason for its position
}

// Passes lists the passes in the order in which they run.
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
