// Package examples holds what the documents show. Each folder here with a main.go is a program,
// run by "go run ./examples/NAME"; see README.md. The tests hold the documents at the root of the
// module and in docs/guide: each block of Go is in a file here, word for word, each block of
// text is the output of an Example, and each console block is run again.
//
// Knows everything. Never imported by anything.
package examples
