package main

import "github.com/plexaura/plexaura/shape"

// Graphs of several functions, so that the compiler's passes take part.
var graphs = map[string]drawer{
	"Network": network,
	"Chain":   chain,
}

// network stacks blocks of layers on images, with parameters in a store.
func network(s *sketch, _ string) {
	h, w := s.from(3, 12), s.from(3, 12)
	batch := s.from(1, 6)
	if s.once(3) {
		batch = s.from(1, 18)
	}
	batch = min(batch, max(1, 600/(h*w)))
	x := s.add(input{Kind: "plain", DType: shape.Float32, Shape: []int{batch, s.from(1, 4), h, w}, Batch: s.of(2) == 1})
	s.Batches = s.input(x).Batch && s.of(2) == 1
	s.Inference = s.once(4)
	s.Order = min(s.Order, 1) // the second order of so much rounding says little
	for range s.from(1, 4) {
		x = s.block2D(x)
	}
	s.head(x, batch)
}

// weight makes a parameter by which sums of fan terms are about as large as a term.
func (s *sketch) weight(fan int, extents ...int) int {
	scale := 0
	for ; fan > 3; fan /= 4 {
		scale--
	}
	return s.add(input{Kind: "plain", Scale: scale, DType: shape.Float32, Shape: extents, Leaf: param})
}

func (s *sketch) vector(kind string, n int) int {
	return s.add(input{Kind: kind, DType: shape.Float32, Shape: []int{n}, Leaf: param})
}

// block2D adds a layer or several to images.
func (s *sketch) block2D(x int) int {
	switch s.of(6) {
	case 0, 1, 2:
		return s.convBlock(x)
	case 3:
		return s.poolBlock(x)
	case 4:
		return s.residual(x)
	}
	return s.branches(x)
}

// convBlock is a convolution, perhaps with a bias, normalised, activated, pooled.
func (s *sketch) convBlock(x int) int {
	x = s.conv(x, s.from(1, 9), s.from(1, 2))
	if s.of(2) == 1 {
		x = s.step("AddBias", nil, x, s.vector("plain", s.shape(x)[1]))
	}
	if s.of(2) == 1 {
		x = s.norm(x)
	}
	x = s.activated(x)
	if s.of(2) == 1 {
		x = s.poolBlock(x)
	}
	return x
}

// conv keeps the size of the image with stride 1 and an odd kernel.
func (s *sketch) conv(x, out, stride int) int {
	in := s.shape(x)
	k, groups := pick(s.choices, 3, 1, 5, 3), 1
	if s.once(4) {
		groups, out = in[1], in[1]*s.from(1, 2) // depthwise
	}
	pad := [2]int{k / 2, k / 2}
	return s.step("Conv2D", attrs{"Stride": []int{stride, stride}, "Dilation": []int{1, 1}, "Pad": [][2]int{pad, pad}, "Groups": groups},
		x, s.weight(in[1]/groups*k*k, out, in[1]/groups, k, k))
}

func (s *sketch) norm(x int) int {
	in := s.shape(x)
	c := in[1]
	gamma, beta := s.vector("positive", c), s.vector("plain", c)
	if s.once(4) || !s.Inference && in[0]*in[2]*in[3] < 4 {
		return s.step("GroupNorm", attrs{"Groups": 1, "Eps": 1e-3}, x, gamma, beta)
	}
	part := "training"
	if s.Inference {
		part = "inference"
	}
	return s.step("BatchNorm", attrs{"Part": part, "Eps": 1e-3}, x, gamma, beta, s.state("plain", c), s.state("positive", c))
}

func (s *sketch) activated(x int) int {
	op := pick(s.choices, "ReLU", "ReLU", "ReLU", "Tanh", "SiLU", "GELU", "LeakyReLU", "HardSwish", "ELU")
	switch op {
	case "LeakyReLU":
		return s.step(op, attrs{"Alpha": .1}, x)
	case "ELU":
		return s.step(op, attrs{"Alpha": 1}, x)
	}
	return s.step(op, nil, x)
}

func (s *sketch) poolBlock(x int) int {
	in := s.shape(x)
	if in[2] < 2 || in[3] < 2 {
		return x
	}
	k, stride := s.from(2, 3), s.from(1, 3)
	a := attrs{"Kernel": []int{k, k}, "Stride": []int{stride, stride}, "Ceil": s.of(2) == 1}
	if k == 3 || in[2] < k || in[3] < k {
		a["Pad"] = [][2]int{{1, 1}, {1, 1}}
	}
	return s.step(pick(s.choices, "MaxPool2D", "MaxPool2D", "AvgPool2D"), a, x)
}

// residual adds what a convolution makes of images to them.
func (s *sketch) residual(x int) int {
	y := s.activated(s.norm(s.conv(x, s.shape(x)[1], 1)))
	if s.shape(y)[1] != s.shape(x)[1] {
		return y
	}
	return s.activated(s.step("Add", nil, x, y))
}

// branches joins two convolutions of the same images.
func (s *sketch) branches(x int) int {
	a, b := s.conv(x, s.from(1, 6), 1), s.activated(s.conv(x, s.from(1, 6), 1))
	return s.step("Concat", attrs{"Axis": 1}, a, b)
}

// head makes scores of images, and a loss now and then.
func (s *sketch) head(x, batch int) {
	if s.of(2) == 1 {
		x = s.step("GlobalAvgPool2D", nil, x)
	}
	x = s.step("Flatten", nil, x)
	for range s.from(1, 2) {
		n := s.from(3, 20)
		x = s.step("MatMul", nil, x, s.weight(s.shape(x)[1], s.shape(x)[1], n))
		if s.of(2) == 1 {
			x = s.step("AddBias", nil, x, s.vector("plain", n))
		}
		if s.of(2) == 1 {
			x = s.activated(x)
		}
	}
	switch s.of(3) {
	case 1:
		target := s.integers("ids", shape.Int32, batch)
		s.input(target).Batch = s.Inputs[0].Batch
		s.step("CrossEntropy", nil, x, target)
	case 2:
		s.step("LogSoftmax", attrs{"Axis": 1}, x)
	}
}

// chain applies elementwise functions to each other's results, which broadcast.
func chain(s *sketch, _ string) {
	whole := s.extents(s.from(1, 4), 12)
	var values []int
	for range s.from(1, 3) {
		a, _ := s.broadcastable(whole)
		values = append(values, s.floats(pick(s.choices, "plain", "positive", "wide"), a...))
	}
	values = append(values, s.floats("plain", whole...))
	for range s.from(2, 9) {
		x, y := values[s.of(len(values))], values[s.of(len(values))]
		switch op := pick(s.choices, "Add", "Mul", "Sub", "ReLU", "Tanh", "Sigmoid", "Maximum", "Minimum", "Square", "Abs", "SiLU", "Softplus", "AddScalar",
			"MulScalar", "Exp", "Where", "Sum", "Sin"); op {
		case "Add", "Sub", "Mul", "Maximum", "Minimum":
			x = s.step(op, nil, x, y)
		case "AddScalar", "MulScalar":
			x = s.step(op, attrs{"V": pick(s.choices, .5, -1.5)}, x)
		case "Exp":
			x = s.step(op, nil, s.step("Tanh", nil, x))
		case "Where":
			x = s.step(op, nil, s.step("Greater", nil, x, y), x, y)
		case "Sum":
			if n := len(s.shape(x)); n > 0 {
				x = s.step("MeanKeep", attrs{"Axes": []int{s.of(n)}}, x)
			}
		default:
			x = s.step(op, nil, x)
		}
		values = append(values, x)
	}
}
