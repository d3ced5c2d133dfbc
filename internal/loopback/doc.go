// Package loopback is the network side of servers that are for this machine unless told otherwise:
// addresses whose default host is that of the loopback interface, and the names by which requests may
// call this host.
//
// Knows nothing of ours. Never imports anything but the standard library.
package loopback
