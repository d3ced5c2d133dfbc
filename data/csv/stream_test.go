package csv_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/csv"
	"github.com/plexaura/plexaura/shape"
)

func written(t testing.TB, table string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.csv")
	require.NoError(t, os.WriteFile(path, []byte(table), 0o644))
	return path
}

// epochOf returns inputs and targets of an epoch, and names.
func epochOf(s data.Stream, epoch int) (x, y []float32, names []string, err error) {
	l, err := data.NewStreamLoader(s, data.Batching{Size: 2, Workers: 1})
	if err != nil {
		return nil, nil, nil, err
	}
	for b, err := range l.Epoch(epoch) {
		if err != nil {
			return x, y, names, err
		}
		x, names = append(x, b.X.Float32s()...), append(names, b.Names...)
		if l.Info().Target.DType == shape.Float32 {
			y = append(y, b.Y.Float32s()...)
			continue
		}
		for _, v := range b.Y.Int32s() {
			y = append(y, float32(v))
		}
	}
	return x, y, names, nil
}

// A stream has the examples of the table in memory, from a file in each epoch, from a pipe in one.
func TestAStreamHasTheLinesOfTheTable(t *testing.T) {
	numbers := csv.Options{Target: []string{"c", "a"}, Comma: ';', Shape: shape.Of(1, 1)}
	for _, c := range []struct {
		table string
		o     csv.Options
	}{
		{flowers, csv.Options{Inputs: []string{"width", "length"}, Target: []string{"kind"}, Classes: []string{"se,tosa", "virginica"}, Fill: zero}},
		{"a;b;c\n1;2;3\n4;5;6\n\n7;8;9", numbers},
	} {
		ds, err := csv.Read(strings.NewReader(c.table), c.o)
		require.NoError(t, err)
		in, err := data.StreamOf(ds)
		require.NoError(t, err)
		x, y, _, err := epochOf(in, 0)
		require.NoError(t, err)
		fromFile, err := csv.OpenStream(written(t, c.table), c.o)
		require.NoError(t, err)
		fromPipe, err := csv.NewStream(strings.NewReader(c.table), c.o)
		require.NoError(t, err)
		for _, s := range []*csv.Stream{fromFile, fromPipe} {
			require.Equal(t, ds.Info(), s.Info())
			haveX, haveY, names, err := epochOf(s, 0)
			require.NoError(t, err)
			require.Equal(t, x, haveX)
			require.Equal(t, y, haveY)
			require.Equal(t, "line 2", names[0])
		}
		x2, _, _, err := epochOf(fromFile, 1)
		require.NoError(t, err)
		require.Equal(t, x, x2)
		_, _, _, err = epochOf(fromPipe, 1)
		require.EqualError(t, err, "data: opening the stream: csv: the table can only be read once, and has been; further epochs need a file")
	}
}

func TestMistakesInStreams(t *testing.T) {
	class := csv.Options{Inputs: []string{"length", "width"}, Target: []string{"kind"}, Classes: []string{"se,tosa", "virginica"}}
	a := csv.Options{Target: []string{"a"}}
	for want, c := range map[string]struct {
		table string
		o     csv.Options
	}{
		`example 2 of the stream: csv: PATH: line 4, column "width": there is no number; set Fill`: {flowers, class},
		`example 1 of the stream: csv: PATH: line 3, column "b": "x" is no number`:                 {"a,b\n1,2\n3,x\n", a},
		`example 0 of the stream: csv: PATH: line 2, column "kind": no class "b"; there are 2: se`: {"kind,length,width\nb,1,2\n", class},
		`example 1 of the stream: csv: PATH: record on line 3: wrong number of fields`:             {"a,b\n1,2\n1\n", a},
		`data: the stream has no examples`:                                                         {"a,b\n", a},
	} {
		path := written(t, c.table)
		s, err := csv.OpenStream(path, c.o)
		require.NoError(t, err)
		_, _, _, err = epochOf(s, 0)
		require.ErrorContains(t, err, strings.ReplaceAll(want, "PATH", path))
		p, err := csv.NewStream(strings.NewReader(c.table), c.o)
		require.NoError(t, err)
		_, _, _, err = epochOf(p, 0)
		require.ErrorContains(t, err, strings.ReplaceAll(want, "PATH: ", ""))
	}
	class.Classes, class.Class = nil, true
	_, err := csv.NewStream(strings.NewReader(flowers), class)
	require.ErrorContains(t, err, "csv: a stream needs the names of its Classes")
	path := written(t, "")
	_, err = csv.OpenStream(path, a)
	require.ErrorContains(t, err, "csv: "+path+": the table is empty")
	_, err = csv.OpenStream(filepath.Dir(path), a)
	require.ErrorContains(t, err, "csv: open "+filepath.Dir(path))

	path = written(t, "a,b\n1,2\n")
	s, err := csv.OpenStream(path, a)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("b,a\n1,2\n"), 0o644))
	_, _, _, err = epochOf(s, 0)
	require.ErrorContains(t, err, `the columns have changed: they were a, b and are b, a`)
}

// Lines are trained on as they come; nobody waits for the end of a pipe.
func TestAPipeIsReadAsItIsWritten(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		for i := 0; ; i++ {
			line := fmt.Sprintf("%d,%d\n", i, 2*i)
			if i == 0 {
				line = "a,b\n" + line
			}
			if _, err := io.WriteString(w, line); err != nil {
				return
			}
		}
	}()
	defer r.Close()
	s, err := csv.NewStream(r, csv.Options{Target: []string{"b"}})
	require.NoError(t, err)
	l, err := data.NewStreamLoader(s, data.Batching{Size: 3, Buffer: 4, Steps: 100, Workers: 2})
	require.NoError(t, err)
	var seen []int
	for b, err := range l.Epoch(0) {
		require.NoError(t, err)
		for j, v := range b.X.Float32s() {
			require.Equal(t, 2*v, b.Y.Float32s()[j])
		}
		seen = append(seen, b.Examples...)
	}
	require.Len(t, seen, 300)
	slices.Sort(seen)
	require.Equal(t, 300, len(slices.Compact(seen)))
}

// A pipe to which nobody writes does not keep a cancelled loop.
func TestASilentPipeDoesNotHoldTheLoop(t *testing.T) {
	r, w := io.Pipe()
	go func() { _, _ = io.WriteString(w, "a,b\n1,2\n") }()
	s, err := csv.NewStream(r, csv.Options{Target: []string{"b"}})
	require.NoError(t, err)
	l, err := data.NewStreamLoader(s, data.Batching{Size: 2})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, err := range l.EpochFrom(ctx, 0, 0) {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	require.NoError(t, w.Close()) // ends the Read that was left alone
}

// FuzzStream holds that a stream has the examples of the table in memory, or an error where that has one.
func FuzzStream(f *testing.F) {
	f.Add(flowers, "kind")
	f.Add("a,b\n1,2\n", "b")
	f.Add("a,b\n1,2\n\"3", "b")
	f.Fuzz(func(t *testing.T, table, target string) {
		o := csv.Options{Target: []string{target}, Fill: zero}
		ds, inMemory := csv.Read(strings.NewReader(table), o)
		s, err := csv.NewStream(strings.NewReader(table), o)
		if err != nil {
			require.Error(t, inMemory)
			return
		}
		x, y, _, err := epochOf(s, 0)
		if inMemory != nil {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		in, err := data.StreamOf(ds)
		require.NoError(t, err)
		wantX, wantY, _, err := epochOf(in, 0)
		require.NoError(t, err)
		require.Equal(t, wantX, x)
		require.Equal(t, wantY, y)
	})
}
