// Package examples holds what the documents at the root of the module show, as tests: each
// block of Go in README.md and CONTRIBUTING.md stands in a file here, word for word, each
// block of text is the output of an Example, and each console block is run again.
//
// Knows everything. Never imported by anything.
package examples
