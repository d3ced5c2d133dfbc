// Package plain makes text that came from elsewhere, such as names of files and of classes, fit to
// be shown: on a terminal, in an error, in a picture.
//
// Knows nothing of ours. Never imports anything but the standard library.
package plain
