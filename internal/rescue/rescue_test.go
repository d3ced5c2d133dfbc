package rescue_test

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/rescue"
)

func TestAPanicIsAnErrorWithItsLine(t *testing.T) {
	err := rescue.Do(func() error { panic("no such thing") })
	require.Regexp(t, `^panic: no such thing at rescue_test.go:14$`, err.Error())
	err = rescue.Do(func() error {
		var none []int
		none[3] = 1
		return nil
	})
	require.Regexp(t, `^panic: runtime error: index out of range \[3\] with length 0 at rescue_test.go:18$`, err.Error())
	require.ErrorIs(t, rescue.Do(func() error { panic(io.EOF) }), io.EOF)
	var p *rescue.Panic
	require.ErrorAs(t, rescue.Do(func() error { panic(7) }), &p)
	require.Equal(t, 7, p.Value)
	want := errors.New("its own")
	require.Equal(t, want, rescue.Do(func() error { return want }))
}
