// Package rescue makes errors of panics, where code of a user's is called.
//
// Knows nothing of ours. Never imports anything but the standard library.
package rescue
