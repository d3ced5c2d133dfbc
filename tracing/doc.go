// Package tracing writes a record of what a machine did, and when, as a file for a trace viewer: a
// [Chrome] receives the spans of a [vm.Observer].
//
// Knows vm. Never imports train or an engine.
package tracing
