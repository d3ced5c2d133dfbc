package plain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/plain"
)

func TestAListNamesTheFirstAndCountsTheRest(t *testing.T) {
	names := []string{"a", "b\n", "c", "d"}
	require.Empty(t, plain.List(nil, 3))
	require.Equal(t, "a", plain.List(names[:1], 1))
	require.Equal(t, "a and 3 more", plain.List(names, 1))
	require.Equal(t, "a, b\n, c and 1 more", plain.List(names, 3))
	require.Equal(t, "a, b\n, c, d", plain.List(names, 4))
	require.Equal(t, `a, b\n, c and 1 more`, plain.Names(names, 3))
	require.Equal(t, `a, b\n, c, d`, plain.Names(names, 8))
	require.Equal(t, []string{"a", "b\n", "c", "d"}, names, "names stay as they are")
}
