// Package nothing tests that exported functions do not panic for empty arguments: nil pointers, nil
// functions, zero values.
//
// Knows the syntax of Go. Never imports another package of this module.
package nothing
