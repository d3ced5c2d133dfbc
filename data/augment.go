package data

// Augmentation changes inputs at random as they are loaded, so that a network does not see
// the same twice; see the package augment. An Augmentation is a value without state.
type Augmentation interface {
	// Bind returns what changes inputs of examples that in describes, and out, which describes
	// what they become: an input may get another size. It is an error if such inputs cannot be
	// changed so.
	Bind(in Info) (change Change, out Info, err error)
}

// Change changes the input x of one example by the numbers of r. It may overwrite x, and
// returns the result, which is x or memory of its own that is valid until its next call. It
// serves one goroutine at a time, and should not allocate.
type Change func(x []float32, r *Rand) []float32

// Mixer combines the examples of a batch with each other; see the package augment. A Mixer is
// a value without state.
type Mixer interface {
	// Bind returns what mixes batches of examples that in describes, and out, which describes
	// what they become: class numbers may become distributions over the classes. It is an error
	// if such examples cannot be mixed.
	Bind(in Info) (mix Mix, out Info, err error)
}

// Mix combines n examples in place by the numbers of r. b holds the inputs and targets of all,
// one after the other. Where class numbers become distributions, b.Labels holds the class
// numbers and b.Targets is to be filled. An error, such as about a class number that is none,
// ends the epoch. Mix serves one goroutine at a time, and should not allocate.
type Mix func(n int, b Example, r *Rand) error
