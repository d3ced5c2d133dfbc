package csv_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/csv"
	"github.com/plexaura/plexaura/shape"
)

const flowers = "\ufefflength, width,kind,note\n5.1,3.5,\"se,tosa\",x\n7,3.2e0,virginica,\n-6.3,NA,\"se,tosa\",y\n"

func zero(string) float32 { return 0 }

func TestColumnsBecomeInputsAndClasses(t *testing.T) {
	ds, err := csv.Read(strings.NewReader(flowers), csv.Options{Inputs: []string{"width", "length"}, Target: []string{"kind"}, Class: true, Fill: zero})
	require.NoError(t, err)
	require.Equal(t, data.Info{Input: shape.F32(2), Target: shape.I32(), Classes: []string{"se,tosa", "virginica"}}, ds.Info())
	labels, err := data.Labels(ds)
	require.NoError(t, err)
	require.Equal(t, []int32{0, 1, 0}, labels)
	e := data.Example{X: make([]float32, 2), Labels: make([]int32, 1)}
	for i, want := range [][]float32{{3.5, 5.1}, {3.2, 7}, {0, -6.3}} {
		require.NoError(t, ds.Read(i, e))
		require.Equal(t, want, e.X)
	}
	ds, err = csv.Read(strings.NewReader("a;b;c\n1;2;3\n4;5;6\n"), csv.Options{Target: []string{"c", "a"}, Comma: ';', Shape: shape.Of(1, 1)})
	require.NoError(t, err)
	require.Equal(t, data.Info{Input: shape.F32(1, 1), Target: shape.F32(2)}, ds.Info())
	e = data.Example{X: make([]float32, 1), Targets: make([]float32, 2)}
	require.NoError(t, ds.Read(1, e))
	require.Equal(t, []float32{5, 6, 4}, append(e.X, e.Targets...))
}

func TestMistakesInTables(t *testing.T) {
	class := csv.Options{Inputs: []string{"length", "width"}, Target: []string{"kind"}, Class: true}
	with := func(f func(o *csv.Options)) csv.Options { o := class; f(&o); return o }
	for want, c := range map[string]struct {
		table string
		o     csv.Options
	}{
		`line 4, column "width": there is no number; set Fill`:  {flowers, class},
		`line 3, column "b": "x" is no number`:                  {"a,b\n1,2\n3,x\n", csv.Options{Target: []string{"a"}}},
		`line 2, column "a": there is no class`:                 {"a,b\n,2\n", csv.Options{Target: []string{"a"}, Class: true}},
		`line 2, column "b": "1e99" is no number`:               {"a,b\n3,1e99\n", csv.Options{Target: []string{"a"}}},
		`no column "size"; there are length, width, kind, note`: {flowers, with(func(o *csv.Options) { o.Inputs = []string{"size"} })},
		`no class "virginica"; there are 1: se,tosa`:            {flowers, with(func(o *csv.Options) { o.Classes = []string{"se,tosa"}; o.Fill = zero })},
		`column "kind" is both an input and the target`:         {flowers, with(func(o *csv.Options) { o.Inputs = []string{"kind"} })},
		"2 columns are the Target; a class is one":              {flowers, with(func(o *csv.Options) { o.Target = []string{"kind", "note"} })},
		"no Target; want the name of a column":                  {flowers, csv.Options{}},
		`columns 1 and 2 are both called "a"`:                   {"a,a\n1,2\n", csv.Options{Target: []string{"a"}}},
		"no line but the names":                                 {"a,b\n", csv.Options{Target: []string{"a"}}},
		"the table is empty":                                    {"", csv.Options{Target: []string{"a"}}},
		"record on line 2: wrong number of fields":              {"a,b\n1\n", csv.Options{Target: []string{"a"}}},
		"the Shape (3) of an input is not that of 1 columns":    {"a,b\n1,2\n", csv.Options{Target: []string{"a"}, Shape: shape.Of(3)}},
	} {
		_, err := csv.Read(strings.NewReader(c.table), c.o)
		require.ErrorContains(t, err, want)
	}
	_, err := csv.Read(io.MultiReader(strings.NewReader("a,b\n1,2\n3,\""), endless{}), csv.Options{Target: []string{"a"}})
	require.ErrorContains(t, err, "a line after the first 8 bytes has more than 16777216")
	path := filepath.Join(t.TempDir(), "x.csv")
	require.NoError(t, os.WriteFile(path, []byte("a,b\n1,\n"), 0o644))
	_, err = csv.ReadFile(path, csv.Options{Target: []string{"a"}})
	require.ErrorContains(t, err, "csv: "+path+`: line 2, column "b": there is no number`)
}

// endless is a field without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// FuzzRead holds that no table makes Read panic, and that what it accepts is consistent.
// Whatever stands where there is no number, Fill puts one there.
func TestHolesAreFilled(t *testing.T) {
	ds, err := csv.Read(strings.NewReader("a,b\n,1\nNA,2\nna,3\nNaN,4\n?,5\n 7 ,6\n"), csv.Options{
		Target: []string{"b"}, Fill: func(column string) float32 { require.Equal(t, "a", column); return -1 },
	})
	require.NoError(t, err)
	e := data.Example{X: make([]float32, 1), Targets: make([]float32, 1)}
	for i, want := range []float32{-1, -1, -1, -1, -1, 7} {
		require.NoError(t, ds.Read(i, e))
		require.Equal(t, []float32{want, float32(i + 1)}, append(e.X, e.Targets...))
	}
}

// Where the classes have names, a column of their numbers is read as well.
func TestClassesMayBeNumbers(t *testing.T) {
	o := csv.Options{Target: []string{"b"}, Classes: []string{"cat", "dog"}}
	ds, err := csv.Read(strings.NewReader("a,b\n1,dog\n2,1\n3,0\n"), o)
	require.NoError(t, err)
	for i, want := range []int32{1, 1, 0} {
		class, ok := ds.Label(i)
		require.True(t, ok)
		require.Equal(t, want, class)
	}
	_, err = csv.Read(strings.NewReader("a,b\n1,dog\n2,2\n"), o)
	require.ErrorContains(t, err, `line 3, column "b": no class "2"; there are 2: cat, dog`)
}

func FuzzRead(f *testing.F) {
	f.Add(flowers, "kind", true)
	f.Add("a,b\n1,2\n", "b", false)
	f.Fuzz(func(t *testing.T, table, target string, class bool) {
		ds, err := csv.Read(strings.NewReader(table), csv.Options{Target: []string{target}, Class: class, Fill: zero})
		if err != nil {
			return
		}
		require.NoError(t, ds.Info().Err())
		require.Positive(t, ds.Len())
	})
}
