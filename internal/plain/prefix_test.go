package plain_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/plain"
)

func TestAPrefixStandsOnce(t *testing.T) {
	require.NoError(t, plain.Prefixed("data", nil))
	for text, want := range map[string]string{
		"no example":                      "data: no example",
		"data: no example":                "data: no example",
		"example 5: data: no room":        "data: example 5: no room",
		"data: data: a: data: b":          "data: a: b",
		"metadata: no data: it is empty":  "data: metadata: no data: it is empty",
		"data: first\ndata: second: more": "data: first\nsecond: more",
	} {
		require.EqualError(t, plain.Prefixed("data", errors.New(text)), want)
	}
	err := plain.Prefixed("data", fmt.Errorf("example 5: %w", plain.Prefixed("data", io.ErrUnexpectedEOF)))
	require.EqualError(t, err, "data: example 5: unexpected EOF")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestWhatIsSaidTwiceIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"train: epoch 2: train: no model":   "train",
		"gzip: gzip: invalid header":        "gzip",
		"data: metadata: no \"data\": none": "",
		"x.go:1: Add: a\nx.go:1: Mul: b":    "",
	} {
		require.Equal(t, want, plain.Repeats(text), text)
	}
}
