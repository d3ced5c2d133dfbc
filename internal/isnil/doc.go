// Package isnil detects nil values inside interfaces.
//
// Knows nothing of ours. Never imports anything but the standard library.
package isnil
