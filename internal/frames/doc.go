// Package frames puts strings of bytes one behind the other, each behind its length.
//
// Knows nothing of ours. Never imports anything but the standard library.
package frames
