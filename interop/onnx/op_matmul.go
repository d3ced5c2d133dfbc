package onnx

import (
	"strings"
	"unicode"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

var matmulOperators = family{
	"MatMul": always(2, 2, func(c *call) []*value { return result(matmul(c.node(0), c.node(1)), c.elem(0)) }),
	"Gemm":   always(2, 3, gemm),
	"Einsum": always(1, -1, einsum),
}

// matmul is NumPy's: vectors are a row on the left and a column on the right, and the leading axes
// broadcast.
func matmul(a, b *graph.Node) *graph.Node {
	if !a.Valid() || !b.Valid() {
		return ops.MatMul(a, b)
	}
	ra, rb := a.Type().Rank(), b.Type().Rank()
	switch {
	case ra == 0 || rb == 0:
		refuse("a scalar has no rows")
	case ra == 1 && rb == 1:
		return ops.Sum(ops.Mul(a, b))
	case ra == 1:
		y := matmul(ops.Unsqueeze(a, 0), b)
		return ops.Squeeze(y, y.Type().Rank()-2)
	case rb == 1:
		return ops.Squeeze(matmul(a, ops.Unsqueeze(b, 1)), -1)
	}
	if !a.Type().IsFloat() {
		return integerProduct(a, b)
	}
	la, lb := leading(a), leading(b)
	if la != lb && la.Rank() > 0 && lb.Rank() > 0 {
		l := broadcast(la, lb)
		a, b = spread(a, l), spread(b, l)
	}
	return ops.MatMul(a, b)
}

// integerProduct is the exact product of matrices of integers, which wraps around.
func integerProduct(a, b *graph.Node) *graph.Node {
	x := ops.Unsqueeze(a, a.Type().Rank())   // (...,M,K,1)
	y := ops.Unsqueeze(b, b.Type().Rank()-2) // (...,1,K,P)
	return ops.Sum(ops.Mul(x, y), -2)        // over K
}

// leading is the shape of the matrices of x.
func leading(x *graph.Node) shape.Shape { return shape.Of(x.Type().Dims()[:x.Type().Rank()-2]...) }

// spread broadcasts the leading axes of x to s.
func spread(x *graph.Node, s shape.Shape) *graph.Node {
	if leading(x) == s {
		return x
	}
	dims := append(s.Dims(), x.Type().Dim(-2), x.Type().Dim(-1))
	return ops.BroadcastTo(x, shape.Of(dims...))
}

func gemm(c *call) []*value {
	a, b := c.node(0), c.node(1)
	if a.Type().Rank() != 2 || b.Type().Rank() != 2 {
		refuse("want two matrices")
	}
	alpha, beta := c.floatAttr("alpha", 1), c.floatAttr("beta", 1)
	op := ops.MatMulOp{TransA: c.flag("transA", false), TransB: c.flag("transB", false)}
	if !a.Type().IsFloat() {
		return result(integerGemm(c, a, b, op, alpha, beta), c.elem(0))
	}
	columns := 1
	if op.TransB {
		columns = 0
	}
	layer := ""
	if x, name := c.integerLayer(columns); x != nil && !op.TransA {
		a, layer = x, name
	}
	y := c.ev.inLayer(layer, func() *graph.Node { return ops.MatMul(a, b, op) })
	if alpha != 1 {
		y = ops.MulScalar(y, alpha)
	}
	z := c.optional(2)
	switch {
	case z == nil || beta == 0:
		return result(y, c.elem(0))
	case beta != 1:
		z = ops.MulScalar(z, beta)
	}
	if y.Valid() && z.Valid() && z.Type().Rank() == 1 && z.Type().Dim(0) == y.Type().Dim(1) {
		return result(ops.AddBias(y, z), c.elem(0))
	}
	return result(ops.Add(y, z), c.elem(0))
}

// integerGemm is gemm for integers, whose factors must be whole numbers.
func integerGemm(c *call, a, b *graph.Node, op ops.MatMulOp, alpha, beta float64) *graph.Node {
	if op.TransA {
		a = ops.Transpose(a)
	}
	if op.TransB {
		b = ops.Transpose(b)
	}
	y := integerProduct(a, b)
	if alpha != 1 {
		y = ops.Mul(y, ops.Scalar(y, alpha))
	}
	if z := c.optional(2); z != nil && beta != 0 {
		if beta != 1 {
			z = ops.Mul(z, ops.Scalar(z, beta))
		}
		y = ops.Add(y, z)
	}
	return y
}

func einsum(c *call) []*value {
	in := c.nodes()
	return result(ops.Einsum(spelled(c.stringAttr("equation", ""), in), in...), c.elem(0))
}

// spelled writes letters for the ellipses of an equation: those that it does not use, for the axes that its terms have
// beyond their letters.
func spelled(equation string, in []*graph.Node) string {
	equation = strings.ReplaceAll(equation, " ", "")
	if !strings.Contains(equation, "...") {
		return equation
	}
	terms, out, explicit := strings.Cut(equation, "->")
	var free []string
	for l := 'A'; l <= 'z'; l++ {
		if unicode.IsLetter(l) && !strings.ContainsRune(equation, l) {
			free = append(free, string(l))
		}
	}
	most := 0
	list := strings.Split(terms, ",")
	for i, term := range list {
		if i >= len(in) || !strings.Contains(term, "...") {
			continue
		}
		axes := in[i].Type().Rank() - len(term) + len("...")
		if axes < 0 || axes > len(free) {
			refuse("%q does not fit %v", term, in[i].Type())
		}
		most = max(most, axes)
		list[i] = strings.Replace(term, "...", strings.Join(free[:axes], ""), 1)
	}
	if !explicit {
		refuse("an ellipsis without an explicit result")
	}
	return strings.Join(list, ",") + "->" + strings.Replace(out, "...", strings.Join(free[:most], ""), 1)
}
