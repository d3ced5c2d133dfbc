package engine

import (
	"fmt"

	// The release that tensor asks for panics at start-up on a Go it does not know; a later
	// one asks the runtime. Requiring it spares those who import us.
	_ "go4.org/unsafe/assume-no-moving-gc"
	"gorgonia.org/tensor"
)

// Engine is the least that an engine is. It is safe for use by many goroutines.
type Engine interface {
	tensor.Engine
	// Name is what printouts call it: "ref", "std", "cpu".
	Name() string
}

// A Kernel computes Out from In. It is bound once, with all types known, and run many
// times, by many goroutines at once, each with its own Call; it allocates nothing. An error
// is about values, such as a label out of range; it leaves Out undefined.
//
// A kernel of a [Device] may return before it has computed anything. It has finished, and told by
// Call.Fail what it would have returned as an error, when Memory.Sync returns; what the device
// itself cannot do is the error of Sync.
type Kernel func(c *Call) error

// Call is the memory of one run of a kernel, all of it in Bound.Memory. Unless Bound.InPlace
// allows it, no Out shares memory with an In. Out holds anything before, every element has its
// value after.
type Call struct {
	Out, In []Buffer
	Scratch Buffer // Uint8(Bound.Scratch), aligned to 64, holding anything
	Packed  Buffer // what Bound.Packing gave, aligned to 64; not Valid where nobody has packed

	late error
}

// Fail tells the error of a kernel that has returned already.
func (c *Call) Fail(err error) { c.late = err }

// Late returns the error that was told by Fail, and forgets it. It is complete after Memory.Sync.
func (c *Call) Late() error {
	err := c.late
	c.late = nil
	return err
}

// Bound is a kernel made for given types.
type Bound struct {
	Kernel  Kernel
	Scratch int         // bytes it needs in Call.Scratch
	InPlace []Overwrite // which outputs may take the memory of which inputs
	Memory  Memory      // whose buffers it takes, as its packing does; nil is the host's
	Fails   bool        // the kernel may return an error, or Fail; one without the mark must not
	Serial  bool        // it runs on one processor, having too little work to share
	By      string      // name of the engine whose kernel it is
	Alg     string      // the algorithm, where there is a choice: "im2col", "winograd"
	Packing Packing     // of an input, if the kernel can use one
	Choice  []Candidate // the algorithms that Alg was chosen from, in the order of preference

	// Arrangements are the layouts other than all Rows with which the kernel could be bound instead;
	// empty where the engine has none, or where it was bound with such layouts.
	Arrangements []Arrangement
}

// Candidate is an algorithm that a kernel could work by.
type Candidate struct {
	Alg     string
	Work    int    // multiplications, or the time of as many
	Against string // the rule that speaks against it; "" for none
}

// Packing is a form of one input that a kernel works on, such as the transformed filters of a
// convolution. Where that input stays as it is from run to run, whoever runs the kernel may
// have it packed once and pass it in Call.Packed; a kernel without it packs in its own scratch
// memory. The results are the same bits. The zero Packing is none.
//
// The input may have any element type, one of storage too: a kernel that takes weights in bfloat16
// or int8 can have them packed from those, as what it computes with.
type Packing struct {
	In      int    // the input
	Bytes   int    // of the packed form
	Kernel  Kernel // packs In[0], the input, into Out[0], a Uint8(Bytes) aligned to 64
	Scratch int    // bytes of scratch memory of Kernel
	Rest    int    // bytes of scratch memory of the bound kernel where Call.Packed is given

	// Form is comparable and names the form: packings of equal Form and Bytes make the same of
	// the same input, so that batch sizes, and programs, can share it. Nil is equal to no other.
	Form any
}

// Overwrite says that output Out may be written over input In. At most one output is
// put over one input, and over two that are in one memory only where it may overwrite both.
type Overwrite struct{ Out, In int }

// A Sharer has several processors for kernels that are too small to be shared out themselves.
type Sharer interface {
	// Share calls body for parts lo to hi of 0 to n, each once and several at a time, and returns
	// when all have returned. It allocates nothing.
	Share(n int, body func(lo, hi int))
}

// A Watchable engine has goroutines of its own that work on kernels, and can show what they do. An
// engine that embeds one has to return its own type from Watched, or it is not watched.
type Watchable interface {
	// Watched returns the engine with kernels of which w is shown the work. They give the same
	// bits, and are bound to no other memory.
	Watched(w Watcher) Engine
	// Workers is how many goroutines work on a kernel at most, the one that calls it included.
	Workers() int
}

// A Watcher is shown the work of kernels.
type Watcher interface {
	// Part calls body(lo, hi), a part of a kernel's work or of what is given to Share, on the
	// goroutine of one of the engine's workers, from 1 to Workers()-1. What runs on the goroutine
	// that called the kernel is not shown.
	Part(worker, lo, hi int, body func(lo, hi int))
}

// Unsupported is the error of a Binder for operands that it has no kernel for.
func Unsupported(engine, kernel string, in []Operand) error {
	return fmt.Errorf("engine %s has no %s kernel for %v", engine, kernel, in)
}

// Missing is the error of an op on an engine without the capability.
func Missing(e Engine, capability string) error {
	if e == nil {
		return fmt.Errorf("there is no engine to do %s; ref.Engine is one that can", capability)
	}
	return fmt.Errorf("engine %s cannot do %s; an engine that embeds ref.Engine can", e.Name(), capability)
}
