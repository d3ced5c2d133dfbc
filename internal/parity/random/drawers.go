package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/shape"
)

// drawer adds inputs, and the function of that name or a graph of several, to a sketch.
type drawer func(s *sketch, name string)

// drawers has a row for each function that parity compares, and for graphs of several.
var drawers = merged(elementwise, reductions, losses, normalisations, products, images, moves, graphs)

// names are those of the rows, in order.
var names = slices.Sorted(maps.Keys(drawers))

func merged(tables ...map[string]drawer) map[string]drawer {
	all := map[string]drawer{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// rows gives several functions one drawer.
func rows(d drawer, names ...string) map[string]drawer {
	all := map[string]drawer{}
	for _, n := range names {
		all[n] = d
	}
	return all
}

// ---- elementwise

var elementwise = merged(
	rows(unary(nil), "Exp", "Log", "Log1p", "Expm1", "Sqrt", "Sin", "Cos", "Tanh", "Sigmoid", "Erf", "Floor", "Ceil", "Round", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "IsNaN", "IsInf", "Softplus", "StopGradient", "ZerosLike",
		"OnesLike", "GELU", "SELU", "GELUTanh", "SiLU", "Mish", "Softsign", "HardSigmoid", "HardSwish", "ReLU6"),
	rows(unary(nil, shape.Int32, shape.Int64), "Neg", "Abs", "Sign", "ReLU", "Square"),
	rows(unary(nil), "Reciprocal"),
	rows(unary(func(s *sketch) attrs { return attrs{"Alpha": pick(s.choices, 1, .7, 2.5, .01)} }), "ELU"),
	rows(unary(func(s *sketch) attrs { return attrs{"Alpha": pick(s.choices, .01, .1, 1.5, 0, -.5)} }), "LeakyReLU"),
	rows(unary(func(s *sketch) attrs { return attrs{"V": pick(s.choices, 1, -.75, 2, 0, 1e-3, 1e6)} }), "AddScalar", "MulScalar", "FullLike", "Scalar"),
	rows(unary(func(s *sketch) attrs {
		return attrs{"Lo": pick(s.choices, -1, -.5, -3, 0), "Hi": pick(s.choices, 1, .5, 3, 0)}
	}), "Clip"),
	rows(twoOperands(numbers...), "Add", "Sub", "Mul", "Maximum", "Minimum"),
	rows(twoOperands(shape.Float32), "Div", "Pow"),
	rows(remainder, "Fmod", "Mod"),
	rows(twoOperands(slices.Concat(numbers, []shape.DType{shape.Bool})...), "Equal", "NotEqual"),
	rows(twoOperands(numbers...), "Less", "LessEqual", "Greater", "GreaterEqual"),
	rows(twoOperands(shape.Bool), "And", "Or", "Xor"),
	rows(twoOperands(integers...), "BitAnd", "BitOr", "BitXor"),
	rows(shift, "ShiftLeft", "ShiftRight"),
	rows(func(s *sketch, name string) {
		s.step(name, nil, s.operand(pick(s.choices, integers...), s.size()))
	}, "BitNot"),
	rows(func(s *sketch, name string) {
		s.step(name, nil, s.integers("mask", shape.Bool, s.extents(s.of(5), 20)...))
	}, "Not"),
	rows(where, "Where"),
	rows(cast, "Cast"),
	rows(prelu, "PReLU"),
)

// numbers are the element types of arithmetic; Float32 stands for floating point.
var numbers = []shape.DType{shape.Float32, shape.Float32, shape.Float32, shape.Int32, shape.Int64, shape.Uint8}

var integers = []shape.DType{shape.Int32, shape.Int64, shape.Uint8}

// remainder takes finite numbers: what an infinite quotient leaves has no slope.
func remainder(s *sketch, name string) {
	s.Apart = true
	a, b := s.broadcastable(s.size())
	kind := func() string { return pick(s.choices, "plain", "wide", "positive", "kinks", "ties") }
	s.step(name, nil, s.floats(kind(), a...), s.floats(kind(), b...))
}

// shift takes numbers of bits that all the types have.
func shift(s *sketch, name string) {
	s.Apart = true
	d := pick(s.choices, integers...)
	a, b := s.broadcastable(s.size())
	s.step(name, nil, s.operand(d, a), s.integers("counts", d, b...))
}

// anyKind picks a kind of floating-point numbers for a function of each element.
func (s *sketch) anyKind() string {
	return pick(s.choices, "plain", "plain", "wide", "positive", "kinks", "ties", "extreme", "special", "tiny", "logits")
}

// size returns a shape of up to four axes, now and then a long line.
func (s *sketch) size() []int {
	if s.once(5) {
		return []int{s.from(1, 3000)}
	}
	return s.extents(s.of(5), 20)
}

func unary(a func(s *sketch) attrs, others ...shape.DType) drawer {
	return func(s *sketch, name string) {
		s.Apart = true
		d := pick(s.choices, slices.Concat(slices.Repeat([]shape.DType{shape.Float32}, 6), others)...)
		x := 0
		if d == shape.Float32 {
			x = s.floats(s.anyKind(), s.size()...)
		} else {
			x = s.integers("ties", d, s.size()...)
		}
		if a == nil {
			a = func(*sketch) attrs { return nil }
		}
		s.step(name, a(s), x)
	}
}

func twoOperands(types ...shape.DType) drawer {
	return func(s *sketch, name string) {
		s.Apart = true
		d := pick(s.choices, types...)
		a, b := s.broadcastable(s.size())
		s.step(name, nil, s.operand(d, a), s.operand(d, b))
	}
}

// operand is an input of an element type.
func (s *sketch) operand(d shape.DType, extents []int) int {
	switch d {
	case shape.Float32:
		return s.floats(s.anyKind(), extents...)
	case shape.Bool:
		return s.integers("mask", d, extents...)
	case shape.Uint8:
		return s.integers("bytes", d, extents...)
	}
	return s.integers("ties", d, extents...)
}

// broadcastable returns two shapes that broadcast to one.
func (s *sketch) broadcastable(whole []int) (a, b []int) {
	part := func() []int {
		p := slices.Clone(whole)
		switch s.of(4) {
		case 1:
			for i := range p {
				if s.of(2) == 1 {
					p[i] = 1
				}
			}
		case 2:
			p = p[s.of(len(p)+1):]
		}
		return p
	}
	a = part()
	return a, part()
}

func where(s *sketch, name string) {
	s.Apart = true
	whole := s.size()
	a, b := s.broadcastable(whole)
	d := pick(s.choices, shape.Float32, shape.Float32, shape.Float32, shape.Int32, shape.Bool)
	s.step(name, nil, s.integers("mask", shape.Bool, whole...), s.operand(d, a), s.operand(d, b))
}

// cast takes numbers that the type holds: what becomes of others is for each side to say.
func cast(s *sketch, name string) {
	s.Apart = true
	to := pick(s.choices, shape.Int32, shape.Int64, shape.Bool, shape.Uint8)
	kind := pick(s.choices, "wide", "kinks", "plain", "ties")
	if to == shape.Uint8 {
		kind = pick(s.choices, "counts", "positive", "bytes")
	}
	x := 0
	if s.once(3) {
		x = s.integers("counts", pick(s.choices, shape.Int32, shape.Int64, shape.Uint8), s.size()...)
	} else {
		x = s.floats(kind, s.size()...)
	}
	s.step(name, attrs{"To": to.String()}, x)
}

func prelu(s *sketch, name string) {
	x := s.extents(s.from(2, 4), 9)
	slopes := pick(s.choices, []int{}, []int{1}, []int{x[1]})
	s.step(name, nil, s.floats(pick(s.choices, "plain", "wide", "kinks"), x...), s.floats("plain", slopes...))
}

// ---- reductions

var reductions = merged(
	rows(overAxes("plain", "wide", "positive", "few NaN"), "Sum", "SumKeep", "Mean", "MeanKeep"),
	rows(overAxes("plain", "wide", "positive", "few NaN"), "Variance", "Count"),
	rows(overAxes("plain", "wide", "ties", "extreme", "tiny", "kinks", "few NaN", "many NaN"), "Max", "MaxKeep", "Min", "MinKeep"),
	rows(overAxes("plain", "ties", "positive", "few NaN"), "Prod"),
	rows(along("plain", "wide", "logits", "ties", "few NaN"), "Softmax", "LogSoftmax"),
	rows(scan("plain", "wide", "positive", "few NaN"), "CumSum"),
	rows(scan("plain", "ties", "positive"), "CumProd"),
	rows(linearScan, "LinearScan"),
	rows(along("plain", "ties", "wide", "extreme", "few NaN", "many NaN"), "ArgMax", "ArgMin"),
	rows(overAxes("plain", "wide", "positive", "ties"), "L1Norm", "L2Norm"),
	rows(overAxes("plain", "wide", "positive", "logits"), "LogSumExp"),
	rows(broadcastTo, "BroadcastTo"),
	rows(sumTo, "SumTo"),
)

// block returns a shape with a long axis now and then.
func (s *sketch) block() []int {
	shape := s.extents(s.from(1, 4), 12)
	if s.once(4) {
		shape[s.of(len(shape))] = s.from(1, 400)
	}
	return shape
}

func overAxes(kinds ...string) drawer {
	return func(s *sketch, name string) {
		x := s.block()
		if name == "Prod" {
			x = s.extents(s.from(1, 4), 6)
		}
		axes := s.some(len(x), 1)
		kind := pick(s.choices, kinds...)
		if strings.HasSuffix(kind, "NaN") { // whose curvature says nothing
			s.Order = min(s.Order, 1)
		}
		if name == "LogSumExp" { // of large numbers the curvature is a small difference
			s.step(name, attrs{"Axes": axes}, s.floats(kind, x...))
			return
		}
		s.step(name, attrs{"Axes": axes}, s.scaled(kind, 20, x...))
	}
}

func along(kinds ...string) drawer {
	return func(s *sketch, name string) {
		x := s.block()
		s.step(name, attrs{"Axis": s.of(len(x))}, s.floats(pick(s.choices, kinds...), x...))
	}
}

func scan(kinds ...string) drawer {
	return func(s *sketch, name string) {
		x := s.block()
		axis := s.of(len(x))
		if name == "CumProd" {
			x[axis] = min(x[axis], 12)
		}
		s.step(name, attrs{"Axis": axis, "Reverse": s.of(2) == 1, "Exclusive": s.of(2) == 1}, s.floats(pick(s.choices, kinds...), x...))
	}
}

func linearScan(s *sketch, name string) {
	x := s.block()
	s.step(name, attrs{"Axis": s.of(len(x))}, s.floats(pick(s.choices, "plain", "ties"), x...), s.floats("plain", x...))
}

func broadcastTo(s *sketch, name string) {
	to := s.extents(s.from(1, 4), 12)
	from, _ := s.broadcastable(to)
	s.step(name, attrs{"Shape": to}, s.floats("plain", from...))
}

func sumTo(s *sketch, name string) {
	from := s.block()
	to, _ := s.broadcastable(from)
	s.step(name, attrs{"Shape": to}, s.floats("plain", from...))
}

// ---- losses

var losses = map[string]drawer{
	"CrossEntropy":               crossEntropy,
	"NLL":                        crossEntropy,
	"BinaryCrossEntropy":         pair([]string{"plain", "logits", "wide", "kinks"}, "chance"),
	"MSE":                        pair([]string{"plain", "wide"}, "plain"),
	"KLDivergence":               pair([]string{"plain", "wide"}, "positive", "chance"),
	"Huber":                      pair([]string{"plain", "wide", "logits"}, "plain"),
	"Hinge":                      pair([]string{"plain", "wide", "logits"}, "sides"),
	"FocalLoss":                  crossEntropy,
	"DiceLoss":                   crossEntropy,
	"WeightedBinaryCrossEntropy": crossEntropy,
}

func crossEntropy(s *sketch, name string) {
	x := s.extents(s.from(1, 4), 9)
	axis := min(1, len(x)-1)
	x[axis] = s.from(3, 12)
	if s.once(5) {
		x[axis] = s.from(3, 300)
	}
	var a attrs
	kinds, probable := []string{"plain", "wide", "logits", "ties"}, s.of(3) == 2
	switch name {
	case "CrossEntropy":
		a = attrs{"LabelSmoothing": pick(s.choices, 0, 0, .1, .9, 1), "PerExample": s.of(2) == 1}
		if s.of(3) == 2 {
			a["Weights"] = s.weights(x[axis])
		}
		if !probable && s.of(3) == 2 {
			a["Ignore"] = pick(s.choices, []int{0}, []int{1, 255}, []int{2, 0}, []int{0, 1, 2})
		}
	case "FocalLoss":
		a = attrs{"Alpha": pick(s.choices, 0, .5, .9, -1), "Gamma": pick(s.choices, 0, 1, 2, 1.5, 3), "PerElement": s.of(2) == 1}
	case "DiceLoss":
		a, kinds = attrs{"Smooth": pick(s.choices, 0, .5, 1e-3), "Squared": s.of(2) == 1}, []string{"chance", "positive"}
		for len(x) < 3 {
			x, axis = append(x, 3), 1
		}
	case "WeightedBinaryCrossEntropy":
		a, probable = attrs{"Positive": pick(s.choices, []float64{2.5}, s.weights(x[axis]))}, true
	}
	logits := s.batched(pick(s.choices, kinds...), x...)
	s.input(logits).Batch = s.input(logits).Batch && axis == 1
	target := 0
	if probable {
		target = s.floats("chance", x...)
		s.input(target).Leaf = fed
	} else {
		target = s.integers("ids", pick(s.choices, shape.Int32, shape.Int64), slices.Delete(slices.Clone(x), axis, axis+1)...)
	}
	s.together(logits, target)
	s.step(name, a, logits, target)
}

// weights are those of classes, of which some are 0, but not all.
func (s *sketch) weights(classes int) []float64 {
	w := make([]float64, classes)
	for i := range w {
		w[i] = pick(s.choices, 1, .5, 3, 0)
	}
	w[0] = 2
	return w
}

func pair(kinds []string, targets ...string) drawer {
	return func(s *sketch, name string) {
		x := s.extents(s.from(1, 4), 12)
		var a attrs
		if name == "Huber" {
			a = attrs{"Delta": pick(s.choices, 1, .5, 3)}
		}
		scores := s.batched(pick(s.choices, kinds...), x...)
		target := s.batched(pick(s.choices, targets...), x...)
		s.together(scores, target)
		s.step(name, a, scores, target)
	}
}

// ---- normalisation

var normalisations = map[string]drawer{
	"LRN":              lrn,
	"LRNWithinChannel": lrn,
	"LayerNorm":        layerNorm,
	"GroupNorm":        groupNorm,
	"InstanceNorm":     groupNorm,
	"BatchNorm":        batchNorm,
}

func lrn(s *sketch, name string) {
	rank, size := s.from(2, 5), s.from(1, 9)
	if name == "LRNWithinChannel" {
		rank, size = 4, 2*s.of(4)+1
	}
	x := s.extents(rank, 12)
	s.step(name, attrs{"Size": size, "Alpha": pick(s.choices, 1, 1e-4, 2, .5), "Beta": pick(s.choices, .75, .5, 1, 1.25), "K": pick(s.choices, 1, 2, .5)},
		s.batched(pick(s.choices, "plain", "wide"), x...))
}

func (s *sketch) eps() float64 { return pick(s.choices, 1e-5, 1e-2, 1e-3) }

func layerNorm(s *sketch, name string) {
	x := s.block()
	last := x[s.of(len(x)):]
	s.step(name, attrs{"Eps": s.eps()}, s.floats(pick(s.choices, "plain", "wide", "ties"), x...), s.floats("plain", last...), s.floats("plain", last...))
}

func groupNorm(s *sketch, name string) {
	x := s.extents(s.from(2, 5), 9)
	a := attrs{"Eps": s.eps()}
	if name == "GroupNorm" {
		groups := s.from(1, 4)
		x[1] = groups * s.from(1, 4)
		a["Groups"] = groups
	} else if len(x) == 2 {
		x = append(x, s.from(2, 9))
	}
	if name == "InstanceNorm" {
		x[2]++ // PyTorch refuses one value a channel
	}
	s.step(name, a, s.batched(pick(s.choices, "plain", "wide", "ties"), x...), s.floats("plain", x[1]), s.floats("plain", x[1]))
}

func batchNorm(s *sketch, name string) {
	x := s.extents(s.from(2, 5), 9)
	x[0]++ // PyTorch refuses one value a channel
	part := pick(s.choices, "training", "inference", "mean", "variance")
	if part == "mean" || part == "variance" {
		s.Order = 0
	}
	s.Inference = part == "inference"
	s.step(name, attrs{"Part": part, "Eps": s.eps(), "Momentum": pick(s.choices, .1, .25, 1)}, s.batched(pick(s.choices, "plain", "wide", "ties"), x...),
		s.floats("plain", x[1]), s.floats("plain", x[1]), s.state("plain", x[1]), s.state("positive", x[1]))
}

// ---- products

var products = map[string]drawer{
	"MatMul":    matMul,
	"AddBias":   addBias,
	"Einsum":    einsum,
	"Attention": attention,
	"LSTMCell":  recurrent(4, []string{"hidden", "cell"}, false),
	"LSTM":      recurrent(4, []string{"all", "hidden", "cell"}, true),
	"GRUCell":   recurrent(3, nil, false),
	"GRU":       recurrent(3, []string{"all", "hidden"}, true),
	"RNN":       recurrent(1, []string{"all", "hidden"}, true),
}

// side is an extent of a matrix: small, or beyond what one tile of a kernel has.
func (s *sketch) side() int {
	if s.once(4) {
		return s.from(1, 140)
	}
	return s.extent(20)
}

func matMul(s *sketch, name string) {
	m, k, p := s.side(), s.side(), s.side()
	batch := s.extents(pick(s.choices, 0, 0, 1, 2), 4)
	a, b := []int{m, k}, []int{k, p}
	ta, tb := s.of(2) == 1, s.of(2) == 1
	if ta {
		slices.Reverse(a)
	}
	if tb {
		slices.Reverse(b)
	}
	switch s.of(4) {
	case 0, 1:
		a, b = slices.Concat(batch, a), slices.Concat(batch, b)
	case 2:
		a = slices.Concat(batch, a)
	case 3:
		b = slices.Concat(batch, b)
	}
	kind := func() string { return pick(s.choices, "plain", "plain", "wide", "ties", "few NaN") }
	s.step(name, attrs{"TransA": ta, "TransB": tb}, s.scaled(kind(), 20, a...), s.scaled(kind(), 20, b...))
}

func addBias(s *sketch, name string) {
	x := s.extents(s.from(2, 5), 12)
	s.step(name, nil, s.batched("plain", x...), s.floats("plain", x[1]))
}

// einsum draws letters for each operand and those that are left.
func einsum(s *sketch, name string) {
	const letters = "ijklmn"
	extents := s.extents(len(letters), 6)
	var terms, in = "", []int{}
	seen := map[byte]bool{}
	for n := range s.from(1, 3) {
		if n > 0 {
			terms += ","
		}
		x := []int{}
		for range s.from(0, 4) {
			l := s.of(len(letters))
			terms += letters[l : l+1]
			x = append(x, extents[l])
			seen[letters[l]] = true
		}
		in = append(in, s.floats("plain", x...))
	}
	present := slices.Sorted(maps.Keys(seen))
	left := ""
	for _, i := range s.choices.order(len(present)) {
		if s.of(3) > 0 {
			left += string(present[i])
		}
	}
	s.step(name, attrs{"Subscripts": terms + "->" + left}, in...)
}

func attention(s *sketch, name string) {
	front := s.extents(s.of(3), 4)
	l, keys, e, v := s.extent(20), s.extent(20), s.extent(16), s.extent(16)
	of := func(a, b int) []int { return slices.Concat(front, []int{a, b}) }
	kind := pick(s.choices, "plain", "wide")
	in := []int{s.floats(kind, of(l, e)...), s.floats("plain", of(keys, e)...), s.floats("plain", of(keys, v)...)}
	if s.of(2) == 1 {
		in = append(in, s.integers(pick(s.choices, "most", "mask"), shape.Bool, of(l, keys)[s.of(len(front)+1):]...))
	}
	a := attrs{"Scale": pick(s.choices, 0, 0, 2, .1), "Causal": s.of(2) == 1}
	if s.of(2) == 1 {
		a["Keys"] = 1 + s.of(keys)
	}
	s.step(name, a, in...)
}

// recurrentOptions draws those of a layer, and the inputs that they need, of n sequences of t steps and h units.
func (s *sketch) recurrentOptions(a attrs, gates, n, t, h int) (in []int) {
	a["Reverse"] = s.of(2) == 1
	if s.once(4) {
		a["Clip"] = .75
	}
	if s.once(4) {
		a["ReLU"] = true
	}
	if gates == 3 && s.once(3) {
		a["ResetBefore"] = true
	}
	if gates == 4 && s.once(3) {
		a["Peepholes"] = true
		in = append(in, s.floats("plain", 3*h))
	}
	if t >= 2 && s.of(2) == 1 {
		a["Lengths"] = true
		in = append(in, s.integers("ids", pick(s.choices, shape.Int32, shape.Int64), n))
	}
	return in
}

func recurrent(gates int, parts []string, sequence bool) drawer {
	return func(s *sketch, name string) {
		n, i, h := s.extent(9), s.extent(9), s.extent(9)
		x := []int{n, i}
		if sequence {
			x = []int{n, s.extent(12), i}
		}
		in := []int{s.batched(pick(s.choices, "plain", "wide"), x...)}
		for range max(gates-2, 1) { // the states: h, and c with four gates
			in = append(in, s.batched("plain", n, h))
		}
		s.together(in...)
		in = append(in, s.floats("plain", gates*h, i), s.floats("plain", gates*h, h), s.floats("plain", gates*h), s.floats("plain", gates*h))
		a := attrs{}
		if parts != nil {
			a["Part"] = pick(s.choices, parts...)
		}
		if sequence {
			in = append(in, s.recurrentOptions(a, gates, n, x[1], h)...)
			if a["Lengths"] == true {
				s.together(in[0], in[len(in)-1])
			}
		}
		s.step(name, a, in...)
	}
}
