package watch

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// However many rows are added, a bounded number is kept, and they are means of all of them.
func TestATableKeepsMeansOfAllRows(t *testing.T) {
	const n = 10*maxRows + 17
	table := newTable("x", "time", "value")
	for i := range n {
		table.add(number(i+1), number(i%2))
	}
	require.LessOrEqual(t, table.rows(), maxRows)
	require.Greater(t, table.rows(), maxRows/2)
	require.EqualValues(t, table.stride*table.rows(), table.values[len(table.values)-2], "a row stands for stride rows, the last included")
	for r := range table.rows() {
		require.EqualValues(t, (r+1)*table.stride, table.values[2*r])
		require.EqualValues(t, .5, table.values[2*r+1])
	}
}

func TestABrowserIsSentEachRowOnce(t *testing.T) {
	table, c := newTable("x", "time", "value"), cursor{}
	var have [][]number
	for i := range 5 * maxRows {
		table.add(number(i), number(i))
		if i%97 != 0 {
			continue
		}
		m, ok := table.since(&c)
		require.True(t, ok || i%97 != 0 || table.stride > 1)
		if m.Reset {
			have = nil
		}
		have = append(have, m.Rows...)
		require.Len(t, have, table.rows())
	}
	m, _ := table.since(&c)
	have = append(have, m.Rows...)
	for i, row := range have {
		require.Equal(t, table.values[2*i:2*i+2], row)
	}
}

func TestRowsAreJSON(t *testing.T) {
	m := rowsMessage{Table: "a\"b", Columns: []string{"x"}, Reset: true, Rows: [][]number{{1, -2.5}, {none, number(math.Inf(1))}, {1e-30, 1e300}}}
	own, err := m.JSON()
	require.NoError(t, err)
	theirs, err := json.Marshal(m)
	require.NoError(t, err)
	require.JSONEq(t, string(theirs), string(own))
	empty, err := rowsMessage{}.JSON()
	require.NoError(t, err)
	require.JSONEq(t, `{"table":"","columns":null,"reset":false,"rows":[]}`, string(empty))
}
