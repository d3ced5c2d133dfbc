package engine

import (
	"fmt"

	// The release that package tensor requires panics at start-up on a Go version it does not know;
	// a later one asks the runtime. Requiring the later one here protects programs that import us.
	_ "go4.org/unsafe/assume-no-moving-gc"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// Engine is the minimal interface of an engine. It must be safe for concurrent use.
type Engine interface {
	tensor.Engine
	// Name returns the name for printouts: "ref", "std", "cpu".
	Name() string
}

// A Kernel computes Out from In. It is bound once, when all types are known, and run many times,
// also concurrently, with a different Call each time. It does not allocate. An error is about
// values, such as a label out of range; after an error Out is undefined.
//
// A kernel of a [Device] may return before it has computed anything. When Memory.Sync returns, the
// kernel has finished, and has reported by Call.Fail any error that it would have returned;
// failures of the device itself are errors of Sync.
type Kernel func(c *Call) error

// Call is the memory of one run of a kernel, all of it in Bound.Memory. Unless Bound.InPlace allows
// it, no Out shares memory with an In. The initial content of Out is arbitrary; the kernel sets
// every element.
type Call struct {
	Out, In []Buffer
	Scratch Buffer // Uint8(Bound.Scratch), aligned to 64, with arbitrary content
	Packed  Buffer // the result of Bound.Packing, aligned to 64; not Valid if the input is not packed

	late error
}

// Fail reports an error of a kernel that has already returned.
func (c *Call) Fail(err error) { c.late = err }

// Late returns and clears the error reported by Fail. It is final after Memory.Sync.
func (c *Call) Late() error {
	err := c.late
	c.late = nil
	return err
}

// Bound is a kernel bound to types.
type Bound struct {
	Kernel  Kernel
	Scratch int         // size in bytes of Call.Scratch
	InPlace []Overwrite // which outputs may use the memory of which inputs
	Memory  Memory      // the memory of its buffers, and of its packing's; nil is the host's
	Fails   bool        // the kernel may return an error, or call Fail; otherwise it must not
	Serial  bool        // it runs on one processor, because it has too little work to share
	Starts  bool        // it starts what goes on beside the instructions that follow, and so runs as soon as it can
	By      string      // name of the engine that the kernel belongs to
	Alg     string      // the algorithm, if there is a choice: "im2col", "winograd"
	Packing Packing     // of an input, if the kernel can use a packed one
	Choice  []Candidate // the algorithms that Alg was chosen from, the preferred ones first

	// Then, if it is not nil, returns the kernel that also applies a map to its only result, or false if
	// there is none. Input 0 of the map is the result, whose type and layout the map keeps; the further
	// inputs are in, and follow the inputs of the kernel.
	Then func(m Map, in []Operand) (Bound, bool)

	// Into, if it is not nil, returns the kernel that computes its only result as a part of a larger
	// tensor, or false if there is none. Element 0 of Out is the part's first one.
	Into func(p Part) (Bound, bool)

	// Joined, if it is not nil, says that the kernel does nothing but put its inputs side by side: where
	// in its result each of them lies. Inputs that are computed there need no kernel.
	Joined []Part

	// Alias says that the kernel does nothing but copy its first input, byte for byte: whoever may give the result the memory
	// of that input needs no kernel.
	Alias bool

	// Lean, if it is not nil, returns the kernel of another algorithm, one of Choice, whose packed form
	// is smaller.
	Lean func() Bound

	// Narrow, if it is not nil, returns the kernel whose weights, which it would read in float32, are
	// packed in a type that [SmallWeights] lists, or false if there is none. They are the weights that
	// ops name; see [Bound.WithWeights], which needs no Narrow.
	Narrow func(as shape.DType) (Bound, bool)

	// Arrangements lists the layouts, other than all Rows, with which the kernel could be bound
	// instead. It is empty if the engine has none, or if the kernel was bound with such layouts.
	Arrangements []Arrangement
}

// Part says where a tensor lies in a larger one: in pieces of Len elements, Pitch apart, of which the
// first begins with element At.
type Part struct{ At, Len, Pitch int }

// Candidate is an algorithm for a kernel.
type Candidate struct {
	Alg     string
	Work    int    // number of multiplications, or the time in these units
	Against string // the rule that excludes it; "" if none does
}

// Packing describes a packed form of one input that a kernel can use, such as the transformed
// filters of a convolution. If the input does not change between runs, the caller may pack it once
// and pass the result as Call.Packed; otherwise the kernel packs it in its own scratch memory. The
// results are bit-identical. The zero Packing means that there is none.
//
// The input may have any element type, including one of storage only: a kernel whose weights are in
// bfloat16 or int8 can have them packed into the type that it computes with.
type Packing struct {
	In      int    // index of the input
	Bytes   int    // size in bytes of the packed form
	Kernel  Kernel // packs In[0], the input, into Out[0], a Uint8(Bytes) aligned to 64
	Scratch int    // size in bytes of the scratch memory of Kernel
	Rest    int    // size in bytes of the scratch memory of the bound kernel if Call.Packed is given

	// Form is a comparable value that identifies the form: packings with equal Form and Bytes
	// compute the same from the same input, so that batch sizes, and programs, can share the
	// result. Nil is not equal to any other.
	Form any

	// Replaces means that a kernel with Call.Packed does not read the input. Some do where a number is
	// not finite.
	Replaces bool
}

// Overwrite means that output Out may use the memory of input In. At most one output uses the
// memory of an input. If two inputs are in the same memory, an output may use it only if it may
// overwrite both.
type Overwrite struct{ Out, In int }

// A Sharer can run several kernels at the same time, if each has too little work to share.
type Sharer interface {
	// Share calls body for parts [lo,hi) of 0 to n, each once and several at a time, and returns
	// when all calls have returned. It does not allocate.
	Share(n int, body func(lo, hi int))
}

// A Watchable engine runs kernels on goroutines of its own, and can show their work. An engine that
// embeds one must return its own type from Watched; otherwise it is not watched.
type Watchable interface {
	// Watched returns the engine with kernels that show their work to w. They give bit-identical
	// results and use the same memory.
	Watched(w Watcher) Engine
	// Workers returns the largest number of goroutines that work on a kernel, including the
	// caller's.
	Workers() int
}

// A Limiter is an engine whose kernels run on several goroutines, and can have a limit. An engine
// that embeds one must return its own type from Limited. An engine that is none is expected to
// compute on the goroutine that calls a kernel.
type Limiter interface {
	// Limited returns the engine with kernels on which at most so many goroutines work, including
	// the caller's; its own limit holds as well. They give bit-identical results in the same memory.
	Limited(threads int) Engine
}

// A Watcher observes the work of kernels.
type Watcher interface {
	// Part calls body(lo, hi), a part of the work of a kernel or of Share, on the goroutine of one
	// of the engine's workers, numbered from 1 to Workers()-1. Work on the goroutine that called
	// the kernel is not shown.
	Part(worker, lo, hi int, body func(lo, hi int))
}

// Unsupported returns the error of a Binder for operands that it has no kernel for.
func Unsupported(engine, kernel string, in []Operand) error {
	return fmt.Errorf("engine %s has no %s kernel for %v", engine, kernel, in)
}

// Missing returns the error of an op on an engine without the capability.
func Missing(e Engine, capability string) error {
	if e == nil {
		return fmt.Errorf("there is no engine to do %s; ref.Engine is one that can", capability)
	}
	return fmt.Errorf("engine %s cannot do %s; an engine that embeds ref.Engine can", e.Name(), capability)
}
