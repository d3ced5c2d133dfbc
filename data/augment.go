package data

// Augmentation changes inputs at random as they are loaded, so that a network never sees the same
// input twice; see package augment. An Augmentation is a value without state.
type Augmentation interface {
	// Bind returns the function that changes inputs of examples described by in, and out, a
	// description of the results: an input may change its size. It is an error if such inputs
	// cannot be changed.
	Bind(in Info) (change Change, out Info, err error)
}

// Change changes the input x of one example, using the random numbers of r. It may overwrite x, and
// returns the result, which is x or memory of its own that is valid until its next call. It serves
// one goroutine at a time, and should not allocate.
type Change func(x []float32, r *Rand) []float32

// Mixer combines the examples of a batch with each other; see package augment. A Mixer is a value
// without state.
type Mixer interface {
	// Bind returns the function that mixes batches of examples described by in, and out, a
	// description of the results: class numbers may become distributions over the classes. It is an
	// error if such examples cannot be mixed.
	Bind(in Info) (mix Mix, out Info, err error)
}

// Mix combines n examples in place, using the random numbers of r. b holds the inputs and targets
// of all examples, one after the other. If class numbers become distributions, b.Labels holds the
// class numbers and Mix must fill b.Targets. An error, for example about an invalid class number,
// ends the epoch. Mix serves one goroutine at a time, and should not allocate.
type Mix func(n int, b Example, r *Rand) error
