package isnil_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/isnil"
)

func TestANilPointerInAnInterfaceIsNil(t *testing.T) {
	var r io.Reader
	var b *bytes.Buffer
	var f func()
	for _, v := range []any{nil, r, b, io.Reader(b), f} {
		require.True(t, isnil.Of(v), "%T", v)
	}
	for _, v := range []any{0, "", struct{}{}, new(bytes.Buffer), func() {}, []int(nil)} {
		require.False(t, isnil.Of(v), "%T", v)
	}
}
