// Package patterns matches names of parameters with patterns, as in [path.Match], and says of a pattern that
// matches nothing which names are near.
//
// Knows internal/plain. Never imports anything else of ours.
package patterns
