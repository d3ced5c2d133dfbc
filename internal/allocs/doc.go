// Package allocs measures, in tests, what a step allocates.
//
// Knows nothing of ours. Never imports anything but the standard library.
package allocs
