// Package plain makes text from outside, such as names of files and of classes, safe to show: on a
// terminal, in an error, in a picture.
//
// Knows nothing of ours. Never imports anything but the standard library.
package plain
