// Package tracing writes what a machine did, and when, as a file for a trace viewer: a [Chrome] is
// told by a [vm.Observer].
//
// Knows vm. Never imports train or an engine.
package tracing
