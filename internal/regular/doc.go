// Package regular opens regular files, and says where one may be written, and refuses all else. To
// open a named pipe waits for its other end, and to read a device may never end.
//
// Knows nothing of ours. Never imports anything but the standard library.
package regular
