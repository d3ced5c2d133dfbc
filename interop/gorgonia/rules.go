package gorgonia

import G "gorgonia.org/gorgonia"

// A rule lowers one kind of op.
type rule struct {
	lower func(*call) *G.Node
	first int  // so many inputs are looked at; 0 means all
	any   bool // takes integers and Bools as well
	flat  bool // its derivative is 0 everywhere
	fed   bool // it is computed before a run and fed; no input is looked at
}

// rules are the ops that can be lowered, by name. Besides them go leaves, ops such as Full and
// Count of which every element is one number, and by their maps all elementwise ops.
var rules = map[string]rule{
	"ReLU":      {lower: relu},
	"LeakyReLU": {lower: leakyReLU},
	"Softplus":  {lower: softplus},
	"Clip":      {lower: clip},

	"StopGradient": {lower: stopGradient, any: true, flat: true},
	"ByMode":       {lower: same, any: true, first: 1}, // the form for training

	"Sum":         {lower: reduceSum},
	"Max":         {lower: reduceMax},
	"Min":         {lower: reduceMin},
	"BroadcastTo": {lower: broadcastTo, any: true},
	"Softmax":     {lower: softmax},
	"LogSoftmax":  {lower: logSoftmax},
	"CumSum":      {lower: cumSum},
	"WindowSum":   {lower: windowSum},

	"MatMul":          {lower: matMul},
	"Conv2D":          {lower: conv2D},
	"Conv2DInputGrad": {lower: transposedConv2D},
	"MaxPool2D":       {lower: maxPool2D},
	"AvgPool2D":       {lower: avgPool2D},

	"Reshape":         {lower: reshape, any: true},
	"Transpose":       {lower: transpose, any: true},
	"Concat":          {lower: concat, any: true},
	"Slice":           {lower: slice, any: true},
	"Embed":           {lower: embed},
	"Pad":             {lower: pad, any: true},
	"PadGrad":         {lower: padGrad},
	"OneHot":          {lower: hot, any: true, first: 1},
	"Gather":          {lower: gather, any: true},
	"GatherAlong":     {lower: gather, any: true},
	"ScatterAdd":      {lower: scatterAdd, any: true},
	"ScatterAddAlong": {lower: scatterAdd, any: true},
	"TopK":            {lower: topK, any: true, flat: true},
	"Random":          {lower: random, fed: true, flat: true},
}

const (
	oursAlone = "it is an adjoint that our gradients are made of; lower the loss, of which gorgonia takes its own gradients"
	passMade  = "a pass of the compiler makes it; lower the graph before it is compiled"
)

// refusals are the other ops of the catalogue, and why they cannot be lowered.
var refusals = map[string]string{
	"Prod":             "gorgonia has no product over axes; where all elements are positive, it is Exp of the Sum of Log",
	"SoftmaxGrad":      oursAlone,
	"LogSoftmaxGrad":   oursAlone,
	"Conv2DFilterGrad": oursAlone,
	"MaxPool2DScatter": oursAlone,
	"MaxPool2DGather":  oursAlone,
	"AvgPool2DGrad":    oursAlone,
	"Conv2D+Bias+ReLU": passMade,
	"Conv2D+MaxPool2D": passMade,
	"MatMul+Bias+ReLU": passMade,
	"Embed+Add":        passMade,
}
