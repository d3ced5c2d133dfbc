// Package plain makes text that came from elsewhere, such as names of files and of classes, fit to
// be shown: on a terminal, in an error, in a picture.
//
// Knows: the standard library. Never imports: other packages of this module.
package plain
