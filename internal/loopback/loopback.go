package loopback

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// defaultHost is the host of an address that names none.
const defaultHost = "127.0.0.1"

// Parse returns the host and the port of an address, [HOST]:PORT; the default host is 127.0.0.1. It
// does not resolve the host: [Listen] reports a host that is not this machine.
func Parse(address string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(address)
	if err != nil {
		return "", "", fmt.Errorf("%q is not [HOST]:PORT, such as :8080", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", "", fmt.Errorf("%q is not a port; want a number from 1 to 65535, or 0 for any free port", port)
	}
	if host == "" {
		host = defaultHost
	}
	return host, port, nil
}

// Listen listens on the address of [Parse], and also returns its host. It is an error if another
// program uses the port.
func Listen(address string) (l net.Listener, host string, err error) {
	host, port, err := Parse(address)
	if err != nil {
		return nil, "", err
	}
	l, err = net.Listen("tcp", net.JoinHostPort(host, port))
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("port %s of %s is in use by another program; choose another, or 0 for any free port", port, host)
	}
	return l, host, err
}

// URL returns the address at which a browser of this machine finds what listens at l, of which host
// is the name that was asked for.
func URL(l net.Listener, host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = defaultHost
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(l.Addr().(*net.TCPAddr).Port)) + "/"
}

// IsOurs reports whether a Host header, hostport, names this host: by an address, which cannot be
// made to resolve elsewhere, by localhost, by one of the names that were asked for, or by the name of
// the machine. What listens on the loopback interface, which local is then an address of, accepts
// only addresses of that interface.
//
// A foreign name comes from a page of another site whose name was made to resolve to this host (DNS
// rebinding), so that it has the same origin.
func IsOurs(hostport string, local net.IP, names ...string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") || slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(host, name) }) {
		return true
	}
	if ip := net.ParseIP(host); ip != nil {
		return !local.IsLoopback() || ip.IsLoopback()
	}
	name, err := os.Hostname()
	return !local.IsLoopback() && err == nil && strings.EqualFold(host, name)
}
