// Package nothing calls all that a package exports with nothing where something is wanted: nil
// pointers, nil functions, zero values. None of it may panic.
//
// Knows the syntax of Go. Never imports another package of this module.
package nothing
