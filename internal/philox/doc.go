// Package philox is the source of all random numbers: the counter-based generator
// Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
// 1, 2, 3" (SC11, 2011). A number is a pure function of where it is used, so it does not
// depend on the order of evaluation, on the number of goroutines or on what else is drawn,
// and computing it again repeats it.
//
// Knows nothing of ours. Never imports anything but the standard library.
package philox
