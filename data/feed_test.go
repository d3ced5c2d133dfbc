package data

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// growing reads records of so many bytes.
type growing int

func (g growing) Next(r *Record) error {
	r.Raw = append(r.Raw, make([]byte, g)...)
	return nil
}

func (growing) Close() error { return nil }

// Records are counted by what they keep, once, however often they are used.
func TestHeldRecordsAreBounded(t *testing.T) {
	f := &feed{pool: newPool(3), reader: growing(1000)}
	s := &slot{size: 4}
	for range s.size {
		s.records = append(s.records, new(Record))
	}
	f.size = s.size
	for range 100 {
		n, err := f.draw(context.Background(), s)
		require.NoError(t, err)
		require.Equal(t, 4, n)
	}
	require.Equal(t, 7*int64(cap(s.records[0].Raw)), f.bytes)
	f.bytes, f.reader = maxHeld, growing(100_000)
	_, err := f.draw(context.Background(), s)
	require.EqualError(t, err, "example 402 of the stream: the examples that are held take more than 17179869184 bytes; want a smaller Buffer")
}
