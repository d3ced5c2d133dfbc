package serve

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// waiting adds calls of so many rows.
func waiting(t *testing.T, q *queue, rows ...int) {
	for _, n := range rows {
		c := newCall()
		c.rows = n
		require.NoError(t, q.add(c))
	}
}

// rowsOf are the rows of the calls of a batch.
func rowsOf(batch []*call) (rows []int) {
	for _, c := range batch {
		rows = append(rows, c.rows)
	}
	return rows
}

// The first waits for as many as came lately, and no longer than for the delay or for a batch.
func TestHowLongACallWaitsForOthers(t *testing.T) {
	q := newQueue(100, 8, time.Hour)
	q.ran(time.Hour)
	waiting(t, q, 1)
	batch, _ := q.take(nil)
	require.Equal(t, []int{1}, rowsOf(batch), "one that is alone does not wait")

	waiting(t, q, 2, 3, 1)
	batch, _ = q.take(nil)
	require.Equal(t, []int{2, 3, 1}, rowsOf(batch))
	waiting(t, q, 2, 3)
	batch, wait := q.take(nil)
	require.Empty(t, batch)
	require.Greater(t, wait, 59*time.Minute)
	waiting(t, q, 1)
	batch, _ = q.take(nil)
	require.Equal(t, []int{2, 3, 1}, rowsOf(batch))

	waiting(t, q, 1)
	_, wait = q.take(nil)
	require.Positive(t, wait)
	q.ran(time.Nanosecond)
	batch, _ = q.take(nil)
	require.Equal(t, []int{1}, rowsOf(batch), "not longer than a batch takes")
	q.ran(time.Hour)
	q.delay = 0
	waiting(t, q, 1)
	batch, _ = q.take(nil)
	require.Equal(t, []int{1}, rowsOf(batch), "nor than the delay")
}

// A batch is the oldest calls whose rows fit, and the rest comes with the next.
func TestABatchIsTheOldestCallsThatFit(t *testing.T) {
	q := newQueue(7, 8, 0)
	waiting(t, q, 3, 4, 2, 8, 1, 1)
	for _, want := range [][]int{{3, 4}, {2}, {8}, {1, 1}} {
		batch, _ := q.take(nil)
		require.Equal(t, want, rowsOf(batch))
	}
	batch, wait := q.take(nil)
	require.Empty(t, batch)
	require.Zero(t, wait, "until another comes")

	waiting(t, q, 1, 2, 3)
	second := q.first.next
	require.True(t, q.remove(second))
	require.False(t, q.remove(second))
	require.Equal(t, 2, q.depth())
	waiting(t, q, 1, 1, 1, 1, 1)
	require.ErrorContains(t, q.add(newCall()), "7 requests wait")
	q.close()
	require.ErrorIs(t, q.add(newCall()), errClosing)
	batch, _ = q.take(nil)
	require.Equal(t, []int{1, 3, 1, 1, 1, 1}, rowsOf(batch))
	batch, _ = q.take(nil)
	require.Equal(t, []int{1}, rowsOf(batch))
	_, wait = q.take(nil)
	require.Negative(t, wait)
}
