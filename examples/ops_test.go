package examples_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/autodiff/gradcheck/cases"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/engine/std"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

const tableOfOps = "../docs/OPS.md"

const aboveOps = `# Ops

Every op and function of package ops. ` + "`go test ./examples -run TestTheTableOfOps -update`" + ` writes this file from the ops, the engines, and the
table of gradient checks (autodiff/gradcheck/cases); a test fails when it is out of date. The names are those of the functions;
only gradients create the ops below SoftmaxGrad.

- **element types** of the floating-point arguments (ids, labels and masks have types of their own): f32 f64 i32 i64 u8 bool,
  and bf16 f16 i8 where elements are only moved or cast.
- **orders** of derivatives that are checked against finite differences in float64. The gradients of ops are made of ops, so higher
  orders are possible. A function is differentiable as often as the ops that it is made of.
- **engines** with a kernel of their own in float32; for a function, for all of its ops. Every engine runs every op, by ref's kernel
  where it has none.
- **error**: the largest relative error in these checks, rounded up to a power of ten, and at least 1e-10.

FullLike, ZerosLike, OnesLike and Scalar are Full; ArgMax and ArgMin are the first place of TopK and BottomK, Int64, without a gradient; RNG is the
State that Random reads. Xor, IsNaN and IsInf are comparisons, and BitNot is a difference.

`

// line is a row of the table.
type line struct {
	op, types, orders, engines string
	err                        float64
}

func (l line) String() string {
	e := ""
	if l.err > 0 {
		e = fmt.Sprintf("%.0e", l.err)
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |", l.op, l.types, l.orders, l.engines, e)
}

func TestTheTableOfOps(t *testing.T) {
	lines := linesOfOps(t)
	if *update {
		var b strings.Builder
		b.WriteString(aboveOps + "| op | element types | orders | engines | error |\n|---|---|---|---|---|\n")
		for _, l := range lines {
			fmt.Fprintln(&b, l)
		}
		require.NoError(t, os.WriteFile(tableOfOps, []byte(b.String()), 0o644))
	}
	text, err := os.ReadFile(tableOfOps)
	require.NoError(t, err)
	above, table, found := strings.Cut(string(text), "| op |")
	require.True(t, found)
	require.Equal(t, aboveOps, above, "if the change is meant: go test ./examples -update")
	stated := regexp.MustCompile(`(?m)^(\| \w+ \|.*\|) ([\d.e-]*) ?\|$`).FindAllStringSubmatch(table, -1)
	require.Len(t, stated, len(lines), "if the change is meant: go test ./examples -update")
	for i, l := range lines {
		have := l.err
		l.err = 0
		require.Equal(t, strings.TrimSuffix(l.String(), "  |"), stated[i][1], "if the change is meant: go test ./examples -update")
		bound, _ := strconv.ParseFloat(stated[i][2], 64)
		require.LessOrEqual(t, have, 10*bound, "%s: the error stated is %v", l.op, bound) // another processor may round otherwise
		require.LessOrEqual(t, bound, 1000*have, "%s: the error stated is %v", l.op, bound)
	}
}

// Every function that makes a node is in the table, or in the text above it.
func TestTheTableOfOpsHasEveryFunction(t *testing.T) {
	text, err := os.ReadFile(tableOfOps)
	require.NoError(t, err)
	files, err := filepath.Glob("../ops/*.go")
	require.NoError(t, err)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^func ([A-Z]\w*)\(.*\) \(?(?:\w+,? ?)* ?\*graph\.Node`).FindAllStringSubmatch(string(source), -1) {
			require.Regexp(t, `\b`+m[1]+`\b`, string(text))
		}
	}
}

// instance is an op with concrete input types.
type instance struct {
	op  graph.Op
	in  []shape.Type
	out shape.Type
}

// linesOfOps makes the table.
func linesOfOps(t *testing.T) (lines []line) {
	rows := map[string][]cases.Case{}
	met := map[string][]instance{} // by the name of the op
	for _, c := range cases.All() {
		rows[c.Op] = append(rows[c.Op], c)
		for _, n := range nodesOf(c, shape.Float32, 2) {
			met[n.Op().Name()] = append(met[n.Op().Name()], instanceOf(n))
		}
	}
	engines := []engine.Engine{cpu.New(), std.New(nil), ref.Engine{}}
	for _, l := range cases.Summary() {
		require.NoError(t, l.Err)
		if strings.Contains(l.Op, "+") || strings.HasPrefix(l.Op, "Quant") {
			continue // made when a program is specialised
		}
		if len(met[l.Op]) == 0 && len(rows[l.Op]) == 0 {
			met[l.Op] = anyInstance(l.Op)
		}
		row := line{op: l.Op, err: bound(l.Worst.Error)}
		var parts []string // the ops that it is made of
		if len(rows[l.Op]) > 0 {
			row.types = typesOfRows(rows[l.Op])
			row.orders = orders(len(l.Orders))
			for _, c := range rows[l.Op] {
				for _, n := range nodesOf(c, shape.Float32, 0) {
					parts = append(parts, n.Op().Name())
				}
			}
		} else {
			row.types, row.orders, parts = typesOf(met[l.Op]), orders(1), []string{l.Op}
		}
		if l.Reason != "" {
			row.orders, row.err = "none: "+l.Reason, 0
		}
		if slices.Contains(parts, l.Op) {
			parts = []string{l.Op}
		}
		row.engines = enginesOf(engines, parts, met)
		lines = append(lines, row)
	}
	return lines
}

// bound is the power of ten above an error.
func bound(e float64) float64 { return math.Pow(10, math.Ceil(math.Log10(max(e, 1e-10)))) }

func orders(n int) string {
	text := []string{"1", "2", "3"}
	return strings.Join(text[:n], " ")
}

// nodesOf are the computed nodes of a row whose floating-point arguments have type d, with its
// gradients up to an order; none where it is refused.
func nodesOf(c cases.Case, d shape.DType, order int) (nodes []*graph.Node) {
	g := graph.New()
	var xs, by []*graph.Node
	for i, in := range c.In {
		typ := in.Type
		if typ.IsFloat() {
			typ = typ.As(d)
		}
		xs = append(xs, g.Input(fmt.Sprint("x", i), typ))
	}
	y := c.F(xs...)
	for _, x := range xs {
		if x := y.Graph().Leaf(x.Name()); x != nil && x.Type().IsFloat() {
			by = append(by, x)
		}
	}
	ys := []*graph.Node{y}
	for range order {
		var next []*graph.Node
		for _, y := range ys {
			next = append(next, autodiff.VJP(y, ops.OnesLike(y), by...)...)
		}
		ys = next
	}
	if y.Graph().Err() != nil {
		return nil
	}
	for _, n := range graph.Reachable(append(ys, y)...) {
		if n.Kind() == graph.Computed {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func instanceOf(n *graph.Node) instance {
	i := instance{op: n.Op(), out: n.Type().At(3)}
	for _, x := range n.Ins() {
		i.in = append(i.in, x.Type().At(3))
	}
	return i
}

// anyInstance is an op that no row meets, of as many inputs as it takes.
func anyInstance(name string) (found []instance) {
	for _, op := range ops.All {
		for _, d := range []shape.DType{shape.Float32, shape.Bool, shape.Int32} {
			x := shape.Make(d, 2, 3)
			for n := 1; op.Name() == name && n < 4; n++ {
				in := slices.Repeat([]shape.Type{x}, n)
				if out, err := op.Infer(in); err == nil {
					found = append(found, instance{op, in, out})
				}
			}
		}
	}
	return found
}

var shortType = map[shape.DType]string{
	shape.Float32: "f32", shape.Float64: "f64", shape.Int32: "i32", shape.Int64: "i64", shape.Uint8: "u8", shape.Bool: "bool",
	shape.BFloat16: "bf16", shape.Float16: "f16", shape.Int8: "i8",
}

// typesOfRows lists the element types that some row of a function takes.
func typesOfRows(rows []cases.Case) string {
	return listTypes(func(d shape.DType) bool {
		return slices.ContainsFunc(rows, func(c cases.Case) bool { return len(nodesOf(c, d, 0)) > 0 })
	})
}

// typesOf lists those that an op infers a result for: in place of floating point, or of its first
// input.
func typesOf(is []instance) string {
	return listTypes(func(d shape.DType) bool {
		return slices.ContainsFunc(is, func(i instance) bool {
			in, replace := slices.Clone(i.in), i.in[0].DType
			for k, t := range in {
				if t.IsFloat() || t.DType == replace && !slices.ContainsFunc(in, func(t shape.Type) bool { return t.IsFloat() }) {
					in[k] = t.As(d)
				}
			}
			_, err := i.op.Infer(in)
			return err == nil
		})
	})
}

func listTypes(takes func(shape.DType) bool) string {
	var names []string
	for _, d := range shape.DTypes() {
		if takes(d) {
			names = append(names, shortType[d])
		}
	}
	return strings.Join(names, " ")
}

// enginesOf names the engines that have a kernel of their own for each of some ops.
func enginesOf(engines []engine.Engine, parts []string, met map[string][]instance) string {
	computed := slices.DeleteFunc(slices.Clone(parts), func(op string) bool {
		return slices.ContainsFunc(met[op], func(i instance) bool { return needsNoKernel(i.op) })
	})
	if len(computed) == 0 {
		return "need none"
	}
	var names []string
	for _, e := range engines {
		if !slices.ContainsFunc(computed, func(op string) bool {
			return !slices.ContainsFunc(met[op], func(i instance) bool { return i.by(e) == e.Name() })
		}) {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}

// needsNoKernel reports whether the result is the memory of the input, or one number.
func needsNoKernel(op graph.Op) bool {
	_, alias := op.(vm.Aliaser)
	_, uniform := op.(engine.UniformOp)
	return alias || uniform
}

// by is the engine whose kernel e has for i.
func (i instance) by(e engine.Engine) string {
	var b engine.Bound
	var err error
	switch op := i.op.(type) {
	case engine.ElementwiseOp:
		b, err = e.(engine.Mapper).BindMap(op.Map(i.in, i.out), engine.InRows(i.in...), engine.InRows(i.out))
	case vm.Bindable:
		b, err = op.Bind(e, engine.InRows(i.in...), engine.InRow(i.out))
	}
	if err != nil {
		return ""
	}
	return b.By
}
