package loopback_test

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/loopback"
)

func TestAnAddressIsOnTheLoopbackInterfaceUnlessTold(t *testing.T) {
	l, host, err := loopback.Listen(":0")
	require.NoError(t, err)
	defer l.Close()
	require.Equal(t, "127.0.0.1", host)
	require.True(t, l.Addr().(*net.TCPAddr).IP.IsLoopback())
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/$`, loopback.URL(l, host))
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/$`, loopback.URL(l, "0.0.0.0"))

	_, _, err = loopback.Listen(l.Addr().String())
	require.ErrorContains(t, err, "is in use by another program")
	for _, wrong := range []string{"", "8080", ":http", ":65536", ":-1", ":080"} {
		_, _, err := loopback.Listen(wrong)
		require.Error(t, err, wrong)
	}
}

func TestForeignNamesAreNotOurs(t *testing.T) {
	machine, err := os.Hostname()
	require.NoError(t, err)
	local, open := net.IPv4(127, 0, 0, 1), net.IPv4(192, 0, 2, 1)
	for _, c := range []struct {
		host           string
		onLocal, onAll bool
	}{
		{"127.0.0.1:8080", true, true}, {"localhost", true, true}, {"[::1]:80", true, true}, {"LocalHost:1", true, true},
		{"192.0.2.1:8080", false, true}, {machine + ":80", false, true}, {"asked.example:80", true, true},
		{"evil.example", false, false}, {"", false, false}, {"127.0.0.1.evil.example:80", false, false},
	} {
		require.Equal(t, c.onLocal, loopback.IsOurs(c.host, local, "asked.example"), c.host)
		require.Equal(t, c.onAll, loopback.IsOurs(c.host, open, "asked.example"), c.host)
	}
}
