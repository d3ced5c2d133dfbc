package gorgonia

import G "gorgonia.org/gorgonia"

// A rule lowers one kind of op.
type rule struct {
	lower func(*call) *G.Node
	first int  // so many inputs are looked at; 0 means all
	any   bool // takes integers and Bools as well
	flat  bool // its derivative is 0 everywhere
}

// rules are the ops that can be lowered, by name. Besides them go leaves, and ops such as Full
// and Count of which every element is one number.
var rules = map[string]rule{
	"Neg":       {lower: unary(G.Neg)},
	"Abs":       {lower: abs},
	"Sign":      {lower: sign, flat: true},
	"Exp":       {lower: unary(G.Exp)},
	"Log":       {lower: unary(G.Log)},
	"Log1p":     {lower: unary(G.Log1p)},
	"Expm1":     {lower: unary(G.Expm1)},
	"Sqrt":      {lower: unary(G.Sqrt)},
	"Sin":       {lower: unary(G.Sin)},
	"Cos":       {lower: unary(G.Cos)},
	"Tanh":      {lower: unary(G.Tanh)},
	"Sigmoid":   {lower: unary(G.Sigmoid)},
	"Floor":     {lower: unary(G.Floor), flat: true},
	"ReLU":      {lower: relu},
	"LeakyReLU": {lower: leakyReLU},
	"Softplus":  {lower: unary(G.Softplus)},
	"Clip":      {lower: clip},

	"Add":     {lower: binary(G.Add)},
	"Sub":     {lower: binary(G.Sub)},
	"Mul":     {lower: binary(G.HadamardProd)},
	"Div":     {lower: binary(G.HadamardDiv)},
	"Pow":     {lower: binary(G.Pow)},
	"Maximum": {lower: extreme(G.Gt)},
	"Minimum": {lower: extreme(G.Lt)},

	"Equal":        {lower: predicate(G.Eq), any: true, flat: true},
	"NotEqual":     {lower: predicate(G.Ne), any: true, flat: true},
	"Less":         {lower: predicate(G.Lt), any: true, flat: true},
	"LessEqual":    {lower: predicate(G.Lte), any: true, flat: true},
	"Greater":      {lower: predicate(G.Gt), any: true, flat: true},
	"GreaterEqual": {lower: predicate(G.Gte), any: true, flat: true},
	"And":          {lower: binary(G.HadamardProd), any: true, flat: true},
	"Or":           {lower: or, any: true, flat: true},
	"Not":          {lower: not, any: true, flat: true},
	"Where":        {lower: choose, any: true},
	"Cast":         {lower: cast, any: true},

	"StopGradient": {lower: stopGradient, any: true, flat: true},
	"ByMode":       {lower: same, any: true, first: 1}, // the form for training

	"Sum":         {lower: reduceSum},
	"Max":         {lower: reduceMax},
	"Min":         {lower: reduceMin},
	"BroadcastTo": {lower: broadcastTo, any: true},
	"Softmax":     {lower: softmax},
	"LogSoftmax":  {lower: logSoftmax},

	"MatMul":    {lower: matMul},
	"Conv2D":    {lower: conv2D},
	"MaxPool2D": {lower: maxPool2D},
	"AvgPool2D": {lower: avgPool2D},

	"Reshape":   {lower: reshape, any: true},
	"Transpose": {lower: transpose, any: true},
	"Concat":    {lower: concat, any: true},
	"Slice":     {lower: slice, any: true},
	"Pad":       {lower: pad, any: true},
	"OneHot":    {lower: hot, any: true, first: 1},
}
