// Package examples holds what README.md, CONTRIBUTING.md and the guide show, as tests: each
// block of Go stands in a file or a program here, word for word, each block of text is the
// output of an Example, and each console block is run again. The folders below it are the
// gallery: a program each.
//
// Knows everything. Never imported by anything.
package examples
