// Package rescue turns panics into errors, for calls of user code.
//
// Knows nothing of ours. Never imports anything but the standard library.
package rescue
