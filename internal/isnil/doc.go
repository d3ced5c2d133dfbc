// Package isnil tells what an interface holds nothing in.
//
// Knows nothing of ours. Never imports anything but the standard library.
package isnil
