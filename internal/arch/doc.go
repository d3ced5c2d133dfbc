// Package arch holds no code. Its test reads the imports of every package and fails on one
// that points the wrong way.
//
// Knows and imports nothing of ours.
package arch
