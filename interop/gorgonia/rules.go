package gorgonia

import G "gorgonia.org/gorgonia"

// A rule lowers one kind of op.
type rule struct {
	lower func(*call) *G.Node
	first int  // so many inputs are looked at; 0 means all
	any   bool // takes integers and Bools as well
	flat  bool // its derivative is 0 everywhere
	fed   bool // it is computed before a run and fed; no input is looked at

	passes []bool // inputs that a gradient passes to; nil means all
}

// rules are ops, by name, that are lowered onto gorgonia's own. The table needs no row for ops such
// as Full and Count, whose elements are all one number, nor for elementwise ops, which are lowered
// by their maps. All others run on engine/ref's kernel; see bound.
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
