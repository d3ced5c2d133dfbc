// Package regular opens regular files, and checks whether one may be written to a path. It rejects
// all other files: opening a named pipe waits for its other end, and reading a device may never
// end.
//
// Knows nothing of ours. Never imports anything but the standard library.
package regular
