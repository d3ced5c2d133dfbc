package data_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
)

func TestClassesByNameOrNumber(t *testing.T) {
	many := make([]string, 12)
	for i := range many {
		many[i] = string(rune('a' + i))
	}
	for _, c := range []struct {
		names []string
		text  string
		want  int32
		err   string
	}{
		{[]string{"cat", "dog"}, "dog", 1, ""},
		{[]string{"cat", "dog"}, "1", 1, ""},
		{[]string{"cat", "dog", "cat"}, "cat", 0, ""},
		{[]string{"cat", "dog"}, "2", 0, `no class "2"; there are 2: cat, dog`},
		{[]string{"cat", "dog"}, "-1", 0, `no class "-1"; there are 2: cat, dog`},
		{[]string{"cat", "dog"}, "Dog", 0, `no class "Dog"; there are 2: cat, dog`},
		{[]string{"cat", "dog"}, "", 0, `no class ""; there are 2: cat, dog`},
		{[]string{"2", "1"}, "1", 1, ""}, // a name, rather than a number
		{[]string{"2", "1"}, "0", 0, `no class "0"; there are 2: 2, 1`},
		{nil, "7", 7, ""},
		{nil, "2147483647", 1<<31 - 1, ""},
		{nil, "2147483648", 0, `no class "2147483648"; want a number from 0 to 2147483647`},
		{nil, "cat", 0, `no class "cat"; want a number from 0 to 2147483647`},
		{many, "z", 0, `no class "z"; there are 12: a, b, c, d, e, f, g, h, i, j and 2 more`},
	} {
		n, err := data.NewClassIndex(c.names).Number(c.text)
		require.Equal(t, c.want, n, c.text)
		if c.err == "" {
			require.NoError(t, err, c.text)
		} else {
			require.EqualError(t, err, c.err)
		}
	}
	n, err := data.ClassIndex{}.Number("3")
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
}
