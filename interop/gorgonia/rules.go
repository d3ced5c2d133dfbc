package gorgonia

import (
	"reflect"

	G "gorgonia.org/gorgonia"

	"github.com/plexaura/plexaura/graph"
)

// A rule lowers one kind of op.
type rule struct {
	lower func(*call) *G.Node
	first int  // only so many inputs are used; 0 means all
	any   bool // takes integers and Bools as well
	fed   bool // it is computed before a run and fed; no input is used

	// fits reports whether gorgonia's op is right for the attributes of a node; nil means always.
	fits func(l *lowering, n *graph.Node) bool

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
	"ReLU6":     {lower: clip},

	"ByMode": {lower: same, any: true, first: 1}, // the form for training

	"Sum":         {lower: reduceSum},
	"Max":         {lower: reduceMax},
	"Min":         {lower: reduceMin},
	"BroadcastTo": {lower: broadcastTo, any: true},
	"Softmax":     {lower: softmax},
	"LogSoftmax":  {lower: logSoftmax},
	"CumSum":      {lower: cumSum, fits: func(_ *lowering, n *graph.Node) bool { return !reflect.ValueOf(n.Op()).FieldByName("Exclusive").Bool() }},
	"WindowSum":   {lower: windowSum},

	"MatMul":          {lower: matMul},
	"Conv2D":          {lower: conv2D},
	"Conv2DInputGrad": {lower: transposedConv2D},
	"MaxPool2D":       {lower: maxPool2D, fits: poolFits},
	"AvgPool2D":       {lower: avgPool2D, fits: poolFits},

	"Reshape":   {lower: reshape, any: true},
	"Transpose": {lower: transpose, any: true},
	"Concat":    {lower: concat, any: true, fits: concatFits},
	"Slice":     {lower: slice, any: true, fits: sliceFits},
	"Random":    {lower: random, fed: true},
}
